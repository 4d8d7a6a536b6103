"""Reads bodies strictly: media type, JSON without duplicate keys, manifests with the position of each finding.

Used by the routes that take a body and by the webhook receiver. The depth is counted before the parser recurses, so that
Python's recursion limit is never reached.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from fastapi import Request

from api.problems import UnsupportedMedia
from nautes.messages.errors import Refused
from nautes.resources.base import Resource
from nautes.resources.documents import documents, pointer_of
from nautes.resources.findings import Finding
from nautes.resources.manifest import parse

DEEPEST = 64  # levels
JSON = "application/json"
YAML = ("application/yaml", "text/yaml", "text/plain", "application/x-yaml", "text/x-yaml")
_MARKS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_BREAKS = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")


class _Pairs(dict[str, Any]):
    """A JSON object that records which keys occurred more than once."""

    twice: list[str]

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> _Pairs:
        found = cls(pairs)
        counted = Counter(key for key, _ in pairs) if len(found) < len(pairs) else {}
        found.twice = [key for key, count in counted.items() if count > 1]
        return found


def json_value(body: bytes) -> tuple[Any, list[str]]:
    """The plain values of a JSON text, and the pointers of duplicate keys. Raises ValueError."""
    text = body.decode()
    depth = 0
    for mark in _MARKS.finditer(text):
        depth += 1 if mark[0] in "[{" else -1 if mark[0] in "]}" else 0
        if depth > DEEPEST:
            raise ValueError("nested too deep")
    found = json.loads(text, parse_constant=_no_number, object_pairs_hook=_Pairs.of)
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode()  # a lone surrogate is not valid text
    return found, list(_twice(found, ""))


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object of plain values. Raises ValueError."""
    found, twice = json_value(body)
    if not isinstance(found, dict):
        raise ValueError("no object")
    if twice:
        raise ValueError(f"{twice[0]} stands twice")
    return found


async def json_body(request: Request) -> dict[str, Any]:
    """The body of a route that takes one JSON object. Raises Refused and UnsupportedMedia."""
    if media_type(request) not in ("", JSON):
        raise UnsupportedMedia("media-type", f"the body must be {JSON}")
    found = _strict(await request.body())
    if not isinstance(found, dict):
        raise _no_json("object")
    return found


async def manifests(request: Request) -> list[Resource]:
    """The resources of a body of manifests, YAML or JSON. Raises Refused with every finding, and UnsupportedMedia."""
    media, body = media_type(request), await request.body()
    if media == JSON:
        resources, findings = _of_json(body)
    elif media in ("", *YAML):
        resources, findings = parse(body, "")
    else:
        raise UnsupportedMedia("media-type", f"send manifests as {YAML[0]} or {JSON}, not as {media[:100]}")
    if findings:
        raise Refused("manifest-invalid", findings[0].message, findings=findings)
    if not resources:
        raise Refused("manifest-empty", "the body holds no manifest")
    return resources


def media_type(request: Request) -> str:
    """The media type of a body without its parameters, "" without one."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _strict(body: bytes) -> Any:
    try:
        found, twice = json_value(body)
    except ValueError:
        raise _no_json("text") from None
    if twice:
        findings = [Finding(rule="json-duplicate-key", message=f"{each} stands twice", pointer=each) for each in twice]
        raise Refused("body-invalid", findings[0].message, findings=findings)
    return found


def _no_json(what: str) -> Refused:
    return Refused("body-invalid", f"the body must be a JSON {what} of at most {DEEPEST} levels")


def _of_json(body: bytes) -> tuple[list[Resource], list[Finding]]:
    """One object or an array of objects; findings point into the text as it was sent."""
    found = _strict(body)
    # One document per line of YAML: the line of a finding is the place in the array.
    texts = [_line(each) for each in (found if isinstance(found, list) else [found])]
    resources, findings = parse("".join(f"--- {each}\n" for each in texts), "")
    read, _ = documents(body, "")

    def placed(finding: Finding) -> Finding:
        pointer = (f"/{(finding.line or 1) - 1}" if isinstance(found, list) else "") + finding.pointer
        line, column = read[0].position(pointer) if read else (None, None)
        return finding.model_copy(update={"pointer": pointer, "line": line, "column": column})

    return resources, [placed(each) for each in findings]


def _line(value: Any) -> str:
    """A value as one line that YAML reads as the same value: YAML has more line breaks than JSON."""
    text = json.dumps(value, ensure_ascii=False)
    return _BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _twice(value: Any, pointer: str) -> list[str]:
    found: list[str] = []
    if isinstance(value, _Pairs):
        found += [pointer + pointer_of(each) for each in value.twice]
        for key, each in value.items():
            found += _twice(each, pointer + pointer_of(key))
    if isinstance(value, list):
        for index, each in enumerate(value):
            found += _twice(each, f"{pointer}/{index}")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
