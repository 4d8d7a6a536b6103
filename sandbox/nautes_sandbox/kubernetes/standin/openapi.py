"""As much of OpenAPI v3 as kubectl asks before it applies: which kinds there are, and that they take `fieldValidation`.

There are no schemas in it. The parameter is accepted, with a warning that fields were not validated.
"""

from __future__ import annotations

from typing import Any

from nautes_sandbox.kubernetes.standin.discovery import VERSION
from nautes_sandbox.kubernetes.standin.kinds import Kind, Kinds

Object = dict[str, Any]
WARNING = '299 - "sandbox stand-in: unknown fields are not detected"'


def document(kinds: Kinds, parts: list[str]) -> Object | None:
    """Answer to /openapi/v3 and what is below it; None for what is not there."""
    if parts == ["openapi", "v3"]:
        paths = [_path(group, version) for group, found in kinds.versions().items() for version in found]
        return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in paths}}
    match parts:
        case ["openapi", "v3", "api", "v1"]:
            group, version = "", "v1"
        case ["openapi", "v3", "apis", group, version] if version in kinds.versions().get(group, ()):
            pass
        case _:
            return None
    served = [kind for kind in kinds if kind.group == group and version in kind.versions]
    described = {f"/{_path(group, version)}/{_place(kind)}": {"patch": _patch(kind, version)} for kind in served}
    info = {"title": "Kubernetes stand-in", "version": VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": described}


def _path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _place(kind: Kind) -> str:
    return f"namespaces/{{namespace}}/{kind.plural}/{{name}}" if kind.namespaced else f"{kind.plural}/{{name}}"


def _patch(kind: Kind, version: str) -> Object:
    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    return {
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": version, "kind": kind.kind},
        "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names],
        "responses": {"200": {"description": "OK"}},
    }
