"""Would applying `desired` change `live`? Answered from one list of the live objects, without asking the server.

Called by plan.py. Two questions: does a field we want have another value (drift), and do we own a field that we
no longer want (removed from the manifest; from `managedFields`)? Another form of the same value is not a
difference: defaults of the server, quantities, base64, empty against absent, items of others in lists that merge by key.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from nautes.convergence import quantities
from nautes.convergence.objects import Object, group_of, metadata

FIELD_MANAGER = "nautes"

# Lists that merge by key in built-in kinds: field -> the keys (OpenAPI: x-kubernetes-list-map-keys).
_KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("containers", "initContainers", "ephemeralContainers", "volumes", "env"), ("name",)),
    **dict.fromkeys(("imagePullSecrets", "resourceClaims", "secrets"), ("name",)),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "ownerReferences": ("uid",),
    "webhooks": ("name",),
}
_SETS = frozenset(("finalizers", "externalIPs"))  # lists in which the server or others may have more
_WHOLE_MAPS = frozenset(("matchLabels", "nodeSelector", "selector"))  # an additional key changes what they select
_BUILT_IN = ("", "apps", "batch", "autoscaling", "policy", "extensions")
_SKIPPED = ("apiVersion", "kind", "status")


def difference(desired: Object, live: Mapping[str, Any]) -> list[str]:
    """Paths in which `live` is not what applying `desired` would leave; empty when applying would change nothing."""
    group = group_of(str(desired["apiVersion"]))
    comparison = _Comparison(
        kind=str(desired["kind"]), built_in=group in _BUILT_IN or group.endswith(".k8s.io"), group=group
    )
    wanted = {key: value for key, value in desired.items() if key not in _SKIPPED}
    comparison.maps(wanted, live, "", "")
    owned = entry_of_ours(live)
    if owned is not None:
        if owned.get("apiVersion") != desired["apiVersion"]:
            comparison.paths.append("apiVersion")
        else:
            comparison.beyond(owned.get("fieldsV1") or {}, desired, "")
    return comparison.paths


def applied_by_us(live: Mapping[str, Any]) -> bool:
    """Whether we applied it: others may copy or set a label, but not our record in `managedFields`."""
    return entry_of_ours(live) is not None or not metadata(live).get("managedFields")


def entry_of_ours(live: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Our entry of the managed fields; None when we never applied, or the server keeps no such record."""
    for entry in metadata(live).get("managedFields") or []:
        if entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return entry  # type: ignore[no-any-return]
    return None


class _Comparison:
    """Collects the paths that differ in one object."""

    def __init__(self, *, kind: str, group: str, built_in: bool) -> None:
        self.paths: list[str] = []
        self._kind = kind
        self._built_in = built_in
        self._binary = kind == "Secret" and not group
        self._plain = kind in ("Secret", "ConfigMap") and not group

    def maps(self, wanted: Mapping[str, Any], live: Mapping[str, Any], path: str, parent: str) -> None:
        for key, value in wanted.items():
            at = f"{path}.{key}" if path else str(key)
            if key in live:
                self._values(value, live[key], at, parent, str(key))
            elif not _empty(value):
                self.paths.append(at)
        if parent in _WHOLE_MAPS and self._built_in and not wanted.keys() >= live.keys() and _flat(live):
            self.paths.append(path)

    def _values(self, wanted: Any, live: Any, path: str, parent: str, name: str) -> None:
        if wanted is live or (type(wanted) is type(live) and not isinstance(wanted, dict | list) and wanted == live):
            return
        if isinstance(wanted, dict) and isinstance(live, dict):
            self.maps(wanted, live, path, name)
        elif isinstance(wanted, list) and isinstance(live, list):
            self._lists(wanted, live, path, name)
        elif not (_empty(wanted) and _empty(live)) and not self._same(wanted, live, parent, name):
            self.paths.append(path)

    def _same(self, wanted: Any, live: Any, parent: str, name: str) -> bool:
        """Two scalars that are written differently."""
        if _number(wanted) and _number(live):
            return bool(wanted == live)
        if self._binary and parent == "data":
            return _base64(wanted) == _base64(live) is not None
        if not self._built_in or self._plain or not quantities.is_field(parent, name):
            return False
        left = quantities.value(wanted)
        return left is not None and left == quantities.value(live)

    def _lists(self, wanted: Sequence[Any], live: Sequence[Any], path: str, name: str) -> None:
        if self._built_in and (name in _SETS or (name == "tolerations" and self._kind == "Pod")):
            self.paths += [f"{path}[{at}]" for at, each in enumerate(wanted) if not self._holds(live, each)]
            return
        keys = self._merge_keys(name, wanted)
        if keys is None:
            self._pairs(wanted, live, path, name)
            return
        index = {_identity(each, keys): each for each in live if isinstance(each, Mapping)}
        for each in wanted:
            identity = _identity(each, keys)
            at = f"{path}[{','.join(str(part) for part in identity)}]"
            if identity in index:
                self._values(each, index[identity], at, name, name)
            else:
                self.paths.append(at)

    def _pairs(self, wanted: Sequence[Any], live: Sequence[Any], path: str, name: str) -> None:
        """An atomic list: as long as the other, and equal item by item but for defaults inside the items."""
        if len(wanted) != len(live):
            self.paths.append(path)
            return
        for at, (left, right) in enumerate(zip(wanted, live, strict=True)):
            self._values(left, right, f"{path}[{at}]", name, name)

    def _holds(self, live: Sequence[Any], wanted: Any) -> bool:
        if not isinstance(wanted, Mapping):
            return wanted in live
        return any(isinstance(each, Mapping) and wanted.items() <= each.items() for each in live)

    def _merge_keys(self, name: str, wanted: Sequence[Any]) -> tuple[str, ...] | None:
        """The keys by which the server merges this list; None: it replaces it as a whole."""
        if not self._built_in or not all(isinstance(each, Mapping) for each in wanted):
            return None
        if name == "ports" and self._kind == "Service":
            return ("port", "protocol")
        if name == "ports" and all("containerPort" in each for each in wanted):
            return ("containerPort", "protocol")
        keys = _KEYS.get(name)
        return keys if keys and all(keys[0] in each for each in wanted) else None

    def beyond(self, owned: Mapping[str, Any], wanted: Any, path: str) -> None:
        """Fields that we own and do not want any more. `owned` is a `fieldsV1` tree."""
        for name, below in owned.items():
            sort, _, rest = name.partition(":")
            if sort == "f":
                at = f"{path}.{rest}" if path else rest
                found = wanted.get(rest, _ABSENT) if isinstance(wanted, dict) else _ABSENT
            elif sort in ("k", "v"):
                at = f"{path}[{rest}]"
                found = _item(wanted, sort, rest)
            else:  # "." is the thing itself, "i" an index
                continue
            if found is _ABSENT:
                self.paths.append(at)
            elif below:
                self.beyond(below, found, at)


_ABSENT: Any = object()


def _item(wanted: Any, sort: str, text: str) -> Any:
    """The item of a desired list that a `k:` or `v:` path element names; the server defaults the keys it leaves out."""
    if not isinstance(wanted, list):
        return _ABSENT
    key = json.loads(text)
    if sort == "v":
        return key if key in wanted else _ABSENT
    for each in wanted:
        if isinstance(each, dict) and all(
            _loose(each.get(name, value)) == _loose(value) for name, value in key.items()
        ):
            return each
    return _ABSENT


def _loose(value: Any) -> str:
    return str(value)


def _identity(item: Any, keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(item.get(key, "TCP" if key == "protocol" else "")) for key in keys)


def _flat(live: Mapping[str, Any]) -> bool:
    return not any(isinstance(each, dict | list) for each in live.values())


def _empty(value: Any) -> bool:
    """Whether Go's `omitempty` leaves the value out."""
    if isinstance(value, dict):
        return all(_empty(each) for each in value.values())
    return value is None or value is False or value in ("", 0) or (isinstance(value, list) and not value)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _base64(value: Any) -> bytes | None:
    try:
        return base64.b64decode("".join(str(value).split()), validate=True)
    except (binascii.Error, ValueError):
        return None
