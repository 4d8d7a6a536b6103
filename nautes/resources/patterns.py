"""Lua patterns of `eventSources[].gitlab.revision`, as the original system matches them: unanchored, on the full ref.

Used by the rule that checks a pattern and by the pipelines that match events. The subset without `%b`, `%f` and back
references, which have no meaning for a ref. All matches of a pattern are followed at once, character by character: however
nested a tenant's pattern is, the time is at most (length of the pattern) times (length of the ref).
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

Characters = Callable[[str], bool]

_CLASSES: dict[str, frozenset[str]] = {
    "a": frozenset(string.ascii_letters),
    "c": frozenset(map(chr, [*range(0x20), 0x7F])),
    "d": frozenset(string.digits),
    "l": frozenset(string.ascii_lowercase),
    "p": frozenset(string.punctuation),
    "s": frozenset(string.whitespace),
    "u": frozenset(string.ascii_uppercase),
    "w": frozenset(string.ascii_letters + string.digits),
    "x": frozenset(string.hexdigits),
}
LIMIT = 256  # characters of a pattern
CAPTURES = 32  # as in Lua


class PatternError(ValueError):
    """Not a Lua pattern of the subset; the message gives the reason."""


@dataclass(frozen=True)
class _Item:
    """One step: `skip` may be left out, `stay` may match again."""

    characters: Characters
    skip: bool = False
    stay: bool = False


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern; states are bits, bit i = "the first i items have matched"."""

    items: tuple[_Item, ...]
    at_start: bool
    at_end: bool

    def search(self, text: str) -> bool:
        """Whether it occurs anywhere in `text`."""
        skip = sum(1 << index for index, item in enumerate(self.items) if item.skip)
        stay = sum(1 << index for index, item in enumerate(self.items) if item.stay)
        done, matching = 1 << len(self.items), dict[str, int]()
        states = _skipped(1, skip)
        for character in text:
            if states & done and not self.at_end:
                return True
            if character not in matching:
                found = (index for index, item in enumerate(self.items) if item.characters(character))
                matching[character] = sum(1 << index for index in found)
            hit = states & matching[character]
            states = _skipped((hit & ~stay) << 1 | hit & stay | (not self.at_start), skip)
        return bool(states & done)


def find(pattern: str, text: str) -> bool:
    """Whether `pattern` occurs anywhere in `text` (Lua's `string.match`). Raises `PatternError`."""
    return compiled(pattern).search(text)


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Pattern:
    """The pattern, ready to search. Raises `PatternError`."""
    if len(pattern) > LIMIT:
        raise PatternError(f"longer than {LIMIT} characters")
    items: list[_Item] = []
    position = start = int(pattern.startswith("^"))
    at_end, depth, captures = False, 0, 0
    while position < len(pattern):
        character = pattern[position]
        if character == "$" and position == len(pattern) - 1:
            at_end = True
            position += 1
        elif character in "()":
            depth += 1 if character == "(" else -1
            captures += character == "("
            if depth < 0 or captures > CAPTURES:
                raise PatternError("a capture ) is not open" if depth < 0 else "too many captures")
            position += 1
        else:
            characters, position = _single(pattern, position)
            quantifier = pattern[position] if position < len(pattern) and pattern[position] in "*+-?" else ""
            items += _quantified(characters, quantifier)
            position += len(quantifier)
    if depth:
        raise PatternError("a capture ( is not closed")
    return Pattern(tuple(items), bool(start), at_end)


def _skipped(states: int, skip: int) -> int:
    """The states and those reached from them without a character."""
    while (more := states | (states & skip) << 1) != states:
        states = more
    return states


def _quantified(characters: Characters, quantifier: str) -> list[_Item]:
    many = _Item(characters, skip=True, stay=True)
    if quantifier == "+":
        return [_Item(characters), many]
    if quantifier and quantifier in "*-":  # greedy or not makes no difference to whether it matches
        return [many]
    return [_Item(characters, skip=quantifier == "?")]


def _single(pattern: str, position: int) -> tuple[Characters, int]:
    """One item: a character, a class `%d` or a set `[...]`, and where it ends."""
    character = pattern[position]
    if character == ".":
        return lambda _: True, position + 1
    if character == "%":
        return _escaped(pattern[position + 1 : position + 2]), position + 2
    if character == "[":
        return _set(pattern, position)
    return character.__eq__, position + 1


def _escaped(character: str) -> Characters:
    if not character:
        raise PatternError("ends with %")
    known = _CLASSES.get(character.lower())
    if known is not None:
        return (lambda each: each not in known) if character.isupper() else known.__contains__
    if character.isalnum():
        raise PatternError(f"%{character} is not supported")
    return character.__eq__


def _set(pattern: str, start: int) -> tuple[Characters, int]:
    position = start + 1
    negated = pattern.startswith("^", position)
    position += negated
    parts: list[Characters] = []
    while position < len(pattern) and (pattern[position] != "]" or not parts):
        if pattern[position] == "%":
            parts.append(_escaped(pattern[position + 1 : position + 2]))
            position += 2
        elif pattern[position + 1 : position + 2] == "-" and pattern[position + 2 : position + 3] not in ("", "]"):
            parts.append(_between(pattern[position], pattern[position + 2]))
            position += 3
        else:
            parts.append(pattern[position].__eq__)
            position += 1
    if position >= len(pattern):
        raise PatternError("a set [ is not closed")
    return lambda each: any(part(each) for part in parts) != negated, position + 1


def _between(first: str, last: str) -> Characters:
    return lambda each: first <= each <= last
