"""Between a client's version of a kind and the one that is stored. Only HorizontalPodAutoscaler differs between its versions."""

from __future__ import annotations

from typing import Any

from nautes_sandbox.kubernetes.standin.kinds import Kind
from nautes_sandbox.kubernetes.standin.problems import not_implemented

Object = dict[str, Any]
_TARGET = "targetCPUUtilizationPercentage"


def shown(kind: Kind, version: str, item: Object) -> Object:
    """A stored object in the version of a client. Raises a 501 for what that version cannot say."""
    metrics = (item.get("spec") or {}).get("metrics") if _differs(kind, version) else None
    if not metrics:
        return item
    only = metrics[0].get("resource") or {}
    wanted = (only.get("target") or {}).get("averageUtilization")
    if len(metrics) > 1 or only.get("name") != "cpu" or wanted is None:
        raise not_implemented("metrics other than processor utilization in autoscaling/v1")
    spec = {name: value for name, value in item["spec"].items() if name != "metrics"}
    return {**item, "spec": {**spec, _TARGET: wanted}}


def kept(kind: Kind, version: str, item: Object) -> Object:
    """A client's object as it is stored."""
    spec = item.get("spec") or {}
    if not _differs(kind, version) or _TARGET not in spec:
        return item
    target = {"type": "Utilization", "averageUtilization": spec[_TARGET]}
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return {**item, "spec": {**{name: value for name, value in spec.items() if name != _TARGET}, "metrics": metrics}}


def _differs(kind: Kind, version: str) -> bool:
    return kind.kind == "HorizontalPodAutoscaler" and kind.group == "autoscaling" and version == "v1"
