"""Label and field selectors: text in, a test for objects out. Used by lists, watches and collections that are deleted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from nautes_sandbox.kubernetes.standin.problems import bad_request

Object = dict[str, Any]
Test = Callable[[Object], bool]
_KEY = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s+\(([^()]*)\)")
_EQUAL = re.compile(rf"({_KEY})\s*(==|=|!=)\s*([-A-Za-z0-9_.]*)")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")
_FIELDS = {
    "/pods": ("status.phase", "spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName"),
    "/secrets": ("type",),
    "/namespaces": ("status.phase",),
    "/events": (
        "involvedObject.kind",
        "involvedObject.name",
        "involvedObject.namespace",
        "involvedObject.uid",
        "reason",
        "type",
    ),
}


def labels(text: str) -> Test:
    """Objects whose labels a selector selects. Raises a 400."""
    tests = [_requirement(each.strip()) for each in _split(text)]
    return lambda item: all(test(item["metadata"].get("labels") or {}) for test in tests)


def _split(text: str) -> list[str]:
    return [each for each in re.split(r",(?![^()]*\))", text) if each.strip()] if text.strip() else []


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    if found := _SET.fullmatch(text):
        key, verb, values = found[1], found[2], {each.strip() for each in found[3].split(",")}
        if verb == "in":
            return lambda given: key in given and given[key] in values
        return lambda given: given.get(key) not in values
    if found := _EQUAL.fullmatch(text):
        key, verb, value = found[1], found[2], found[3]
        if verb == "!=":
            return lambda given: given.get(key) != value
        return lambda given: given.get(key) == value
    if found := _EXISTS.fullmatch(text):
        key, wanted = found[2], not found[1]
        return lambda given: (key in given) is wanted
    raise bad_request(f"unable to parse requirement: {text!r}")


def fields(text: str, resource: str) -> Test:
    """Objects whose fields a selector selects. Raises a 400 for a field that cannot be selected by."""
    known = ("metadata.name", "metadata.namespace", *_FIELDS.get(resource, ()))
    tests: list[Test] = []
    for term in filter(None, (each.strip() for each in text.split(","))):
        found = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", term)
        if not found:
            raise bad_request(f"invalid selector: {text!r}; can't understand {term!r}")
        if found[1] not in known:
            names = ", ".join(f'"{each}"' for each in known)
            raise bad_request(f'"{found[1]}" is not a known field selector: only {names}')
        tests.append(_term(found[1].split("."), found[3], equal=found[2] != "!="))
    return lambda item: all(test(item) for test in tests)


def _term(path: list[str], value: str, *, equal: bool) -> Test:
    def test(item: Object) -> bool:
        found: Any = item
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return (str(found if found is not None else "") == value) is equal

    return test
