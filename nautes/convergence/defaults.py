"""Defaults that server-side apply needs and people leave out, filled in before sending. Called by nautes/convergence/objects.py.

A port without a protocol lacks a key of its list, and a quantity written as a number is no string: older API servers refuse to
apply either, newer ones read them as what is sent here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PROTOCOL = "TCP"  # the API's own default of every port
_TEMPLATES = {
    "Pod": ("spec",),
    "PodTemplate": ("template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(
        ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"),
        ("spec", "template", "spec"),
    ),
}


def applicable(item: Mapping[str, Any]) -> dict[str, Any]:
    """`item` with the protocol of each port and with quantities as strings; unchanged parts are shared with it."""
    kind = str(item.get("kind"))
    special = _SPECIAL.get((str(item.get("apiVersion")), kind))
    if special:
        return _changed(item, *special)
    path = _TEMPLATES.get(kind)
    return _changed(item, path, _pod) if path else dict(item)


def _changed(item: Mapping[str, Any], path: tuple[str, ...], change: Any) -> dict[str, Any]:
    if not path:
        return dict(change(item))
    inner = item.get(path[0])
    return {**item, path[0]: _changed(inner, path[1:], change)} if isinstance(inner, dict) else dict(item)


def _pod(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    lists = {name: spec[name] for name in ("containers", "initContainers") if isinstance(spec.get(name), list)}
    return {**spec, **{name: [_container(each) for each in found] for name, found in lists.items()}}


def _container(container: Any) -> Any:
    return _resources(_ports(container)) if isinstance(container, dict) else container


def _resources(owner: Mapping[str, Any]) -> Mapping[str, Any]:
    resources = owner.get("resources")
    if not isinstance(resources, dict):
        return owner
    return {**owner, "resources": {name: _strings(found) for name, found in resources.items()}}


def _strings(quantities: Any) -> Any:
    if not isinstance(quantities, dict):
        return quantities
    return {name: str(each) if _number(each) else each for name, each in quantities.items()}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _ports(owner: Mapping[str, Any]) -> Mapping[str, Any]:
    ports = owner.get("ports")
    if not isinstance(ports, list):
        return owner
    return {**owner, "ports": [{"protocol": _PROTOCOL, **each} if isinstance(each, dict) else each for each in ports]}


def _hard(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**spec, "hard": _strings(spec["hard"])} if "hard" in spec else spec


_SPECIAL: dict[tuple[str, str], tuple[tuple[str, ...], Any]] = {
    ("v1", "Service"): (("spec",), _ports),
    ("v1", "ResourceQuota"): (("spec",), _hard),
    ("v1", "PersistentVolumeClaim"): (("spec",), _resources),
}
