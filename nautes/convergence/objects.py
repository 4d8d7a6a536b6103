"""A Kubernetes object as plain data, and its identity. Used by every module of this package."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from nautes.convergence.defaults import applicable

Object = dict[str, Any]

_SERVER_METADATA = (
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
)


class Key(NamedTuple):
    """Identity of an object in one cluster, whichever version of its kind it is written in."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}" + (f" in {self.namespace}" if self.namespace else "")


@dataclass(frozen=True)
class Finding:
    """Why an object or file is refused: `where` is the file, for display, and `reason` what is wrong with it."""

    kind: str
    namespace: str
    name: str
    reason: str
    refused: bool = True  # by us; False: the cluster does not accept it


def group_of(api_version: str) -> str:
    """API group of an `apiVersion`; "" is the core group."""
    return api_version.rpartition("/")[0]


def metadata(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metadata of an object, empty when it has none."""
    found = item.get("metadata")
    return found if isinstance(found, dict) else {}


def key_of(item: Mapping[str, Any]) -> Key:
    """The identity of a complete object."""
    meta = metadata(item)
    return Key(
        group_of(str(item["apiVersion"])), str(item["kind"]), str(meta.get("namespace") or ""), str(meta["name"])
    )


def desired(item: Object, *, namespace: str, labels: Mapping[str, str]) -> Object:
    """`item` as it is sent: in its namespace, with our labels, without what only the server writes.

    `stringData` of a Secret becomes `data`, which is what the server does with it, so that both sides can be compared.
    """
    meta = {key: value for key, value in metadata(item).items() if key not in (*_SERVER_METADATA, "uid", "namespace")}
    if namespace:
        meta["namespace"] = namespace
    meta["labels"] = {**(meta.get("labels") or {}), **labels}
    made = applicable({**{key: value for key, value in item.items() if key != "status"}, "metadata": meta})
    if item.get("kind") == "Secret" and item.get("apiVersion") == "v1" and isinstance(item.get("stringData"), dict):
        return _encoded(made)
    return made


def _encoded(secret: Object) -> Object:
    strings: Mapping[str, Any] = secret["stringData"]
    encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in strings.items()}
    rest = {key: value for key, value in secret.items() if key != "stringData"}
    return {**rest, "data": {**(secret.get("data") or {}), **encoded}}
