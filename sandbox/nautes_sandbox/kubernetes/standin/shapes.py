"""How the fields of a kind merge: lists by key, lists as sets, maps and lists as one value. Used by field sets and patches.

Built-in kinds are described by tables (OpenAPI: x-kubernetes-list-map-keys and friends), custom ones by their own schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from nautes_sandbox.kubernetes.standin.kinds import Kind


class Shape(Protocol):
    """The shape of one value."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys by which items of a list are told apart; none: the list is one value."""
        ...

    @property
    def is_set(self) -> bool:
        """Whether a list is a set of values."""
        ...

    @property
    def atomic(self) -> bool:
        """Whether a map is one value."""
        ...

    def field(self, name: str) -> Shape:
        """Shape of a field of this map."""
        ...

    def item(self) -> Shape:
        """Shape of an item of this list."""
        ...


_NAME = ("name",)
_KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("containers", "initContainers", "ephemeralContainers", "volumes", "env"), _NAME),
    **dict.fromkeys(("imagePullSecrets", "resourceClaims", "secrets", "claims"), _NAME),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "ownerReferences": ("uid",),
    "conditions": ("type",),
}
_ATOMIC = frozenset(
    (
        *("selector", "podSelector", "namespaceSelector", "labelSelector", "nodeSelector"),
        *("secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef", "roleRef", "scaleTargetRef"),
    )
)
_POD_SPEC = frozenset(("containers", "initContainers", "ephemeralContainers"))


@dataclass(frozen=True)
class BuiltIn:
    """By the names on the way to the value."""

    kind: str
    path: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        name, parent = self.path[-1], self.path[-2] if len(self.path) > 1 else ""
        if name == "ports":
            if parent in _POD_SPEC:
                return ("containerPort", "protocol")
            return ("port", "protocol") if self.kind == "Service" else ()
        if name == "secrets" and self.kind != "ServiceAccount":
            return ()
        if name == "imagePullSecrets" and self.kind == "ServiceAccount":
            return ()
        return _KEYS.get(name, ())

    @property
    def is_set(self) -> bool:
        return self.path == ("metadata", "finalizers")

    @property
    def atomic(self) -> bool:
        return bool(self.path) and self.path[-1] in _ATOMIC

    def field(self, name: str) -> BuiltIn:
        return BuiltIn(self.kind, (*self.path, name))

    def item(self) -> BuiltIn:
        return self


@dataclass(frozen=True)
class Custom:
    """By a part of the kind's OpenAPI schema."""

    schema: Mapping[str, Any]
    root: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        if self.schema.get("x-kubernetes-list-type") != "map":
            return ()
        return tuple(self.schema.get("x-kubernetes-list-map-keys") or ())

    @property
    def is_set(self) -> bool:
        return self.schema.get("x-kubernetes-list-type") == "set"

    @property
    def atomic(self) -> bool:
        return self.schema.get("x-kubernetes-map-type") == "atomic"

    def field(self, name: str) -> Shape:
        if self.root and name == "metadata":
            return BuiltIn("", ("metadata",))
        found = (self.schema.get("properties") or {}).get(name, self.schema.get("additionalProperties"))
        return Custom(found if isinstance(found, dict) else {})

    def item(self) -> Custom:
        found = self.schema.get("items")
        return Custom(found if isinstance(found, dict) else {})


def of(kind: Kind, version: str) -> Shape:
    """The shape of a kind's objects."""
    if kind.schemas is None:
        return BuiltIn(kind.kind)
    return Custom(kind.schemas.get(version) or {}, root=True)


def element(item: Any, keys: tuple[str, ...]) -> str:
    """Path element of an item of a list that merges by key; a port without protocol is a TCP port."""
    values = {key: item.get(key, "TCP" if key == "protocol" else None) for key in sorted(keys)}
    return "k:" + json.dumps({key: value for key, value in values.items() if value is not None}, separators=(",", ":"))


def keyed(items: list[Any], shape: Shape) -> dict[str, Any] | None:
    """Path element -> item, for a list whose items are told apart; None for a list that is one value."""
    if shape.is_set:
        return {"v:" + json.dumps(each, separators=(",", ":")): each for each in items}
    if not shape.keys or not all(isinstance(each, dict) for each in items):
        return None
    return {element(each, shape.keys): each for each in items}
