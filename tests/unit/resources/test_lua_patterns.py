"""Lua patterns as the original system matches them, and that no pattern costs much time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautes.resources.patterns import CAPTURES, LIMIT, PatternError, compiled, find

MAIN = "refs/heads/main"


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", MAIN, True),
        ("main", MAIN, True),
        ("main", "refs/heads/maintenance", True),  # unanchored
        ("main$", "refs/heads/maintenance", False),
        ("^refs/heads/main$", MAIN, True),
        ("^main", MAIN, False),
        ("^$", "", True),
        ("^$", "x", False),
        ("refs/heads/release%-%d+%.%d+$", "refs/heads/release-1.20", True),
        ("refs/heads/release%-%d+%.%d+$", "refs/heads/release-1.x", False),
        ("^refs/tags/v[%d.]+$", "refs/tags/v1.2.3", True),
        ("^refs/tags/v[%d.]+$", "refs/tags/v1.2.3-rc", False),
        ("v[^%a]", "v1", True),
        ("v[^%a]$", "va", False),
        ("^[%D]$", "5", False),
        ("^[%D]$", "D", True),
        ("^[%W_]+$", "_-.", True),
        ("^%S+$", "a b", False),
        ("[]]", "]", True),
        ("^[^]]$", "]", False),
        ("[a-]", "-", True),
        ("^[a-c]+$", "abc", True),
        ("^[a-c]+$", "abd", False),
        ("^[%a-z]+$", "a-z", True),  # after a class, - is itself
        ("^a.c$", "abc", True),
        ("^ab?c$", "ac", True),
        ("^ab?c$", "abbc", False),
        ("^ab*c$", "abbbc", True),
        ("^ab-c$", "abbbc", True),
        ("^ab+c$", "ac", False),
        ("^(a)(b)$", "ab", True),
        ("^(a)+$", "a+", True),  # a quantifier after a capture is a plain character
        ("^(a)+$", "aa", False),
        ("a**", "*", True),
        ("^*a$", "*a", True),
        ("$a", "$a", True),
        ("a$b", "a$b", True),
        ("a^b", "a^b", True),
        ("%.", "a", False),
        ("%$", "$", True),
        ("^%u%l%d%s%x%p%c%w$", "Aa1 f.\x01z", True),
        ("^%w$", "é", False),
        ("main|dev", "main", False),  # Lua knows no alternatives
        ("a{2}", "aa", False),
        ("\\d", "1", False),
    ],
)
def test_patterns_match_as_in_lua(pattern: str, text: str, expected: bool) -> None:
    assert find(pattern, text) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        *("[a", "[", "[]", "[^]", "[%", "a%", "(", "a)", "(a", "())(", "%bxy", "%f[a]", "%1", "%z"),
        *("a" * (LIMIT + 1), "()" * (CAPTURES + 1)),
    ],
)
def test_what_is_no_pattern_is_told(pattern: str) -> None:
    with pytest.raises(PatternError) as error:
        compiled(pattern)
    assert str(error.value)


@pytest.mark.parametrize(
    "pattern",
    ["a*" * 127 + "b", "a-" * 127 + "b", ".-" * 127 + "b", "(a*)" * 32 + "b", "a?" * 64 + "a" * 64, "a+" * 128],
)
def test_no_pattern_takes_long(pattern: str) -> None:
    began = time.process_time()
    find(pattern, "a" * 4096)
    assert time.process_time() - began < 1


PIECES = st.sampled_from([*"ab/.^$*+-?()[]%", "%a", "%d", "%D", "[a-b]", "[^a]", "[%a]", ".-"])


@given(st.lists(PIECES, max_size=20).map("".join) | st.text(max_size=20), st.text("ab/1-", max_size=30))
def test_any_pattern_matches_or_is_refused(pattern: str, text: str) -> None:
    try:
        matched = find(pattern, text)
    except PatternError:
        return
    if not pattern.startswith("^"):
        assert find(pattern, text + "a") >= matched or pattern.endswith("$")
        assert find(pattern, "a" + text) >= matched, "what occurs in a text occurs in a longer one"


SIMPLE = st.lists(
    st.tuples(
        st.sampled_from([("a", "a"), ("b", "b"), (".", "."), ("%d", "[0-9]"), ("[^a]", "[^a]")]),
        st.sampled_from("*+-? "),
    ),
    max_size=5,
)


@given(SIMPLE, st.booleans(), st.booleans(), st.text("ab1", max_size=8))
def test_simple_patterns_agree_with_regular_expressions(
    items: list[tuple[tuple[str, str], str]], start: bool, end: bool, text: str
) -> None:
    lua = "^" * start + "".join(item[0] + sign.strip() for item, sign in items) + "$" * end
    regular = "^" * start + "".join(item[1] + {"-": "*?", " ": ""}.get(sign, sign) for item, sign in items)
    expected = re.search(regular + r"\Z" * end, text, re.DOTALL) is not None
    assert find(lua, text) is expected
