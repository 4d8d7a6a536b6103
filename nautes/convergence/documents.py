"""YAML of people into plain objects, within limits. Called by nautes/convergence/manifests.py.

Built from parser events in one loop: no recursion (deep nesting cannot exhaust a stack) and every alias is paid for at its
full size (an alias bomb stops at the limit). Scalars follow what Kubernetes' own tools read: YAML 1.1 booleans and
octals, but neither dates nor base-60 numbers.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

DOCUMENTS = 2_000  # in one file
DEPTH = 64
NODES = 200_000  # in one file, aliases counted at their full size
ALIASES = 200  # in one file

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STARTS = frozenset("~nNtTfFyYoO0123456789+-.")
_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)$")
_OTHER_BASE = re.compile(r"[-+]?0(?:b[01_]+|o?[0-7_]+|x[0-9a-fA-F_]+)$")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$")
_TAG = "tag:yaml.org,2002:"


class Malformed(ValueError):
    """A file that is no YAML or exceeds a limit; line and column count from 1."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


@dataclass(slots=True)
class _Open:
    """A mapping or sequence that is being read."""

    value: Any
    anchor: str | None
    before: int  # nodes counted when it began
    key: Any = None
    keyed: bool = False
    merges: list[Any] = field(default_factory=list)


def read(data: bytes) -> Iterator[Any]:
    """The documents of a file, one by one. Raises Malformed."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Malformed("the file is not UTF-8") from None
    return _Reader().documents(text)


def read_json(data: bytes) -> Iterator[Any]:
    """The one document of a JSON file. Raises Malformed."""
    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise Malformed("the file is not UTF-8") from None
    except RecursionError:
        raise Malformed(f"nested deeper than {DEPTH}") from None
    except json.JSONDecodeError as error:
        raise Malformed(error.msg, error.lineno, error.colno) from None
    except Malformed:
        raise
    except ValueError:  # a number of thousands of digits
        raise Malformed("a number is too long") from None
    if _deeper(value, DEPTH):
        raise Malformed(f"nested deeper than {DEPTH}")
    yield value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise Malformed(f"duplicate key {key[:100]!r}")
        found[key] = value
    return found


def _no_constant(name: str) -> Any:
    raise Malformed(f"{name} is not a number that Kubernetes takes")


def _deeper(value: Any, depth: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth < 0 or any(_deeper(each, depth - 1) for each in inner)


class _Reader:
    """State of one file."""

    def __init__(self) -> None:
        self._nodes = self._aliases = 0
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._stack: list[_Open] = []
        self._root: Any = None

    def documents(self, text: str) -> Iterator[Any]:
        found = 0
        try:
            for event in yaml.parse(text, Loader=_Loader):
                kind = type(event)
                if kind is yaml.ScalarEvent:
                    self._scalar(event)
                elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                    self._open(event, {} if kind is yaml.MappingStartEvent else [])
                elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                    self._close(event)
                elif kind is yaml.AliasEvent:
                    self._alias(event)
                elif kind is yaml.DocumentEndEvent:
                    found += 1
                    if found > DOCUMENTS:
                        raise _at(event, f"more than {DOCUMENTS} documents in one file")
                    yield self._root
                    self._root = None
                    self._anchors.clear()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            place = (mark.line + 1, mark.column + 1) if mark else (None, None)
            raise Malformed(str(error.problem or error.context or "not YAML"), *place) from None
        except yaml.YAMLError as error:  # characters that YAML forbids
            raise Malformed(f"not YAML: {getattr(error, 'reason', 'unreadable')}") from None

    def _count(self, event: Any, nodes: int = 1) -> None:
        self._nodes += nodes
        if self._nodes > NODES:
            raise _at(event, f"more than {NODES} values in one file")

    def _scalar(self, event: Any) -> None:
        self._count(event)
        top = self._stack[-1] if self._stack else None
        if top is not None and not top.keyed and type(top.value) is dict:
            merge = event.value == "<<" and event.implicit[0]
            self._key(event, top, None if merge else event.value)
            return
        value = _plain(event.value) if event.implicit[0] else _tagged(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._add(event, value)

    def _key(self, event: Any, top: _Open, key: str | None) -> None:
        """`None` is the merge key."""
        if key is not None and key in top.value:
            raise _at(event, f"duplicate key {key[:100]!r}")
        top.key, top.keyed = key, True

    def _open(self, event: Any, value: Any) -> None:
        self._count(event)
        top = self._stack[-1] if self._stack else None
        if len(self._stack) >= DEPTH:
            raise _at(event, f"nested deeper than {DEPTH}")
        if top is not None and not top.keyed and type(top.value) is dict:
            raise _at(event, "a key must be a plain value")
        if event.tag and event.tag not in (_TAG + "map", _TAG + "seq"):
            raise _at(event, f"unknown tag {event.tag[:100]!r}")
        self._stack.append(_Open(value, event.anchor, self._nodes))

    def _close(self, event: Any) -> None:
        done = self._stack.pop()
        for merged in done.merges:
            for source in merged if isinstance(merged, list) else [merged]:
                if not isinstance(source, dict):
                    raise _at(event, "only mappings can be merged with <<")
                done.value.update({key: value for key, value in source.items() if key not in done.value})
        if done.anchor:
            self._anchors[done.anchor] = (done.value, self._nodes - done.before + 1)
        self._add(event, done.value)

    def _alias(self, event: Any) -> None:
        self._aliases += 1
        if self._aliases > ALIASES:
            raise _at(event, f"more than {ALIASES} aliases in one file")
        if event.anchor not in self._anchors:  # also an alias to the node it stands in
            raise _at(event, f"unknown alias {event.anchor[:100]!r}")
        value, nodes = self._anchors[event.anchor]
        self._count(event, nodes)
        top = self._stack[-1] if self._stack else None
        if top is not None and not top.keyed and type(top.value) is dict:
            raise _at(event, "a key must be a plain value")
        self._add(event, value)

    def _add(self, event: Any, value: Any) -> None:
        if not self._stack:
            self._root = value
            return
        top = self._stack[-1]
        if type(top.value) is list:
            top.value.append(value)
        elif top.key is None:
            top.merges.append(value)
            top.keyed = False
        else:
            top.value[top.key] = value
            top.keyed = False


def _at(event: Any, message: str) -> Malformed:
    return Malformed(message, event.start_mark.line + 1, event.start_mark.column + 1)


def _plain(text: str) -> Any:
    """A scalar without quotes or tag."""
    if text and text[0] not in _STARTS:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) > 100 or text[0] in "~nNtTfFyYoO":
        return text
    if _DECIMAL.match(text):
        return int(text.replace("_", ""))
    if _OTHER_BASE.match(text):
        return _based(text.replace("_", ""))
    if _FLOAT.match(text) and math.isfinite(number := float(text.replace("_", ""))):
        return number
    return text


def _based(text: str) -> Any:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-").lower()
    base = {"b": 2, "o": 8, "x": 16}.get(digits[1:2], 8)
    try:
        return sign * int(digits[2:] if digits[1:2] in "box" else digits, base)
    except ValueError:
        return text


def _tagged(event: Any) -> Any:
    """A quoted scalar, or one with an explicit tag."""
    tag = event.tag
    if tag is None or tag in ("!", _TAG + "str"):
        return event.value
    if tag == _TAG + "binary":
        try:
            return base64.b64encode(base64.b64decode(event.value)).decode()
        except (binascii.Error, ValueError):
            raise _at(event, "not base64") from None
    if tag in (_TAG + "int", _TAG + "float", _TAG + "bool", _TAG + "null"):
        return _plain(event.value)
    raise _at(event, f"unknown tag {tag[:100]!r}")
