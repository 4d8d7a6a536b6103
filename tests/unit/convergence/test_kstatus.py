"""Health by the conventions of kstatus: each kind in each state, and no object that breaks it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautes.convergence.health import health

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
DONE = {"updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2, "replicas": 2, "observedGeneration": 3}


def item(kind: str, version: str, status: Any, spec: Any = None, **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "a", "generation": 3, **meta},
        "spec": spec or {},
        "status": status,
    }


def condition(name: str, status: str, reason: str = "", message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": name, "status": status, "reason": reason, "message": message}]}


@pytest.mark.parametrize(
    ("found", "status", "reason"),
    [
        (item("Deployment", "apps/v1", DONE, {"replicas": 2}), "Current", ""),
        (item("Deployment", "apps/v1", {}, {"replicas": 2}), "InProgress", "controller"),
        (item("Deployment", "apps/v1", DONE | {"observedGeneration": 2}, {"replicas": 2}), "InProgress", "newest"),
        (
            item("Deployment", "apps/v1", DONE | {"readyReplicas": 1}, {"replicas": 2}),
            "InProgress",
            "1 of 2 replicas ready",
        ),
        (item("Deployment", "apps/v1", DONE | {"replicas": 3}, {"replicas": 2}), "InProgress", "1 old"),
        (
            item("Deployment", "apps/v1", DONE | condition("Progressing", "False", "ProgressDeadlineExceeded", "slow")),
            "Failed",
            "slow",
        ),
        (
            item(
                "Deployment",
                "apps/v1",
                DONE | condition("ReplicaFailure", "True", "Quota", "too much"),
                {"replicas": 3},
            ),
            "InProgress",
            "too much",
        ),
        (item("StatefulSet", "apps/v1", DONE, {"replicas": 2}), "Current", ""),
        (item("StatefulSet", "apps/v1", DONE, {"replicas": 3}), "InProgress", "2 of 3"),
        (
            item(
                "StatefulSet",
                "apps/v1",
                DONE | {"currentRevision": "a", "updateRevision": "b", "updatedReplicas": 1},
                {"replicas": 2},
            ),
            "InProgress",
            "updated",
        ),
        (item("DaemonSet", "apps/v1", {"desiredNumberScheduled": 0, "observedGeneration": 3}), "Current", ""),
        (
            item("DaemonSet", "apps/v1", {"desiredNumberScheduled": 2, "observedGeneration": 3}),
            "InProgress",
            "0 of 2 pods",
        ),
        (item("Job", "batch/v1", condition("Complete", "True")), "Current", ""),
        (item("Job", "batch/v1", condition("Failed", "True", "BackoffLimitExceeded")), "Failed", "Backoff"),
        (item("Job", "batch/v1", {}), "InProgress", "not started"),
        (item("Job", "batch/v1", {}, {"suspend": True}), "Current", ""),
        (item("Pod", "v1", {"phase": "Succeeded"}), "Current", ""),
        (item("Pod", "v1", {"phase": "Running"} | condition("Ready", "True")), "Current", ""),
        (item("Pod", "v1", {"phase": "Running"} | condition("Ready", "False")), "InProgress", "Running"),
        (item("Pod", "v1", {"phase": "Failed", "message": "evicted"}), "Failed", "evicted"),
        (item("Pod", "v1", condition("PodScheduled", "False", "Unschedulable", "no node")), "InProgress", "no node"),
        (
            item(
                "Pod",
                "v1",
                {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no"}}}]},
            ),
            "Failed",
            "ImagePullBackOff",
        ),
        (item("PersistentVolumeClaim", "v1", {"phase": "Bound"}), "Current", ""),
        (item("PersistentVolumeClaim", "v1", {"phase": "Pending"}), "InProgress", "Pending"),
        (item("PersistentVolumeClaim", "v1", {"phase": "Lost"}), "Failed", "lost"),
        (item("Service", "v1", {}), "Current", ""),
        (item("Service", "v1", {"loadBalancer": {}}, {"type": "LoadBalancer"}), "InProgress", "address"),
        (
            item("Service", "v1", {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}, {"type": "LoadBalancer"}),
            "Current",
            "",
        ),
        (item("CustomResourceDefinition", "apiextensions.k8s.io/v1", condition("Established", "True")), "Current", ""),
        (item("CustomResourceDefinition", "apiextensions.k8s.io/v1", {}), "InProgress", "established"),
        (
            item(
                "CustomResourceDefinition", "apiextensions.k8s.io/v1", condition("NamesAccepted", "False", "Conflict")
            ),
            "Failed",
            "",
        ),
        (item("Widget", "example.com/v1", {}), "Current", ""),
        (item("Widget", "example.com/v1", condition("Ready", "True")), "Current", ""),
        (item("Widget", "example.com/v1", condition("Ready", "False", "Waiting", "for tea")), "InProgress", "for tea"),
        (item("Widget", "example.com/v1", condition("Stalled", "True", "Broken", "for good")), "Failed", "for good"),
        (item("Widget", "example.com/v1", condition("Reconciling", "True")), "InProgress", "Reconciling"),
        (item("Widget", "example.com/v1", {"observedGeneration": 2}), "InProgress", "newest"),
        (
            item("ConfigMap", "v1", None, deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["a/b"]),
            "Terminating",
            "a/b",
        ),
        (item("ConfigMap", "v1", None), "Current", ""),
    ],
)
def test_health_says_status_and_reason(found: dict[str, Any], status: str, reason: str) -> None:
    verdict = health(found)
    assert verdict.status == status
    assert reason in verdict.reason
    assert bool(verdict.reason) == (status != "Current")


@given(
    st.sampled_from(["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Pod", "Service", "Widget"]),
    JSON,
    JSON,
)
def test_no_object_breaks_it(kind: str, spec: Any, status: Any) -> None:
    version = {"Job": "batch/v1", "Pod": "v1", "Service": "v1"}.get(kind, "apps/v1")
    assert health({"apiVersion": version, "kind": kind, "metadata": {}, "spec": spec, "status": status}).status
