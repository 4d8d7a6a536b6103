"""Custom objects and their OpenAPI schema: unknown fields are dropped, defaults filled in, types checked. Used by writing.py.

CEL rules (x-kubernetes-validations) and formats are not played.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from nautes_sandbox.kubernetes.standin.problems import Cause, required, wrong

Schema = Mapping[str, Any]
_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def shaped(value: Any, schema: Schema, *, root: bool = False) -> Any:
    """`value` without fields the schema does not know, with its defaults."""
    if isinstance(value, list):
        items = schema.get("items")
        return [shaped(each, items) for each in value] if isinstance(items, dict) else value
    if not isinstance(value, dict):
        return value
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    more = schema.get("additionalProperties")
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields")) or (more is True)
    found: dict[str, Any] = {}
    for name, each in value.items():
        if root and name == "metadata":
            found[name] = each
        elif name in properties:
            if each is not None or properties[name].get("nullable"):
                found[name] = shaped(each, properties[name])
        elif isinstance(more, dict):
            found[name] = shaped(each, more)
        elif keeps:
            found[name] = each
    for name, below in properties.items():
        if name not in found and "default" in below:
            found[name] = json.loads(json.dumps(below["default"]))
    return found


def check(value: Any, schema: Schema, field: str, *, root: bool = False) -> list[Cause]:
    """What of a value is against its schema."""
    if value is None and schema.get("nullable"):
        return []
    if schema.get("x-kubernetes-int-or-string"):
        return (
            [] if isinstance(value, int | str) else [wrong(field, json.dumps(value), "must be an integer or a string")]
        )
    wanted = schema.get("type")
    if wanted in _TYPES and not _TYPES[wanted](value):
        name = next((name for name, test in _TYPES.items() if test(value)), "null")
        return [wrong(field or "<nil>", json.dumps(name), f'{field} in body must be of type {wanted}: "{name}"')]
    if isinstance(value, dict):
        return _members(value, schema, field, root=root)
    if isinstance(value, list):
        items = schema.get("items")
        below = items if isinstance(items, dict) else {}
        return [cause for at, each in enumerate(value) for cause in check(each, below, f"{field}[{at}]")]
    return _scalar(value, schema, field)


def _members(value: dict[str, Any], schema: Schema, field: str, *, root: bool) -> list[Cause]:
    def at(name: str) -> str:
        return f"{field}.{name}" if field else name

    found = [required(at(name)) for name in schema.get("required") or [] if name not in value]
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    more = schema.get("additionalProperties")
    for name, each in value.items():
        below = properties.get(name, more if isinstance(more, dict) else {})
        if not (root and name in ("metadata", "apiVersion", "kind")):
            found += check(each, below, at(name))
    return found


def _scalar(value: Any, schema: Schema, field: str) -> list[Cause]:
    if "enum" in schema and value not in schema["enum"]:
        values = ", ".join(json.dumps(each) for each in schema["enum"])
        message = f"Unsupported value: {json.dumps(value)}: supported values: {values}"
        return [Cause("FieldValueNotSupported", field, message)]
    if isinstance(value, str):
        pattern = schema.get("pattern")
        if pattern and not re.search(pattern, value):
            return [wrong(field, json.dumps(value), f"{field} in body should match '{pattern}'")]
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            return [wrong(field, json.dumps(value), f"{field} in body has a length that is not allowed")]
        return []
    low, high = schema.get("minimum", value), schema.get("maximum", value)
    if isinstance(value, int | float) and not low <= value <= high:
        return [wrong(field, json.dumps(value), f"{field} in body is out of its bounds")]
    return []
