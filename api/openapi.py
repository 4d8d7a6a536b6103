"""The API's description (OpenAPI 3.1): what FastAPI finds, plus the bodies we read ourselves, problems and tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.problems import Problem
from api.schemas import body_of
from nautes.resources.base import API_VERSION
from nautes.resources.kinds import KINDS

REF = "#/components/schemas/{model}"
OPEN = ("/healthz", "/readyz", "/api/v1/hooks/")  # without a token
TOKENS = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A personal access token of GitLab, or an OAuth token.",
    },
    "private-token": {
        "type": "apiKey",
        "in": "header",
        "name": "PRIVATE-TOKEN",
        "description": "The same, in GitLab's header.",
    },
}
MANIFEST = {
    "title": "Manifest",
    "description": "What people declare: a kind, and its spec with name and product inside, in camelCase.",
    "type": "object",
    "required": ["kind", "spec"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"type": "string", "const": API_VERSION},
        "kind": {"type": "string", "enum": list(KINDS)},
        "metadata": {},
        "spec": {"type": "object"},
    },
}


def describe(app: FastAPI) -> None:
    """Replace `app.openapi` by one with these additions; the description is made once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, openapi_version="3.1.0"
    )
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas |= _schemas([body_of(each) for each in KINDS.values()], "validation")
    schemas |= _schemas([Problem], "serialization")
    schemas["Manifest"] = MANIFEST
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = TOKENS
    found["security"] = [{each: []} for each in TOKENS]
    for path, operation in _operations(found):
        for parameter in operation.get("parameters", []):
            parameter["schema"] = _given(parameter["schema"])
        if path.startswith(OPEN):
            operation["security"] = []
    return found


def _operations(document: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    for path, ways in document["paths"].items():
        for operation in ways.values():
            yield path, operation


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter, without null: an optional parameter is left out, not null."""
    choices = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if len(choices) != 1:
        return schema
    return {**choices[0], **{key: each for key, each in schema.items() if key != "anyOf"}}


def _schemas(models: list[type[BaseModel]], mode: Any) -> dict[str, Any]:
    _, found = models_json_schema([(each, mode) for each in models], ref_template=REF)
    return dict(found["$defs"])
