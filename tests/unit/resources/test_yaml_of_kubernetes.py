"""YAML as Kubernetes' tools read it: their values, limits, places of errors; and what we write means the same to them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nautes.resources import documents
from nautes.resources.documents import Malformed, read, read_json
from nautes.resources.scalars import text_of

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(-1e19, 1e19)
    | st.text(st.characters(codec="utf-8", exclude_categories=["C"]))
    | st.text("0123456789abcdefxobyneEN_+-.:~T ", max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefgh", min_size=1), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("off", False),
        ("0644", 420),
        ("0x1f", 31),
        ("1_000", 1000),
        ("1e3", 1000.0),
        ("0E0", 0),
        ("08", 8),
        ("0o17", 15),
        ("1__0.5", 10.5),
        ("y", True),
        ("N", False),
        ("0xdeadbeefdeadbeefdeadbeef", "0xdeadbeefdeadbeefdeadbeef"),
        (".5", 0.5),
        ("80:80", "80:80"),
        ("2001-01-01", "2001-01-01"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("1e999", "1e999"),
        ("'1'", "1"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("!!binary aGk=", "aGk="),
        ("null", None),
        ("~", None),
    ],
)
def test_a_plain_value_means_what_kubernetes_tools_take_it_for(text: str, value: Any) -> None:
    assert list(read(f"a: {text}".encode())) == [{"a": value}]


PLAIN = [
    *(
        "0E0",
        "1e3",
        "1e+3",
        "1E5",
        "1.e5",
        ".5",
        "+.5",
        "5.",
        "-0",
        "08",
        "017",
        "0o17",
        "0b11",
        "-0b11",
        "0_7",
        "0x1F",
        "+0x10",
    ),
    *(
        "1_000",
        "1__0",
        "1_0.5",
        "0.1e1_0",
        "_1",
        "1:1",
        "1.2.3",
        "0b2",
        "0x",
        "1e",
        ".e1",
        ".",
        "+",
        "=",
        "1e999",
        "0x1p4",
    ),
    *("y", "N", "yes", "on", "True", "tRUE", "null", "nULL", "~", "2001-01-01", "NaN", "100000000000000000000", "-.5"),
    *(
        "0xdeadbeefdeadbeefdeadbeef",
        "!!str 12",
        "! 12",
        "!!int '12'",
        "!!bool 'yes'",
        "!!float '1'",
        "!!timestamp '2001-01-01'",
    ),
]


def by_kubectl(values: str) -> Any:
    """What kubectl takes a YAML list for."""
    tool = shutil.which("kubectl", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    assert tool is not None
    text = f"apiVersion: nautes.io/v1\nkind: Any\nmetadata: {{name: any}}\nspec:\n{values}"
    command = [tool, "label", "--local", "-f", "-", "-o", "json", "a=b"]
    return json.loads(subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout)["spec"]


def test_plain_values_are_what_kubectl_takes_them_for() -> None:
    text = "".join(f"- {each}\n" for each in PLAIN)
    assert list(read(text.encode())) == [by_kubectl(text)]


def test_texts_that_look_like_values_are_texts_to_kubectl_as_we_write_them() -> None:
    assert by_kubectl(text_of(PLAIN)) == PLAIN


@given(VALUES, st.booleans(), st.booleans())
@example("0E0", True, False)
def test_whatever_is_written_as_yaml_is_read_back(value: Any, sort: bool, ascii: bool) -> None:
    text = text_of(value, sort=sort, ascii=ascii)
    assert list(read(text.encode())) == [value]
    found, findings = documents.documents(text)
    assert ([each.data for each in found], findings) == ([value] if value is not None else [], [])


@given(VALUES)
def test_equal_data_are_equal_texts(value: Any) -> None:
    text = text_of(value)
    assert [text_of(each) for each in read(text.encode())] == [text]


@given(VALUES)
def test_json_is_yaml(value: Any) -> None:
    assert list(read(json.dumps(value, ensure_ascii=False).encode())) == [value]


@given(VALUES)
def test_whatever_is_written_as_json_is_read_back(value: Any) -> None:
    assert list(read_json(json.dumps(value).encode())) == [value]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1, "a": 2}', "is declared here twice"),
        (b'{"a": }', "Expecting value"),
        (b"[" * 100_000, "nested deeper"),
        (b"[" * 70 + b"]" * 70, "nested deeper"),
        (b"[NaN]", "NaN"),
        (b"\xff", "UTF-8"),
    ],
)
def test_json_that_is_malformed_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        list(read_json(text))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(Malformed):
        list(read(data))


@given(st.text("[]{}&*:-!<>|?'\"a \n", max_size=80))
def test_any_punctuation_is_read_or_refused(text: str) -> None:
    with suppress(Malformed):
        list(read(text.encode()))


def test_documents_come_one_by_one_and_empty_ones_are_none() -> None:
    assert list(read(b"a: 1\n---\n---\nb: 2\n")) == [{"a": 1}, None, {"b": 2}]


def test_anchors_and_merges_are_followed() -> None:
    text = b"base: &b {x: 1, y: 2}\nuse: *b\nmore: {<<: *b, y: 3}\n"
    assert list(read(text)) == [{"base": {"x": 1, "y": 2}, "use": {"x": 1, "y": 2}, "more": {"x": 1, "y": 3}}]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (b"a: 1\nb: 2\na: 3\n", 3, "is declared here twice"),
        (b"a:\n  - [1\n", 3, ""),
        (b"a: &x [*x]\n", 1, "unknown alias"),
        (b"a: *nobody\n", 1, ""),
        (b"a: 1\n? [b]\n: c\n", 2, "a key must be a plain value"),
        (b"a: !!python/object:os.system {}\n", 1, "unknown tag"),
        (b"a: !custom 1\n", 1, "unknown tag"),
        (b"a: {<<: 1}\n", 1, "only mappings can be merged"),
        (b"[" * 100_000, 1, "nested deeper"),
        (b"- " * 100_000, 1, "nested deeper"),
    ],
)
def test_what_is_malformed_is_refused_with_its_line(text: bytes, line: int, message: str) -> None:
    with pytest.raises(Malformed) as refusal:
        list(read(text))
    assert refusal.value.line == line
    assert message in refusal.value.message


def test_an_alias_bomb_is_paid_for_at_its_full_size() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(Malformed, match=r"values in one file|aliases in one file"):
        list(read("\n".join(levels).encode()))


def test_too_many_documents_are_refused() -> None:
    with pytest.raises(Malformed, match="documents in one file"):
        list(read(b"---\na: 1\n" * (documents.KUBERNETES.documents + 1)))


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(Malformed, match="UTF-8"):
        list(read(b"\xff\xfe\x00"))
