"""Whether an object is healthy, by the conventions of kstatus (kubernetes-sigs). Called by the health activities.

Current: as declared. InProgress: still changing. Failed: does not become healthy by itself. Terminating: being deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from nautes.convergence.objects import group_of, metadata

Status = Literal["Current", "InProgress", "Failed", "Terminating"]
REASON_LENGTH = 300  # characters


class Health(NamedTuple):
    """`reason` is empty when the status is Current."""

    status: Status
    reason: str = ""


CURRENT = Health("Current")


def health(item: Mapping[str, Any]) -> Health:
    """Never raises: any object gets a status, also one whose fields have unexpected types."""
    if metadata(item).get("deletionTimestamp"):
        finalizers = ", ".join(str(each) for each in metadata(item).get("finalizers") or [])
        return Health("Terminating", f"waits for finalizers {finalizers}" if finalizers else "being deleted")
    status = item.get("status")
    status = status if isinstance(status, Mapping) else {}
    spec = item.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    observed = status.get("observedGeneration")
    generation = metadata(item).get("generation")
    if observed is not None and generation is not None and observed != generation:
        return Health("InProgress", "its controller has not seen the newest declaration yet")
    special = _KINDS.get((group_of(str(item.get("apiVersion"))), str(item.get("kind"))))
    found = special(spec, status, generation is not None and observed is None) if special else _generic(status)
    return found._replace(reason=found.reason[:REASON_LENGTH])


def _conditions(status: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    conditions = status.get("conditions")
    if not isinstance(conditions, list):
        return {}
    return {str(each.get("type")): each for each in conditions if isinstance(each, Mapping)}


def _is(conditions: Mapping[str, Mapping[str, Any]], name: str, value: str) -> bool:
    return str(conditions.get(name, {}).get("status")) == value


def _says(condition: Mapping[str, Any]) -> str:
    return ": ".join(str(condition[key]) for key in ("reason", "message") if condition.get(key))


def _generic(status: Mapping[str, Any]) -> Health:
    conditions = _conditions(status)
    if _is(conditions, "Stalled", "True"):
        return Health("Failed", _says(conditions["Stalled"]) or "Stalled")
    if _is(conditions, "Reconciling", "True"):
        return Health("InProgress", _says(conditions["Reconciling"]) or "Reconciling")
    if "Ready" in conditions and not _is(conditions, "Ready", "True"):
        return Health("InProgress", _says(conditions["Ready"]) or "not Ready")
    return CURRENT


def _int(values: Mapping[str, Any], key: str, default: int = 0) -> int:
    value = values.get(key, default)
    return value if isinstance(value, int) else default


def _deployment(spec: Mapping[str, Any], status: Mapping[str, Any], unseen: bool) -> Health:
    if unseen:
        return Health("InProgress", "its controller has not seen it yet")
    conditions = _conditions(status)
    progressing = conditions.get("Progressing", {})
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Health("Failed", _says(progressing))
    if _is(conditions, "ReplicaFailure", "True"):
        return Health("InProgress", _says(conditions["ReplicaFailure"]))
    wanted = _int(spec, "replicas", 1)
    for key, text in (("updatedReplicas", "updated"), ("readyReplicas", "ready"), ("availableReplicas", "available")):
        if _int(status, key) < wanted:
            return Health("InProgress", f"{_int(status, key)} of {wanted} replicas {text}")
    if _int(status, "replicas") > wanted:
        return Health("InProgress", f"{_int(status, 'replicas') - wanted} old replicas are still there")
    return CURRENT


def _stateful_set(spec: Mapping[str, Any], status: Mapping[str, Any], unseen: bool) -> Health:
    if unseen:
        return Health("InProgress", "its controller has not seen it yet")
    wanted = _int(spec, "replicas", 1)
    if _int(status, "readyReplicas") < wanted:
        return Health("InProgress", f"{_int(status, 'readyReplicas')} of {wanted} replicas ready")
    strategy = spec.get("updateStrategy")
    strategy = strategy if isinstance(strategy, Mapping) else {}
    if strategy.get("type") == "OnDelete":
        return CURRENT
    rolling = strategy.get("rollingUpdate")
    updated = max(0, wanted - _int(rolling if isinstance(rolling, Mapping) else {}, "partition"))
    if status.get("currentRevision") != status.get("updateRevision") and _int(status, "updatedReplicas") < updated:
        return Health("InProgress", f"{_int(status, 'updatedReplicas')} of {updated} replicas updated")
    if _int(status, "replicas") > wanted:
        return Health("InProgress", f"{_int(status, 'replicas') - wanted} replicas too many are still there")
    return CURRENT


def _daemon_set(spec: Mapping[str, Any], status: Mapping[str, Any], unseen: bool) -> Health:
    if unseen:
        return Health("InProgress", "its controller has not seen it yet")
    wanted = _int(status, "desiredNumberScheduled")
    for key, text in (
        ("updatedNumberScheduled", "updated"),
        ("numberReady", "ready"),
        ("numberAvailable", "available"),
    ):
        if _int(status, key) < wanted:
            return Health("InProgress", f"{_int(status, key)} of {wanted} pods {text}")
    return CURRENT


def _replica_set(spec: Mapping[str, Any], status: Mapping[str, Any], unseen: bool) -> Health:
    wanted = _int(spec, "replicas", 1)
    ready = _int(status, "readyReplicas")
    return Health("InProgress", f"{ready} of {wanted} replicas ready") if ready < wanted else CURRENT


def _job(spec: Mapping[str, Any], status: Mapping[str, Any], unseen: bool) -> Health:
    """A job that runs is as declared; one that failed or has not begun is not."""
    conditions = _conditions(status)
    if _is(conditions, "Failed", "True"):
        return Health("Failed", _says(conditions["Failed"]))
    if _is(conditions, "Complete", "True") or status.get("startTime") or spec.get("suspend"):
        return CURRENT
    return Health("InProgress", "not started yet")


def _pod(spec: Mapping[str, Any], status: Mapping[str, Any], unseen: bool) -> Health:
    phase = status.get("phase")
    if phase == "Succeeded":
        return CURRENT
    if phase == "Failed":
        return Health("Failed", str(status.get("message") or status.get("reason") or "the pod failed"))
    waiting = _waiting(status)
    if waiting and waiting[0] in ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "InvalidImageName"):
        return Health("Failed", ": ".join(part for part in waiting if part))
    conditions = _conditions(status)
    if phase == "Running" and _is(conditions, "Ready", "True"):
        return CURRENT
    if _is(conditions, "PodScheduled", "False"):
        return Health("InProgress", _says(conditions["PodScheduled"]))
    return Health("InProgress", ": ".join(part for part in waiting if part) if waiting else str(phase or "Pending"))


def _waiting(status: Mapping[str, Any]) -> tuple[str, str] | None:
    """(reason, message) of the first container that waits."""
    statuses = status.get("containerStatuses")
    for each in statuses if isinstance(statuses, list) else []:
        state = each.get("state") if isinstance(each, Mapping) else None
        waiting = state.get("waiting") if isinstance(state, Mapping) else None
        if isinstance(waiting, Mapping):
            return str(waiting.get("reason") or ""), str(waiting.get("message") or "")
    return None


def _claim(spec: Mapping[str, Any], status: Mapping[str, Any], unseen: bool) -> Health:
    phase = status.get("phase")
    if phase == "Lost":
        return Health("Failed", "its volume is lost")
    return CURRENT if phase == "Bound" else Health("InProgress", f"claim is {phase or 'Pending'}")


def _service(spec: Mapping[str, Any], status: Mapping[str, Any], unseen: bool) -> Health:
    if spec.get("type") != "LoadBalancer":
        return CURRENT
    balancer = status.get("loadBalancer")
    return (
        CURRENT
        if isinstance(balancer, Mapping) and balancer.get("ingress")
        else Health("InProgress", "no address of the load balancer yet")
    )


def _definition(spec: Mapping[str, Any], status: Mapping[str, Any], unseen: bool) -> Health:
    conditions = _conditions(status)
    if _is(conditions, "NamesAccepted", "False"):
        return Health("Failed", _says(conditions["NamesAccepted"]))
    return CURRENT if _is(conditions, "Established", "True") else Health("InProgress", "not established yet")


def _budget(spec: Mapping[str, Any], status: Mapping[str, Any], unseen: bool) -> Health:
    return CURRENT


_Special = Callable[[Mapping[str, Any], Mapping[str, Any], bool], Health]
_KINDS: dict[tuple[str, str], _Special] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("policy", "PodDisruptionBudget"): _budget,
}
