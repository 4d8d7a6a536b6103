"""Which kinds are served: the built-in ones and those that definitions add. Asked by every request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Kind:
    """`versions` are those served, the preferred first; `schemas` has one schema per version of a custom kind."""

    group: str
    kind: str
    plural: str
    namespaced: bool = True
    versions: tuple[str, ...] = ("v1",)
    short: tuple[str, ...] = ()
    status: bool = False  # has the subresource
    generation: bool = False
    categories: tuple[str, ...] = ()
    schemas: Mapping[str, Any] | None = field(default=None, hash=False)
    status_versions: frozenset[str] = frozenset()  # of a custom kind

    @property
    def resource(self) -> str:
        """Name under which its objects are stored."""
        return f"{self.group}/{self.plural}"

    @property
    def custom(self) -> bool:
        """Whether a definition made it."""
        return self.schemas is not None

    def api_version(self, version: str) -> str:
        """`apiVersion` of its objects."""
        return f"{self.group}/{version}" if self.group else version

    def has_status(self, version: str) -> bool:
        """Whether status is written through its own subresource."""
        return version in self.status_versions if self.custom else self.status


class Kinds:
    """The kinds served now."""

    def __init__(self) -> None:
        self._kinds = {each.resource: each for each in BUILT_IN}

    def __iter__(self) -> Iterator[Kind]:
        return iter(list(self._kinds.values()))

    def add(self, kind: Kind) -> None:
        """Serve it from now on, in place of what had its name."""
        self._kinds[kind.resource] = kind

    def remove(self, resource: str) -> None:
        """Serve it no longer."""
        self._kinds.pop(resource, None)

    def resource(self, resource: str) -> Kind | None:
        """By the name under which objects are stored."""
        return self._kinds.get(resource)

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """By the path of a request."""
        kind = self._kinds.get(f"{group}/{plural}")
        return kind if kind and version in kind.versions else None

    def versions(self) -> dict[str, list[str]]:
        """Group -> versions served, the preferred first."""
        found: dict[str, list[str]] = {"authentication.k8s.io": ["v1"], "authorization.k8s.io": ["v1"]}
        for kind in self._kinds.values():
            versions = found.setdefault(kind.group, [])
            versions += [each for each in kind.versions if each not in versions]
        return found


def _core(kind: str, plural: str, *short: str, **more: Any) -> Kind:
    return Kind("", kind, plural, short=short, **more)


def _workload(group: str, kind: str, plural: str, *short: str) -> Kind:
    return Kind(group, kind, plural, short=short, status=True, generation=True, categories=("all",))


RBAC = "rbac.authorization.k8s.io"
EXTENSIONS = "apiextensions.k8s.io"
_WIDE: dict[str, Any] = {"namespaced": False}

BUILT_IN = (
    _core("Namespace", "namespaces", "ns", status=True, **_WIDE),
    _core("Node", "nodes", "no", status=True, **_WIDE),
    _core("PersistentVolume", "persistentvolumes", "pv", status=True, **_WIDE),
    _core("ConfigMap", "configmaps", "cm"),
    _core("Endpoints", "endpoints", "ep"),
    _core("Event", "events", "ev"),
    _core("LimitRange", "limitranges", "limits"),
    _core("PersistentVolumeClaim", "persistentvolumeclaims", "pvc", status=True),
    _core("Pod", "pods", "po", status=True, categories=("all",)),
    _core("ResourceQuota", "resourcequotas", "quota", status=True),
    _core("Secret", "secrets"),
    _core("ServiceAccount", "serviceaccounts", "sa"),
    _core("Service", "services", "svc", status=True, categories=("all",)),
    _workload("apps", "DaemonSet", "daemonsets", "ds"),
    _workload("apps", "Deployment", "deployments", "deploy"),
    _workload("apps", "ReplicaSet", "replicasets", "rs"),
    _workload("apps", "StatefulSet", "statefulsets", "sts"),
    Kind(
        "autoscaling",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        versions=("v2", "v1"),
        short=("hpa",),
        status=True,
    ),
    _workload("batch", "CronJob", "cronjobs", "cj"),
    _workload("batch", "Job", "jobs"),
    Kind("coordination.k8s.io", "Lease", "leases"),
    Kind("networking.k8s.io", "Ingress", "ingresses", short=("ing",), status=True, generation=True),
    Kind("networking.k8s.io", "IngressClass", "ingressclasses", generation=True, **_WIDE),
    Kind("networking.k8s.io", "NetworkPolicy", "networkpolicies", short=("netpol",), generation=True),
    Kind("policy", "PodDisruptionBudget", "poddisruptionbudgets", short=("pdb",), status=True, generation=True),
    Kind(RBAC, "ClusterRole", "clusterroles", **_WIDE),
    Kind(RBAC, "ClusterRoleBinding", "clusterrolebindings", **_WIDE),
    Kind(RBAC, "Role", "roles"),
    Kind(RBAC, "RoleBinding", "rolebindings"),
    Kind("scheduling.k8s.io", "PriorityClass", "priorityclasses", short=("pc",), generation=True, **_WIDE),
    Kind("storage.k8s.io", "StorageClass", "storageclasses", short=("sc",), **_WIDE),
    Kind(
        EXTENSIONS,
        "CustomResourceDefinition",
        "customresourcedefinitions",
        short=("crd", "crds"),
        status=True,
        generation=True,
        **_WIDE,
    ),
)
NAMESPACES, SECRETS, ACCOUNTS, CONFIG_MAPS = "/namespaces", "/secrets", "/serviceaccounts", "/configmaps"
DEFINITIONS = f"{EXTENSIONS}/customresourcedefinitions"
