"""Parses files of a repository into objects. Called by the convergence activity with the files of a tree.

A file that cannot be read is a finding, and the caller must not prune then: the objects it declares are unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from nautes.convergence.objects import Finding, Object, metadata
from nautes.resources.documents import Malformed, read, read_json

SUFFIXES = (".yaml", ".yml", ".json")
OBJECTS = 5_000  # in one tree
GENERATORS = {  # files whose presence means that the others are input of a generator
    "kustomization.yaml": "Kustomize",
    "kustomization.yml": "Kustomize",
    "Kustomization": "Kustomize",
    "Chart.yaml": "Helm",
}

Reader = Callable[[bytes], Iterable[Any]]


@dataclass
class Manifests:
    """What a tree declares. `generator` is set when it must not be applied file by file."""

    objects: list[Object] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    generator: Finding | None = None

    @property
    def complete(self) -> bool:
        """Whether every file could be read: only then does absence from the tree mean "not wanted"."""
        return not any(each.kind == "File" for each in self.findings)


def parse(files: Iterable[tuple[str, bytes]], reader: Reader = read) -> Manifests:
    """`files` are (path, content); files that are neither YAML nor JSON are ignored. Never raises on content."""
    found = Manifests()
    for path, content in sorted(files):
        name = PurePosixPath(path).name
        if name in GENERATORS:
            reason = f"{GENERATORS[name]} is not supported: put plain manifests there, or point the path at a directory of them"
            found.generator = Finding("File", "", path, reason)
            return found
        if name.endswith(SUFFIXES):
            _file(path, content, reader, found)
    return found


def parse_objects(objects: Iterable[Any]) -> Manifests:
    """Objects that are plain data already, with the same checks."""
    found = Manifests()
    for number, item in enumerate(objects, start=1):
        reason = _wrong(item)
        if reason:
            found.findings.append(Finding("File", "", f"object {number}", reason))
        else:
            found.objects.append(item)
    return found


def _file(path: str, content: bytes, reader: Reader, found: Manifests) -> None:
    try:
        documents = read_json(content) if path.endswith(".json") else reader(content)
        for number, document in enumerate(documents, start=1):
            for item in _expanded(document):
                reason = _wrong(item)
                if not reason and len(found.objects) >= OBJECTS:
                    reason = f"more than {OBJECTS} objects"
                if reason:
                    found.findings.append(Finding("File", "", path, f"document {number}: {reason}"))
                else:
                    found.objects.append(item)
    except Malformed as error:
        place = f"line {error.line}, column {error.column}: " if error.line else ""
        found.findings.append(Finding("File", "", path, place + error.message))


def _expanded(document: Any) -> Iterator[Any]:
    """The items of a `kind: List` (one level: a list of lists is no object), else the document; nothing if it is empty."""
    if document is None:
        return
    if isinstance(document, dict) and document.get("kind") == "List" and document.get("apiVersion") == "v1":
        items = document.get("items")
        yield from items if isinstance(items, list) else [document]
    else:
        yield document


def _wrong(item: Any) -> str:
    """Why a document is not an object, "" if it is one."""
    if not isinstance(item, dict):
        return "not a Kubernetes object"
    for key in ("apiVersion", "kind"):
        if not isinstance(item.get(key), str) or not item[key]:
            return f"not a Kubernetes object: {key} is missing"
    if item["kind"] == "List":
        return "a List must hold objects in items"
    meta = metadata(item)
    if not isinstance(meta.get("name"), str) or not meta["name"]:
        return f"{item['kind']} without metadata.name" + (
            " (generateName cannot be converged)" if meta.get("generateName") else ""
        )
    if not isinstance(meta.get("namespace") or "", str):
        return "metadata.namespace is not a string"
    return _wrong_maps(meta)


def _wrong_maps(meta: Mapping[str, Any]) -> str:
    for key in ("labels", "annotations"):
        values = meta.get(key) or {}
        if not isinstance(values, dict) or not all(isinstance(each, str) for each in values.values()):
            return f"metadata.{key} must map strings to strings (quote numbers and booleans)"
    return ""
