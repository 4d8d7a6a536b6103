"""Reading YAML of people: values as Kubernetes' tools read them, limits, places of errors."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nautes.convergence import documents
from nautes.convergence.documents import Malformed, read, read_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(codec="utf-8", exclude_categories=["C"])),
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


@given(VALUES)
def test_whatever_is_written_as_yaml_is_read_back(value: Any) -> None:
    assert list(read(yaml.safe_dump(value, allow_unicode=True).encode())) == [value]


@given(VALUES)
def test_json_is_yaml(value: Any) -> None:
    assert list(read(json.dumps(value, ensure_ascii=False).encode())) == [value]


@given(VALUES)
def test_whatever_is_written_as_json_is_read_back(value: Any) -> None:
    assert list(read_json(json.dumps(value).encode())) == [value]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1, "a": 2}', "duplicate key"),
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
        (b"a: 1\nb: 2\na: 3\n", 3, "duplicate key"),
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
        list(read(b"---\na: 1\n" * (documents.DOCUMENTS + 1)))


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(Malformed, match="UTF-8"):
        list(read(b"\xff\xfe\x00"))
