"""The form people write: `kind` and `spec` with name and product inside. Text to resources and back, all findings at once.

Used by the API, the command line and the activities that plan; a manifest (as data) is also the form in payloads.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Container, Mapping
from itertools import islice
from typing import Any

from pydantic import ValidationError

from nautes.resources.base import API_VERSION, Resource
from nautes.resources.documents import FINDINGS, Document, Limits, documents, pointer_of, shortened
from nautes.resources.findings import Finding
from nautes.resources.kinds import KINDS

TOP = ("apiVersion", "kind", "metadata", "spec")
MAX_NAME = 255  # characters of a name or field that are looked at in order to say what is wrong with it


def parse(text: str | bytes, source: str = "", limits: Limits | None = None) -> tuple[list[Resource], list[Finding]]:
    """Every resource of a multi-document text, and everything wrong with it, with line and column."""
    found: list[Resource] = []
    read, findings = documents(text, source, limits)
    first: dict[tuple[str, str], int] = {}
    for document in read:
        if len(findings) > FINDINGS:
            break
        resource, wrong = _resource(document)
        findings += wrong
        if resource is None:
            continue
        identity = (resource.product, resource.key)
        if identity in first:
            where = f"line {first[identity]}"
            line, column = document.position("")
            findings.append(
                Finding(
                    rule="schema-duplicate-name",
                    message=f"{resource.key} is already declared at {where}",
                    resource=resource.key,
                    line=line,
                    column=column,
                )
            )
        first.setdefault(identity, document.line)
        found.append(resource)
    if len(findings) > FINDINGS:
        findings[FINDINGS:] = [Finding(rule="schema-findings", message=f"more is wrong than these {FINDINGS} findings")]
    return found, findings


def resource_of(manifest: Mapping[str, Any]) -> Resource:
    """The resource of a manifest that was parsed before (a payload). Raises `ValueError` when it is not one."""
    resource, findings = _resource(Document(dict(manifest)))
    if resource is None:
        raise ValueError("; ".join(each.message for each in findings))
    return resource


def manifest_of(resource: Resource) -> dict[str, Any]:
    """The manifest of a resource, without secrets and without defaults."""
    spec = resource.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {"apiVersion": API_VERSION, "kind": resource.kind, "spec": spec}


def without_nulls(value: Any, skipped: Container[str] = ()) -> Any:
    """Data of a resource without nulls and without some keys; the variables of hooks are free data and stay as they are."""
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if each is not None and key not in skipped}
        return {key: each if key == "vars" else without_nulls(each, skipped) for key, each in kept.items()}
    return [without_nulls(each, skipped) for each in value] if isinstance(value, list) else value


def version(resource: Resource) -> str:
    """Changes when what is declared changes: the ETag of a resource. 16 hexadecimal digits."""
    text = json.dumps(manifest_of(resource), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _resource(document: Document) -> tuple[Resource | None, list[Finding]]:
    data = document.data
    if not isinstance(data, dict):
        return None, [_at(document, "", "schema-document", "a document must be a mapping with kind and spec")]
    unknown = (key for key in data if key not in TOP)
    findings = [
        _at(document, pointer_of(key), "schema-unknown-field", f"unknown field {shortened(key)}", _closest(key, TOP))
        for key in islice(unknown, FINDINGS)
    ]
    kind = data.get("kind")
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        word = kind if isinstance(kind, str) else ""
        text = f"unknown kind {shortened(word)}" if word else "kind must be a text" if kind else "kind is missing"
        return None, [*findings, _at(document, "/kind", "schema-unknown-kind", text, _closest(word, KINDS))]
    version = data.get("apiVersion", API_VERSION)
    if version != API_VERSION:
        findings.append(_at(document, "/apiVersion", "schema-api-version", f"apiVersion must be {API_VERSION}"))
    spec = data.get("spec")
    if not isinstance(spec, dict):
        return None, [*findings, _at(document, "/spec", "schema-spec", "spec must be a mapping")]
    try:
        resource = model.model_validate(spec)
    except ValidationError as error:
        name = f"{kind}/{spec['name'][:MAX_NAME]}" if isinstance(spec.get("name"), str) else str(kind)
        found = islice(error.errors(include_url=False), FINDINGS)
        return None, findings + [_from_pydantic(document, each, name, model) for each in found]
    return (None if findings else resource), findings


def _from_pydantic(document: Document, error: Any, name: str, model: type[Resource]) -> Finding:
    location = [str(each) for each in error["loc"] if each not in ("before", "after")]
    pointer = pointer_of("spec", *location)
    field = location[-1] if location else "spec"
    if error["type"] == "extra_forbidden":
        hint = _closest(field, _fields(model, location[:-1]))
        return _at(document, pointer, "schema-unknown-field", f"unknown field {shortened(field)}", hint, name)
    if error["type"] == "missing":
        return _at(document, pointer, "schema-missing-field", f"{field} is missing", "", name)
    message = str(error["msg"]).removeprefix("Value error, ")
    return _at(document, pointer, "schema-value", f"{field[:MAX_NAME]}: {message}", "", name)


def _fields(model: type[Any], location: list[str]) -> list[str]:
    """Field names of the structure at `location`, for hints."""
    for step in location:
        if step.isdigit():
            continue
        field = next((each for name, each in model.model_fields.items() if step in (name, each.alias)), None)
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> Any:
    if hasattr(annotation, "model_fields"):
        return annotation
    for each in getattr(annotation, "__args__", ()):
        found = _model_in(each)
        if found is not None:
            return found
    return None


def _at(document: Document, pointer: str, rule: str, message: str, hint: str = "", resource: str = "") -> Finding:
    line, column = document.position(pointer)
    return Finding(rule=rule, message=message, pointer=pointer, hint=hint, resource=resource, line=line, column=column)


def _closest(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word[:MAX_NAME], list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}" if known else ""
