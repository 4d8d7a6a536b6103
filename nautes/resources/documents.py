"""Reads YAML into plain data, within limits, with the position of each error. The only reader of YAML.

`documents` is strict and returns findings: declarations (manifest.py, stored.py, the API and the command line). `read` and
`read_json` accept what Kubernetes' tools accept and raise Malformed: manifests, pipeline files, kubeconfigs.
One loop over parser events: no recursion, and every alias counts at its full size.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from nautes.resources.findings import Finding
from nautes.resources.scalars import is_number, scalar

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
QUOTED = 100  # characters of a text that a message quotes
FINDINGS = 100  # of one text: a hostile one has tens of thousands
_TAG = "tag:yaml.org,2002:"
_TEXTS = (None, "!", f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value")  # dates and "=" are texts to Kubernetes
_TYPES: dict[str, tuple[type, ...]] = {
    f"{_TAG}int": (int,),
    f"{_TAG}float": (float, int),
    f"{_TAG}bool": (bool,),
    f"{_TAG}null": (type(None),),
}
Position = tuple[int, int]  # line and column, from 1


@dataclass(frozen=True)
class Limits:
    """Caps that keep a hostile file cheap. `nodes` counts aliases at their full size."""

    size: int = 1 << 20  # bytes
    documents: int = 500
    depth: int = 64
    nodes: int = 100_000
    aliases: int = 50
    key: int = 1_024  # characters


KUBERNETES = Limits(size=64 << 20, documents=2_000, nodes=200_000, aliases=200)


class Malformed(ValueError):
    """A file that is no YAML or exceeds a limit; line and column count from 1."""

    def __init__(
        self, message: str, line: int | None = None, column: int | None = None, rule: str = "yaml-syntax"
    ) -> None:
        super().__init__(message)
        self.message, self.line, self.column, self.rule = message, line, column, rule


@dataclass(slots=True, frozen=True)
class _Place:
    """The position of a value, and the positions of the values in it."""

    line: int
    column: int
    inner: dict[str, _Place] | list[_Place] | None = None

    def below(self, part: str) -> _Place | None:
        if isinstance(self.inner, list):
            index = int(part) if part.isdecimal() and len(part) < 10 else len(self.inner)
            return self.inner[index] if index < len(self.inner) else None
        return (self.inner or {}).get(part)


NOWHERE = _Place(1, 1)


@dataclass(frozen=True)
class Document:
    """One YAML document: its data, and where each JSON pointer lies in the source."""

    data: Any
    place: _Place = NOWHERE

    @property
    def line(self) -> int:
        """Where the document begins."""
        return self.place.line

    def position(self, pointer: str) -> Position:
        """Line and column of a pointer, or of the nearest parent that is there."""
        place = self._found(pointer)[0]
        return place.line, place.column

    def holds(self, pointer: str) -> bool:
        """Whether there is a value at a pointer."""
        return not self._found(pointer)[1]

    def _found(self, pointer: str) -> tuple[_Place, list[str]]:
        place, parts = self.place, pointer.split("/")[1:]
        while parts and (inner := place.below(parts[0].replace("~1", "/").replace("~0", "~"))):
            place = inner
            del parts[0]
        return place, parts


@dataclass(slots=True)
class _Open:
    """A mapping or sequence that is being read."""

    value: Any
    event: Any  # that began it
    inner: Any  # the places of what is in it
    before: int  # nodes counted when it began
    height: int = 1  # levels, itself included
    key: str | None = None  # None is the merge key
    key_at: Any = None  # its event, once there is one that waits for its value
    merges: list[Any] = field(default_factory=list)


def documents(
    text: str | bytes, source: str = "", limits: Limits | None = None
) -> tuple[list[Document], list[Finding]]:
    """Every document of `text`; findings for what could not be read. JSON is YAML and accepted too. Never raises."""
    reader = _Reader(limits or Limits(), kubernetes=False)
    found: list[Document] = []
    try:
        for data, place in reader.documents(text, source or "the text"):
            if data is not None or reader.findings:
                found.append(Document(data, place))
    except Malformed as error:
        reader.findings.append(_finding(error))
    return found, reader.findings


def read(data: bytes) -> Iterator[Any]:
    """The documents of a file as Kubernetes' tools read them, one by one. Raises Malformed."""
    return (each for each, _ in _Reader(KUBERNETES, kubernetes=True).documents(data, "the file"))


def read_json(data: bytes) -> Iterator[Any]:
    """The one document of a JSON file. Raises Malformed."""
    try:
        value = json.loads(_decoded(data, "the file"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise Malformed(f"nested deeper than {KUBERNETES.depth}") from None
    except json.JSONDecodeError as error:
        raise Malformed(error.msg, error.lineno, error.colno) from None
    except Malformed:
        raise
    except ValueError:  # a number of thousands of digits
        raise Malformed("a number is too long") from None
    if _deeper(value, KUBERNETES.depth):
        raise Malformed(f"nested deeper than {KUBERNETES.depth}")
    yield value


def pointer_of(*parts: str) -> str:
    """The JSON pointer of these parts (RFC 6901)."""
    return "".join(f"/{each.replace('~', '~0').replace('/', '~1')}" for each in parts)


def shortened(text: str) -> str:
    """A text of a manifest, shortened so that a message may quote it."""
    return repr(text if len(text) <= QUOTED else f"{text[:QUOTED]}...")


def _finding(error: Malformed, pointer: str = "") -> Finding:
    line, column = error.line or 1, error.column or 1
    return Finding(rule=error.rule, message=error.message, pointer=pointer, line=line, column=column)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise Malformed(f"the key {shortened(key)} is declared here twice")
        found[key] = value
    return found


def _no_constant(name: str) -> Any:
    raise Malformed(f"{name} is not a number that Kubernetes takes")


def _deeper(value: Any, depth: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth < 0 or any(_deeper(each, depth - 1) for each in inner)


def _decoded(text: str | bytes, what: str) -> str:
    try:
        return (text.decode() if isinstance(text, bytes) else text).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise Malformed(f"{what} is not UTF-8", rule="yaml-encoding") from None


def _larger(text: str | bytes, size: int) -> bool:
    if len(text) > size or isinstance(text, bytes):
        return len(text) > size
    return len(text.encode("utf-8", "surrogatepass")) > size


def _copy(value: Any) -> Any:
    """A copy of the value that an alias names: a change of one must not change the other."""
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value


class _Reader:
    """State of one text. In strict mode an error in one value becomes a finding; in Kubernetes' mode it is raised."""

    def __init__(self, limits: Limits, *, kubernetes: bool) -> None:
        self.findings: list[Finding] = []
        self._limits = limits
        self._kubernetes = kubernetes
        self._nodes = self._aliases = 0
        self._anchors: dict[str, tuple[Any, int, int]] = {}  # value, nodes, height
        self._stack: list[_Open] = []
        self._root: tuple[Any, _Place] = None, NOWHERE

    def documents(self, text: str | bytes, what: str) -> Iterator[tuple[Any, _Place]]:
        """Data and places, document by document. Raises Malformed."""
        if _larger(text, self._limits.size):
            raise Malformed(f"{what} is larger than {self._limits.size} bytes", rule="yaml-size")
        text = _decoded(text, what)
        try:
            yield from self._documents(text)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = (mark.line + 1, mark.column + 1) if mark else (None, None)
            raise Malformed(str(error.problem or error.context or "not YAML"), *place) from None
        except (yaml.YAMLError, UnicodeError) as error:  # characters that YAML forbids
            raise Malformed(f"not YAML: {getattr(error, 'reason', 'unreadable')}") from None

    def _documents(self, text: str) -> Iterator[tuple[Any, _Place]]:
        found = 0
        for event in yaml.parse(text, Loader=LOADER):
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._open(event, {} if kind is yaml.MappingStartEvent else [])
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._close(event)
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                found += 1
                if found > self._limits.documents:
                    raise _at(event, "yaml-documents", f"more than {self._limits.documents} documents in one file")
            elif kind is yaml.DocumentEndEvent:
                yield self._root
                self._anchors.clear()

    def _count(self, event: Any, rule: str, nodes: int = 1) -> None:
        self._nodes += nodes
        if self._nodes > self._limits.nodes:
            what = "aliases unfold to more" if rule == "yaml-aliases" else "more"
            raise _at(event, rule, f"{what} than {self._limits.nodes} values in one file")

    def _awaits_key(self) -> _Open | None:
        """The mapping whose next key is due."""
        top = self._stack[-1] if self._stack else None
        return top if top and top.key_at is None and type(top.value) is dict else None

    def _scalar(self, event: Any) -> None:
        self._count(event, "yaml-nodes")
        top = self._awaits_key()
        if top:
            self._key(event, top)
            return
        value = self._value(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1, 0)
        self._add(event, value)

    def _key(self, event: Any, top: _Open) -> None:
        key = event.value
        if len(key) > self._limits.key:
            raise _at(event, "yaml-key", f"a key is longer than {self._limits.key} characters")
        if event.anchor:
            self._anchors[event.anchor] = (key, 1, 0)
        top.key, top.key_at = key, event
        if self._kubernetes and key == "<<" and event.implicit[0]:
            top.key = None
        elif key in top.value:
            self._wrong(event, "yaml-duplicate-key", f"the key {shortened(key)} is declared here twice")

    def _open(self, event: Any, value: Any) -> None:
        self._count(event, "yaml-nodes")
        if len(self._stack) >= self._limits.depth:
            raise _at(event, "yaml-depth", f"nested deeper than {self._limits.depth}")
        if self._awaits_key():
            raise _at(event, "yaml-key", "a key must be a plain value")
        if event.tag not in (None, "!", f"{_TAG}map", f"{_TAG}seq"):
            self._wrong(event, "yaml-value", f"unknown tag {shortened(event.tag)}")
        inner: Any = {} if type(value) is dict else []
        self._stack.append(_Open(value, event, inner, self._nodes))

    def _close(self, event: Any) -> None:
        done = self._stack.pop()
        for merged in done.merges:
            for source in merged if isinstance(merged, list) else [merged]:
                if not isinstance(source, dict):
                    raise _at(event, "yaml-value", "only mappings can be merged with <<")
                done.value.update({key: value for key, value in source.items() if key not in done.value})
        if done.event.anchor:
            self._anchors[done.event.anchor] = (done.value, self._nodes - done.before + 1, done.height)
        self._add(done.event, done.value, done.height, done.inner)

    def _alias(self, event: Any) -> None:
        self._aliases += 1
        if self._aliases > self._limits.aliases:
            raise _at(event, "yaml-aliases", f"more than {self._limits.aliases} aliases in one file")
        if self._awaits_key():
            raise _at(event, "yaml-key", "a key must be a plain value")
        for each in self._stack:
            if each.event.anchor == event.anchor:
                text = f"unknown alias {shortened(event.anchor)}: it is used inside the value that it names"
                raise _at(each.event, "yaml-depth", text)
        if event.anchor not in self._anchors:
            raise _at(event, "yaml-syntax", f"unknown alias {shortened(event.anchor)}")
        value, nodes, height = self._anchors[event.anchor]
        self._count(event, "yaml-aliases", nodes)
        if len(self._stack) + height > self._limits.depth:
            raise _at(event, "yaml-depth", f"nested deeper than {self._limits.depth}")
        self._add(event, _copy(value), height)

    def _add(self, event: Any, value: Any, height: int = 0, inner: Any = None) -> None:
        """Add a complete value to the mapping or sequence around it; the value has `height` levels, and `places` of its parts."""
        if not self._stack:
            self._root = value, self._place(event, inner)
            return
        top = self._stack[-1]
        if height >= top.height:
            top.height = height + 1
        if type(top.value) is list:
            top.value.append(value)
            if not self._kubernetes:
                top.inner.append(self._place(event, inner))
            return
        if top.key is None:
            top.merges.append(value)
        else:
            top.value[top.key] = value
            if not self._kubernetes:
                top.inner[top.key] = self._place(top.key_at, inner)  # the key's position: that is where people look
        top.key_at = None

    def _place(self, event: Any, inner: Any) -> _Place:
        mark = event.start_mark
        return _Place(mark.line + 1, mark.column + 1, inner)

    def _value(self, event: Any) -> Any:
        if event.implicit[0] and event.tag is None:
            value = scalar(event.value)
            return value if self._fits(value) else self._wrong(event, "yaml-value", "this number is too large")
        if event.tag in _TEXTS:
            return event.value
        return self._tagged(event, event.tag)

    def _tagged(self, event: Any, tag: str) -> Any:
        if tag in _TYPES:
            value = scalar(event.value)
            if type(value) in _TYPES[tag] and self._fits(value):
                return value
            return self._wrong(event, "yaml-value", f"this is no value of the type {shortened(tag.removeprefix(_TAG))}")
        if tag == f"{_TAG}binary" and self._kubernetes:
            try:
                return base64.b64encode(base64.b64decode(event.value)).decode()
            except (binascii.Error, ValueError):
                return self._wrong(event, "yaml-value", "not base64")
        return self._wrong(event, "yaml-value", f"unknown tag {shortened(tag)}")

    def _fits(self, value: Any) -> bool:
        """Whether JSON can hold a value; in strict mode numbers must also fit into 64 bits."""
        if isinstance(value, str):
            return self._kubernetes or not is_number(value)
        if isinstance(value, float):
            return math.isfinite(value)
        return self._kubernetes or value is None or value.bit_length() <= 64

    def _wrong(self, event: Any, rule: str, message: str) -> None:
        """An error in one value: in strict mode the reader records a finding, uses None and goes on."""
        error = _at(event, rule, message)
        if self._kubernetes or len(self.findings) >= FINDINGS:
            raise error
        self.findings.append(_finding(error, self._pointer()))

    def _pointer(self) -> str:
        parts = [str(len(each.value)) if type(each.value) is list else each.key or "" for each in self._stack]
        return pointer_of(*parts)


def _at(event: Any, rule: str, message: str) -> Malformed:
    return Malformed(message, event.start_mark.line + 1, event.start_mark.column + 1, rule)
