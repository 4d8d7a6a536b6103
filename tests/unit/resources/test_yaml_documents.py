"""Strict YAML: what is refused, where, and that no text whatever makes the reader raise or work long."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautes.resources.documents import FINDINGS, Limits, documents, pointer_of


def refused(text: str | bytes, limits: Limits | None = None) -> tuple[str, int | None, int | None]:
    """The one finding of a text: rule, line, column."""
    _, findings = documents(text, "file.yaml", limits)
    assert len(findings) == 1, findings
    return findings[0].rule, findings[0].line, findings[0].column


def read(text: str | bytes) -> list[object]:
    found, findings = documents(text)
    assert findings == []
    return [each.data for each in found]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: 1\nb: 2\na: 3\n", ("yaml-duplicate-key", 3, 1)),
        ("spec:\n  name: x\n  other: y\n  name: z\n", ("yaml-duplicate-key", 4, 3)),
        ('{"a": 1, "a": 2}', ("yaml-duplicate-key", 1, 10)),
        ("a: 1\n---\nlist:\n- b: 1\n  b: 2\n", ("yaml-duplicate-key", 5, 3)),
        ("? [a, b]\n: 1\n", ("yaml-key", 1, 3)),
        ("a:\n  b: 1\n\tc: 2\n", ("yaml-syntax", 3, 1)),
        ("a: [1, 2\n", ("yaml-syntax", 2, 1)),
        ("a: *nowhere\n", ("yaml-syntax", 1, 4)),
        ("ok: 1\nrun: !!python/object/apply:os.system [id]\n", ("yaml-value", 2, 6)),
        ("a: &a 1\n*a : 2\n", ("yaml-key", 2, 1)),
        (f"? {'k' * 1025}\n: 1\n", ("yaml-key", 1, 3)),
        ("a: !!python/name:os.system ''\n", ("yaml-value", 1, 4)),
        ("a: !!int ''\n", ("yaml-value", 1, 4)),
        ("a: !!float ''\n", ("yaml-value", 1, 4)),
        ("a: !!bool maybe\n", ("yaml-value", 1, 4)),
        ("a: !!binary MQ==\n", ("yaml-value", 1, 4)),
        ("a: .inf\n", ("yaml-value", 1, 4)),
        ("a: .nan\n", ("yaml-value", 1, 4)),
        (f"a: 0x{'f' * 5000}\n", ("yaml-value", 1, 4)),
        ("a: &a [*a]\n", ("yaml-depth", 1, 4)),
        ("a: \x01\n", ("yaml-syntax", 1, 1)),
        (b"a: \xff\n", ("yaml-encoding", 1, 1)),
    ],
)
def test_what_is_refused_is_refused_with_its_place(text: str | bytes, where: tuple[str, int, int]) -> None:
    assert refused(text) == where


@pytest.mark.parametrize(
    ("text", "limits", "rule"),
    [
        ("a: 1\nb: 2\nc: 3\n", Limits(size=10), "yaml-size"),
        ("a: ééé", Limits(size=8), "yaml-size"),  # 6 characters, 9 bytes
        ("---\na: 1\n" * 4, Limits(documents=3), "yaml-documents"),
        ("[[[[1]]]]", Limits(depth=3), "yaml-depth"),
        ("[1, 2, 3, 4]", Limits(nodes=4), "yaml-nodes"),
        ("".join(f"k{number}: 1\n" for number in range(6)), Limits(nodes=12), "yaml-nodes"),
        ("a: &a 1\nb: [*a, *a, *a]\n", Limits(aliases=2), "yaml-aliases"),
        ("a: &a [1, 2, 3]\nb: [*a, *a, *a]\n", Limits(nodes=12), "yaml-aliases"),  # 9 written, 17 unfolded
        ("a: &a [[1]]\nb: &b [[*a]]\nc: [[*b]]\n", Limits(depth=5), "yaml-depth"),
    ],
)
def test_each_cap_holds_and_says_which(text: str, limits: Limits, rule: str) -> None:
    assert refused(text, limits)[0] == rule
    assert documents(text)[1] == []


def test_up_to_the_cap_documents_are_read() -> None:
    found, findings = documents("---\na: 1\n" * 4, limits=Limits(documents=3))
    assert [each.data for each in found] == [{"a": 1}] * 3
    assert [each.rule for each in findings] == ["yaml-documents"]


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{n}: &{n} [{', '.join([f'*{o}'] * 9)}]\n" for o, n in zip("abcdefg", "bcdefgh", strict=True)),
        "[" * 500_000,
        "{a: " * 200_000,
        "- " * 500_000,
        "a: &a {b: *a}",
    ],
)
def test_bombs_are_refused_before_they_go_off(text: str) -> None:
    began = time.process_time()
    found, findings = documents(text)
    assert found == [] and len(findings) == 1
    assert time.process_time() - began < 2


@pytest.mark.parametrize("inner", ["1, " * 95_000, "a: 1, " * 40_000])
def test_places_and_findings_below_long_keys_cost_no_more_than_the_text(inner: str) -> None:
    brackets = "[]" if inner.startswith("1") else "{}"
    text = f"{{{'k' * 1_000}: " * 60 + brackets[0] + inner + brackets[1] + "}" * 60
    began = time.process_time()
    found, findings = documents(text)
    assert time.process_time() - began < 2
    assert len(findings) == (0 if inner.startswith("1") else FINDINGS + 1)
    assert found == [] or found[0].position(f"/{'k' * 1_000}" * 60 + "/94999") == (1, 60 * 1_003 + 1 + 94_999 * 3 + 1)


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n---\n...\n", "null\n", b""])
def test_nothing_is_no_document(text: str | bytes) -> None:
    assert read(text) == []


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    text = "a: 1\nb:\n  - x\n  - |\n    line\n    line\n---\nc: 2\n"
    assert read(text.replace("\n", "\r\n")) == read(text)
    assert read("\ufeff" + text) == read(text) == read(b"\xef\xbb\xbf" + text.encode())


def test_keys_are_texts_and_dates_stay_as_they_were_written() -> None:
    assert read("1: a\nnull: b\ntrue: c\n2001-01-01: d\n") == [{"1": "a", "null": "b", "true": "c", "2001-01-01": "d"}]
    assert read("[2001-01-01, 2001-13-45, 2001-01-01 10:00:00, =]") == [
        ["2001-01-01", "2001-13-45", "2001-01-01 10:00:00", "="]
    ]


def test_a_merge_key_is_no_magic() -> None:
    assert read("a: &a {x: 1}\nb: {<<: *a}\n") == [{"a": {"x": 1}, "b": {"<<": {"x": 1}}}]


def test_positions_point_at_keys_and_fall_back_to_what_is_there() -> None:
    [document] = documents("a:\n  b/c:\n    - x\n    - y: 1\n")[0]
    assert document.position("/a/b~1c") == (2, 3)
    assert document.position("/a/b~1c/1/y") == (4, 7)
    assert document.position("/a/b~1c/7/none") == (2, 3)
    assert document.position("/none") == (1, 1)


def test_messages_never_quote_values() -> None:
    _, findings = documents("password: !!int hunter2\nother: !!float hunter2\n")
    assert len(findings) == 2
    assert "hunter2" not in repr(findings)


# YAML knows no pairs of surrogates: what is beyond the basic plane is to be written as it is, not as two escapes.
json_texts = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=5)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), 1 << 63) | json_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(json_texts, inner, max_size=3),
    max_leaves=8,
)


@given(json_values.filter(lambda each: each is not None))
def test_json_is_taken_as_it_is(value: object) -> None:
    assert read(json.dumps(value)) == [value]


def test_json_with_characters_beyond_the_basic_plane_is_taken_unescaped() -> None:
    assert read(json.dumps({"description": "🚀"}, ensure_ascii=False)) == [{"description": "🚀"}]


FRAGMENTS = (
    *("a", ":", " ", "\n", "- ", "[", "]", "{", "}", ",", "&a ", "*a", "!!int ", "!!timestamp ", "!x ", "'", '"', "? "),
    *("|", ">", "---\n", "...\n", "%YAML 1.1\n", "\t", "0x", "1:", ".5", "~", "<<", "=", "\r", "\x00", "\ufeff", "\\u"),
)


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join) | st.text(max_size=40) | st.binary(max_size=40))
def test_no_text_makes_it_raise(text: str | bytes) -> None:
    found, findings = documents(text, "x", Limits(size=500, documents=3, depth=5, nodes=30, aliases=3))
    for each in found:
        json.dumps(each.data, allow_nan=False)
    assert all(each.rule and each.message and each.line and each.column for each in findings)


@given(st.lists(st.text(max_size=5), max_size=4))
def test_pointers_are_those_of_the_standard(parts: list[str]) -> None:
    decoded = [each.replace("~1", "/").replace("~0", "~") for each in pointer_of(*parts).split("/")[1:]]
    assert decoded == parts
