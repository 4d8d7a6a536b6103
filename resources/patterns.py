"""Lua patterns of `eventSources[].gitlab.revision`, as the original system matches them: unanchored, on the full ref.

Used by the rule that checks a pattern and by the pipelines that match events. The subset without `%b` and `%f`, which
have no meaning for a ref.
"""

from __future__ import annotations

import re
from functools import lru_cache

_CLASSES = {
    "a": "A-Za-z",
    "d": "0-9",
    "l": "a-z",
    "s": r"\s",
    "u": "A-Z",
    "w": "A-Za-z0-9",
    "x": "A-Fa-f0-9",
    "p": re.escape("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    "c": r"\x00-\x1f\x7f",
}
LIMIT = 256  # characters of a pattern: matching may take time that grows with it


class PatternError(ValueError):
    """Not a Lua pattern of the subset; the text says where and why."""


def find(pattern: str, text: str) -> bool:
    """Whether `pattern` occurs anywhere in `text` (Lua's `string.match`). Raises `PatternError`."""
    return compiled(pattern).search(text) is not None


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression. Raises `PatternError`."""
    if len(pattern) > LIMIT:
        raise PatternError(f"longer than {LIMIT} characters")
    try:
        return re.compile("".join(_translate(pattern)), re.DOTALL)
    except re.error as error:
        raise PatternError(str(error)) from error


def _translate(pattern: str) -> list[str]:
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "^" and position == 0:
            parts.append("^")
            position += 1
        elif character == "$" and position == len(pattern) - 1:
            parts.append(r"\Z")
            position += 1
        elif character in "()":
            parts.append(character)
            position += 1
        else:
            item, position = _single(pattern, position)
            quantifier = pattern[position] if position < len(pattern) and pattern[position] in "*+-?" else ""
            parts.append(item + {"-": "*?"}.get(quantifier, quantifier))
            position += len(quantifier)
    return parts


def _single(pattern: str, position: int) -> tuple[str, int]:
    """One item: a character, a class `%d` or a set `[...]`, and where it ends."""
    character = pattern[position]
    if character == ".":
        return ".", position + 1
    if character == "%":
        if position + 1 >= len(pattern):
            raise PatternError("ends with %")
        return _escaped(pattern[position + 1]), position + 2
    if character == "[":
        return _set(pattern, position)
    return re.escape(character), position + 1


def _escaped(character: str) -> str:
    if character.lower() in _CLASSES:
        return f"[{'^' if character.isupper() else ''}{_CLASSES[character.lower()]}]"
    if character.isalnum():
        raise PatternError(f"%{character} is not supported")
    return re.escape(character)


def _set(pattern: str, start: int) -> tuple[str, int]:
    position = start + 1
    negated = pattern.startswith("^", position)
    position += negated
    parts: list[str] = []
    while position < len(pattern) and (pattern[position] != "]" or not parts):
        character = pattern[position]
        if character == "%" and position + 1 < len(pattern):
            escaped = pattern[position + 1]
            parts.append(_CLASSES.get(escaped, re.escape(escaped)))
            position += 2
        else:
            parts.append(character if character == "-" else re.escape(character))
            position += 1
    if position >= len(pattern):
        raise PatternError("a set [ is not closed")
    return f"[{'^' if negated else ''}{''.join(parts)}]", position + 1
