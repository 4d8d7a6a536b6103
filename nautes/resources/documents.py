"""Strict YAML: text to documents with positions, and everything wrong with it as findings. Never raises on any input.

Used by nautes/resources/manifest.py for what people send and by nautes/resources/stored.py for what Git holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from nautes.resources.findings import Finding

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TEXTS = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")  # dates and "=": texts to all who write manifests
BREAKS = frozenset("\x85\u2028\u2029")
QUOTED = 100  # characters of a text that a message quotes
Position = tuple[int, int]  # line and column, from 1


@dataclass(frozen=True)
class Limits:
    """Caps that keep a hostile file cheap."""

    size: int = 1 << 20  # bytes
    documents: int = 500
    depth: int = 64
    nodes: int = 100_000
    aliases: int = 50


@dataclass(frozen=True)
class Document:
    """One YAML document: its data, and where each JSON pointer lies in the source."""

    data: Any
    source: str
    line: int
    positions: dict[str, Position] = field(default_factory=dict)

    def position(self, pointer: str) -> Position:
        """Line and column of a pointer, or of the nearest parent that is there."""
        while pointer and pointer not in self.positions:
            pointer = pointer.rpartition("/")[0]
        return self.positions.get(pointer, (self.line, 1))


def documents(
    text: str | bytes, source: str = "", limits: Limits | None = None
) -> tuple[list[Document], list[Finding]]:
    """Every document of `text`; findings for what could not be read. JSON is YAML and is taken too."""
    limits = limits or Limits()
    if _larger(text, limits.size):
        return [], [_finding("yaml-size", f"{source or 'the text'} is larger than {limits.size} bytes", 1, 1)]
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError:
            return [], [_finding("yaml-encoding", "the text is not UTF-8", 1, 1)]
    found: list[Document] = []
    findings: list[Finding] = []
    try:
        for node in _compose(text, limits):
            if len(found) >= limits.documents:
                findings.append(_finding("yaml-documents", f"more than {limits.documents} documents", 1, 1))
                break
            document, wrong = _document(node, source, limits)
            findings += wrong
            if document is not None:
                found.append(document)
    except _TooMuchError as error:
        findings.append(error.finding)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        findings.append(_finding("yaml-syntax", error.problem or "not YAML", line, column))
    except (yaml.YAMLError, ValueError) as error:
        findings.append(_finding("yaml-syntax", (str(error).splitlines() or [""])[0][:200] or "not YAML", 1, 1))
    return found, findings


def text_of(data: Any) -> str:
    """YAML that reads back as the same data; mappings are sorted, so that equal data are equal texts."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=True, allow_unicode=True)


def shortened(text: str) -> str:
    """A text of somebody's manifest as a message may quote it."""
    return repr(text if len(text) <= QUOTED else f"{text[:QUOTED]}...")


def _larger(text: str | bytes, size: int) -> bool:
    if len(text) > size or isinstance(text, bytes):
        return len(text) > size
    return len(text.encode("utf-8", "surrogatepass")) > size


def pointer_of(*parts: str) -> str:
    """The JSON pointer of these parts (RFC 6901)."""
    return "".join(f"/{each.replace('~', '~0').replace('/', '~1')}" for each in parts)


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.1 takes for line breaks: PyYAML writes them bare and reads a space."""

    def represent_text(self, text: str) -> yaml.Node:
        """A text, quoted where it must be."""
        return self.represent_scalar("tag:yaml.org,2002:str", text, style='"' if BREAKS & set(text) else None)


_Dumper.add_representer(str, _Dumper.represent_text)


class _TooMuchError(Exception):
    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.message)


def _finding(rule: str, message: str, line: int, column: int, pointer: str = "", hint: str = "") -> Finding:
    return Finding(rule=rule, message=message, pointer=pointer, hint=hint, line=line, column=column)


def _compose(text: str, limits: Limits) -> Iterator[yaml.Node]:
    """Nodes of the documents, after counting events: an alias bomb is refused before anything is built from it."""
    depth = nodes = aliases = 0
    for event in yaml.parse(text, Loader=LOADER):
        mark = event.start_mark
        assert mark is not None  # noqa: S101 - every event of a parser has one
        if isinstance(event, yaml.AliasEvent):
            aliases += 1
            if aliases > limits.aliases:
                raise _TooMuchError(
                    _finding("yaml-aliases", f"more than {limits.aliases} aliases", mark.line + 1, mark.column + 1)
                )
        elif isinstance(event, yaml.NodeEvent):
            nodes += 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > limits.depth or nodes > limits.nodes:
            rule, what = (
                ("yaml-depth", "nested too deep") if depth > limits.depth else ("yaml-nodes", "too many values")
            )
            raise _TooMuchError(_finding(rule, what, mark.line + 1, mark.column + 1))
    yield from (node for node in yaml.compose_all(text, Loader=LOADER) if node is not None)


def _document(node: yaml.Node, source: str, limits: Limits) -> tuple[Document | None, list[Finding]]:
    reader = _Reader(limits)
    data = reader.read(node, "")
    line = node.start_mark.line + 1
    if data is None and not reader.findings:
        return None, []
    return Document(data, source, line, reader.positions), reader.findings


def _is_plain(value: Any) -> bool:
    """Whether JSON and our messages can carry a value: integers up to 64 bits, no infinity."""
    if isinstance(value, int):
        return value.bit_length() <= 64
    return value is None or isinstance(value, str) or (isinstance(value, float) and math.isfinite(value))


class _Reader:
    """Builds plain data from nodes, noting positions and duplicate keys. The limits hold for what aliases unfold to."""

    def __init__(self, limits: Limits) -> None:
        self.positions: dict[str, Position] = {}
        self.findings: list[Finding] = []
        self._budget = limits.nodes
        self._depth = limits.depth
        self._scalars = LOADER("")

    def read(self, node: yaml.Node, pointer: str, depth: int = 0) -> Any:
        mark = node.start_mark
        self.positions.setdefault(pointer, (mark.line + 1, mark.column + 1))
        self._budget -= 1
        if self._budget < 0:
            raise _TooMuchError(_finding("yaml-aliases", "aliases unfold to too much", mark.line + 1, mark.column + 1))
        if depth > self._depth:  # an alias may also refer to what it is in
            raise _TooMuchError(_finding("yaml-depth", "aliases nest too deep", mark.line + 1, mark.column + 1))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, pointer, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(each, f"{pointer}/{index}", depth + 1) for index, each in enumerate(node.value)]
        return self._scalar(node, pointer)

    def _mapping(self, node: yaml.MappingNode, pointer: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = key_node.start_mark
            line, column = mark.line + 1, mark.column + 1
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None:
                self.findings.append(_finding("yaml-key", "a key must be a plain text", line, column, pointer))
                continue
            below = pointer + pointer_of(key)
            if key in found:
                text = f"the key {shortened(key)} stands here twice"
                self.findings.append(_finding("yaml-duplicate-key", text, line, column, below))
            self.positions[below] = (line, column)
            found[key] = self.read(value_node, below, depth + 1)
        return found

    def _scalar(self, node: yaml.Node, pointer: str) -> Any:
        if node.tag in TEXTS:
            return node.value
        try:
            value = self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError, AttributeError, ArithmeticError):
            value = ...  # PyYAML raises all of these for a text that does not fit its tag
        if _is_plain(value):
            return value
        mark = node.start_mark
        text = f"this is no value of the type {shortened(node.tag.removeprefix('tag:yaml.org,2002:'))}"
        self.findings.append(_finding("yaml-value", text, mark.line + 1, mark.column + 1, pointer))
        return None
