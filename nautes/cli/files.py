"""Manifest files as one change set: read from files, directories, globs or standard input, findings mapped back to them."""

from __future__ import annotations

import glob
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nautes.cli.client import USAGE, CommandError
from nautes.resources.documents import Document, documents
from nautes.resources.findings import Finding
from nautes.resources.manifest import parse

SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Part:
    """One file of a change set: its name, and the line of the whole at which it begins (from 0)."""

    name: str
    text: str
    first: int


def read(names: list[str]) -> list[Part]:
    """Every manifest file that the names match, in order. Raises `CommandError`."""
    parts: list[Part] = []
    line = 0
    for name, text in [pair for each in names for pair in _texts(each)]:
        parts.append(Part(name, text, line))
        line += len(text.rstrip("\n").split("\n")) + 1
    if not parts:
        raise CommandError("no manifest files", USAGE)
    return parts


def whole(parts: list[Part]) -> bytes:
    """One text of all parts, as documents."""
    return ("\n---\n".join(part.text.rstrip("\n") for part in parts) + "\n").encode()


def check(parts: list[Part]) -> None:
    """Raise with every finding of the schema, before anything is sent."""
    findings: list[Finding] = []
    for part in parts:
        findings += [each.model_copy(update={"resource": f"{part.name}"}) for each in parse(part.text, part.name)[1]]
    if not findings:  # what is wrong only in combination: the same name in two files
        findings = [_at_home(parts, each) for each in parse(whole(parts))[1]]
    if findings:
        raise CommandError("the manifests are not valid", findings=[each.model_dump() for each in findings])


def located(parts: list[Part], findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Findings of the platform with the file, line and column of what they are about, where those can be found."""
    return [_located(parts, each) for each in findings]


def _located(parts: list[Part], finding: dict[str, Any]) -> dict[str, Any]:
    line, column = finding.get("line"), finding.get("column")
    if not line:
        line, column = _position(parts, finding.get("resource", ""), finding.get("pointer", ""))
    if not line:
        return finding
    name, number = _place(parts, line)
    return {**finding, "file": name, "line": number, "column": column}


def _position(parts: list[Part], resource: str, pointer: str) -> tuple[int | None, int | None]:
    """The position in the whole of a pointer into a resource's manifest or spec."""
    for document in documents(whole(parts))[0]:
        data = document.data if isinstance(document.data, dict) else {}
        spec = data.get("spec")
        if isinstance(spec, dict) and resource == f"{data.get('kind')}/{spec.get('name')}":
            return _deepest(document, [pointer, f"/spec{pointer}"])
    return None, None


def _deepest(document: Document, pointers: list[str]) -> tuple[int, int]:
    return document.position(next((each for each in pointers if document.holds(each)), pointers[0]))


def _at_home(parts: list[Part], finding: Finding) -> Finding:
    """A finding about the whole text, as one about its file."""
    name, line = _place(parts, finding.line)
    message = re.sub(r"line (\d+)$", lambda found: "{}:{}".format(*_place(parts, int(found[1]))), finding.message)
    return finding.model_copy(update={"resource": name, "line": line, "message": message})


def _place(parts: list[Part], line: int | None) -> tuple[str, int]:
    """File and line of a line of the whole text."""
    number = line or 1
    part = max((each for each in parts if each.first < number), key=lambda each: each.first)
    return part.name, number - part.first


def _texts(name: str) -> list[tuple[str, str]]:
    if name == "-":
        return [("standard input", sys.stdin.read())]
    path = Path(name)
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.suffix in SUFFIXES)
    else:
        found = [Path(each) for each in sorted(glob.glob(name))] or [path]  # noqa: PTH207 - takes absolute patterns
    try:
        return [(str(each), each.read_text()) for each in found]
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name} cannot be read: {error}", USAGE) from None
