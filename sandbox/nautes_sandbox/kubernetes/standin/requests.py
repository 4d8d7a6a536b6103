"""A parsed request: its caller, its target and its options. Made by server.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import yaml

from nautes_sandbox.kubernetes.standin.kinds import Kind, Kinds
from nautes_sandbox.kubernetes.standin.problems import (
    Cause,
    bad_request,
    no_such_resource,
    not_implemented,
    option,
    unsupported_media,
)

Object = dict[str, Any]
APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
JSON_PATCH, STRATEGIC = "application/json-patch+json", "application/strategic-merge-patch+json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
_OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions", "DELETE": "DeleteOptions"}


@dataclass(frozen=True)
class User:
    """Who asks."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """What a request is about: `namespace` "" is all of them, `name` "" the collection."""

    kind: Kind
    version: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def api_version(self) -> str:
        """`apiVersion` in which the client speaks."""
        return self.kind.api_version(self.version)


@dataclass(frozen=True)
class Request:
    """Header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @cached_property
    def content_type(self) -> str:
        """Without parameters."""
        return self.headers.get("content-type", "application/json").partition(";")[0].strip()

    @cached_property
    def dry_run(self) -> bool:
        """Whether nothing is to be kept. Raises a 422."""
        given = self.query.get("dryRun", "")
        if given not in ("", "All"):
            message = f'Unsupported value: []string{{"{given}"}}: supported values: "All"'
            raise option(_OPTIONS.get(self.method, ""), Cause("FieldValueNotSupported", "dryRun", message))
        return given == "All"

    @cached_property
    def manager(self) -> str:
        """Name of the field manager: what was asked for, else the client program."""
        return self.query.get("fieldManager") or self.headers.get("user-agent", "").split("/")[0][:128] or "unknown"

    def flag(self, name: str) -> bool:
        """A parameter that is true or false."""
        return self.query.get(name, "") in ("1", "true", "True")

    def number(self, name: str) -> int:
        """A parameter that is a number; 0 when it is not given. Raises a 400."""
        given = self.query.get(name, "")
        if given and not given.isdigit():
            raise bad_request(f'strconv.ParseUint: parsing "{given}": invalid syntax')
        return int(given or 0)

    def document(self, kind: str = "") -> Object:
        """The body as an object. Raises a 400 or 415."""
        if self.content_type == PROTOBUF:
            raise not_implemented(f"bodies in {PROTOBUF}; send JSON or YAML, as kubectl does with -f")
        if self.content_type not in ("application/json", "application/yaml", APPLY, MERGE, STRATEGIC):
            raise unsupported_media()
        found = self.decoded(kind)
        if not isinstance(found, dict):
            raise bad_request(f"the object provided is unrecognized (must be of type {kind}): it is no object")
        return found

    def decoded(self, kind: str = "") -> Any:
        """The body, whatever it is. Raises a 400."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            if self.content_type in ("application/yaml", APPLY):
                return self._yaml()
            of = f" (must be of type {kind})" if kind else ""
            raise bad_request(
                f"the object provided is unrecognized{of}: couldn't get version/kind; json parse error: {error}"
            ) from None

    def _yaml(self) -> Any:
        try:
            return yaml.load(self.body, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - it is safe
        except yaml.YAMLError as error:
            raise bad_request(f"error decoding YAML: {error}") from None


def target(kinds: Kinds, parts: list[str]) -> Target:
    """What a path below /api or /apis is about. Raises `LookupError` for an unknown group version, a 404 for a resource."""
    group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
    if version not in kinds.versions().get(group, ()):
        raise LookupError
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    kind = kinds.find(group, version, rest[0])
    if kind is None or (namespace and not kind.namespaced) or len(rest) > 3:
        raise no_such_resource()
    name, subresource = (*rest[1:], "", "")[:2]
    if name and kind.namespaced and not namespace:
        raise no_such_resource()
    return Target(kind, version, namespace, name, subresource)


def split(path: str) -> list[str]:
    """Parts of a path, decoded."""
    return [unquote(each) for each in path.strip("/").split("/")]
