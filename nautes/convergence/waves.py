"""In which order kinds are applied and pruned. Called by the convergence activity.

Namespaces and definitions first, then accounts, then what workloads read, then workloads, then what points at them.
Within a wave the order does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from nautes.convergence.objects import group_of

FOUNDATIONS, ACCOUNTS, CONFIGURATION, WORKLOADS, REST = range(5)

_WAVES: dict[tuple[str, str], int] = {
    **dict.fromkeys(
        [
            ("", "Namespace"),
            ("apiextensions.k8s.io", "CustomResourceDefinition"),
            ("scheduling.k8s.io", "PriorityClass"),
            ("storage.k8s.io", "StorageClass"),
            ("node.k8s.io", "RuntimeClass"),
            ("networking.k8s.io", "IngressClass"),
        ],
        FOUNDATIONS,
    ),
    # Before their token Secrets: the token controller deletes a Secret whose account is not there yet.
    ("", "ServiceAccount"): ACCOUNTS,
    **dict.fromkeys(
        [
            ("", "ConfigMap"),
            ("", "Secret"),
            ("", "Service"),
            ("", "LimitRange"),
            ("", "ResourceQuota"),
            ("", "PersistentVolume"),
            ("", "PersistentVolumeClaim"),
            ("networking.k8s.io", "NetworkPolicy"),
            ("rbac.authorization.k8s.io", "Role"),
            ("rbac.authorization.k8s.io", "RoleBinding"),
            ("rbac.authorization.k8s.io", "ClusterRole"),
            ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ],
        CONFIGURATION,
    ),
    **dict.fromkeys(
        [
            ("", "Pod"),
            ("", "ReplicationController"),
            ("apps", "Deployment"),
            ("apps", "StatefulSet"),
            ("apps", "DaemonSet"),
            ("apps", "ReplicaSet"),
            ("batch", "Job"),
            ("batch", "CronJob"),
        ],
        WORKLOADS,
    ),
}

Item = TypeVar("Item")


def wave(group: str, kind: str) -> int:
    """The wave of a kind; kinds that are not listed (custom resources, webhooks) come last."""
    return _WAVES.get((group, kind), REST)


def in_waves(items: Iterable[tuple[Mapping[str, Any], Item]]) -> list[list[Item]]:
    """`items` (object, what stands for it) by wave, first wave first; empty waves are left out."""
    waves: dict[int, list[Item]] = {}
    for item, stands in items:
        waves.setdefault(wave(group_of(str(item["apiVersion"])), str(item["kind"])), []).append(stands)
    return [waves[number] for number in sorted(waves)]
