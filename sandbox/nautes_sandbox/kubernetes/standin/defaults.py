"""Defaults of built-in objects, as far as health, selectors and comparisons depend on them.

Used by writing.py on an object that is not shared yet; every function changes it in place.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

Object = dict[str, Any]
_EMPTY = frozenset(
    (
        *("data", "binaryData", "labels", "annotations", "finalizers", "ownerReferences", "imagePullSecrets"),
        *("secrets", "env", "envFrom", "ports", "args", "command", "volumes", "volumeMounts", "tolerations"),
    )
)  # left out when there is nothing in them, as Go's omitempty does


def tidy(value: Any, parent: str = "") -> Any:
    """`value` without nulls and without what is left out when empty."""
    if isinstance(value, list):
        return [tidy(each, parent) for each in value]
    if not isinstance(value, dict):
        return value
    keeps_all = parent in ("data", "labels", "annotations", "matchLabels", "binaryData")
    found = {name: each if keeps_all else tidy(each, name) for name, each in value.items() if each is not None}
    if keeps_all:
        return found
    if parent == "env" and found.get("value") == "":
        del found["value"]
    return {name: each for name, each in found.items() if not (name in _EMPTY and not each)}


def fill(kind: str, item: Object, old: Object | None) -> None:
    """Defaults of a built-in kind. `old` is the object before; what the server once chose is kept."""
    special = _KINDS.get(kind)
    if special:
        special(item, old)
    path = _TEMPLATES.get(kind)
    spec: Any = item
    for name in path or ():
        spec = spec.get(name) if isinstance(spec, dict) else None
    if path and isinstance(spec, dict):
        _pod_spec(spec)


def status(kind: str) -> Object:
    """The status of an object that was just made."""
    found: dict[str, Object] = {
        "Namespace": {"phase": "Active"},
        "Pod": {"phase": "Pending", "qosClass": "BestEffort"},
        "PersistentVolumeClaim": {"phase": "Pending"},
        "PersistentVolume": {"phase": "Pending"},
        "Service": {"loadBalancer": {}},
        "Ingress": {"loadBalancer": {}},
    }
    return found.get(kind, {})


_TEMPLATES = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"), ("spec", "template", "spec")),
}


def _pod_spec(spec: Object) -> None:
    values = {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler"}
    for name, value in {**values, "terminationGracePeriodSeconds": 30, "securityContext": {}}.items():
        spec.setdefault(name, value)
    if "serviceAccountName" in spec:
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        if isinstance(container, dict):
            _container(container)


def _container(container: Object) -> None:
    image = str(container.get("image", ""))
    tag = image.rpartition("/")[2].partition(":")[2]
    container.setdefault("imagePullPolicy", "Always" if tag in ("", "latest") and "@" not in image else "IfNotPresent")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("resources", {})
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")


def _pod(item: Object, old: Object | None) -> None:
    item.get("spec", {}).setdefault("serviceAccountName", "default")


def _deployment(item: Object, old: Object | None) -> None:
    spec = item.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)


def _stateful_set(item: Object, old: Object | None) -> None:
    spec = item.setdefault("spec", {})
    for name, value in {"replicas": 1, "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10}.items():
        spec.setdefault(name, value)
    strategy = spec.setdefault("updateStrategy", {"type": "RollingUpdate"})
    if strategy.get("type") == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {"partition": 0})


def _daemon_set(item: Object, old: Object | None) -> None:
    spec = item.setdefault("spec", {})
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}})


def _replica_set(item: Object, old: Object | None) -> None:
    item.setdefault("spec", {}).setdefault("replicas", 1)


def _job(item: Object, old: Object | None) -> None:
    spec = item.setdefault("spec", {})
    for name, value in {"parallelism": 1, "completions": 1, "backoffLimit": 6, "suspend": False}.items():
        spec.setdefault(name, value)
    if not spec.get("manualSelector") and isinstance(spec.get("template"), dict):
        uid = item["metadata"]["uid"]
        labels = {"controller-uid": uid, "job-name": item["metadata"]["name"]}
        meta = spec["template"].setdefault("metadata", {})
        meta["labels"] = {**(meta.get("labels") or {}), **labels}
        spec["selector"] = {"matchLabels": {"controller-uid": uid}}


def _cron_job(item: Object, old: Object | None) -> None:
    spec = item.setdefault("spec", {})
    limits = {"successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1}
    for name, value in {"concurrencyPolicy": "Allow", "suspend": False, **limits}.items():
        spec.setdefault(name, value)


def _service(item: Object, old: Object | None) -> None:
    spec, before = item.setdefault("spec", {}), (old or {}).get("spec") or {}
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or []:
        if isinstance(port, dict):
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port.get("port"))
    if kind == "ExternalName":
        return
    if not spec.get("clusterIP"):
        spec["clusterIP"] = before.get("clusterIP") or _address(item["metadata"]["uid"])
    spec["clusterIPs"] = [spec["clusterIP"]]
    spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")


def _address(uid: str) -> str:
    """An address of the service range; not checked to be free, because nothing listens on it."""
    digest = hashlib.sha256(uid.encode()).digest()
    return f"10.0.0.{2 + digest[0] % 252}"


def _secret(item: Object, old: Object | None) -> None:
    strings = item.pop("stringData", None) or {}
    if strings:
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in strings.items()}
        item["data"] = {**(item.get("data") or {}), **encoded}
    item.setdefault("type", "Opaque")
    if isinstance(item.get("data"), dict):
        # Bytes are written back in one way: line breaks that were in them are gone.
        item["data"] = {
            name: "".join(each.splitlines()) if isinstance(each, str) else each for name, each in item["data"].items()
        }


def _namespace(item: Object, old: Object | None) -> None:
    meta = item["metadata"]
    meta["labels"] = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}
    if old is None:
        item.setdefault("spec", {})["finalizers"] = ["kubernetes"]
    else:
        item["spec"] = old.get("spec") or {}


def _claim(item: Object, old: Object | None) -> None:
    item.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")


def _binding(item: Object, old: Object | None) -> None:
    for subject in item.get("subjects") or []:
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", "rbac.authorization.k8s.io")


_KINDS: dict[str, Callable[[Object, Object | None], None]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "ReplicaSet": _replica_set,
    "Job": _job,
    "CronJob": _cron_job,
    "Service": _service,
    "Secret": _secret,
    "Namespace": _namespace,
    "PersistentVolumeClaim": _claim,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
}
