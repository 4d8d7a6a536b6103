"""A runtime's place in a cluster as the tests use it, and small objects to put there."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from activities.kubernetes import Converger, HealthObserver, Remover
from nautes.clients.git import GitCache
from nautes.clients.kubernetes import Cluster, Clusters
from nautes.messages.convergence import (
    ConvergeInput,
    ConvergeReport,
    HealthInput,
    ObjectHealth,
    ObjectOutcome,
    OwnedInput,
)
from nautes.messages.errors import Conflict
from nautes.messages.secrets import SecretRef

REF = SecretRef(engine="cluster", path="test", version=1)


@dataclass
class Runtime:
    """A runtime's place in the cluster, and the engine's verbs for it."""

    clusters: Clusters
    cluster: Cluster
    namespace: str
    git: GitCache | None = None

    @property
    def owner(self) -> str:
        return f"product-7-{self.namespace}"

    @property
    def account(self) -> str:
        return f"system:serviceaccount:{self.namespace}:product-7-web"

    def converge(self, objects: list[dict[str, Any]] | None = None, **changes: Any) -> ConvergeReport:
        return Converger(self.clusters, self.git).converge(self.input(objects, **changes))

    def input(self, objects: list[dict[str, Any]] | None = None, **changes: Any) -> ConvergeInput:
        values: dict[str, Any] = {
            "cluster": REF,
            "owner": self.owner,
            "objects": objects or [],
            "namespaces": [self.namespace],
            "account": self.account,
        }
        return ConvergeInput(**(values | changes))

    def writes(self, objects: list[dict[str, Any]], **changes: Any) -> tuple[ConvergeReport, int]:
        """A convergence, and how many requests other than reads it made."""
        before = self.cluster.requests.copy()
        report = self.converge(objects, **changes)
        made = self.cluster.requests - before
        return report, sum(count for method, count in made.items() if method != "GET")

    def get(self, kind: str, name: str, version: str = "v1", namespace: str | None = None) -> dict[str, Any]:
        found = self.cluster.kind(version, kind)
        assert found is not None
        return self.cluster.get(found, self.namespace if namespace is None else namespace, name)

    def edit(self, kind: str, name: str, patch: dict[str, Any], version: str = "v1") -> dict[str, Any]:
        """What a person does with kubectl edit."""
        found = self.cluster.kind(version, kind)
        assert found is not None
        return self.cluster.call(
            "PATCH", found.path(self.namespace, name), body=patch, content_type="application/merge-patch+json"
        )

    @property
    def health_observer(self) -> HealthObserver:
        return HealthObserver(self.clusters)

    @property
    def remover(self) -> Remover:
        return Remover(self.clusters)

    def health(self, known: Iterable[ObjectHealth] = ()) -> HealthInput:
        return HealthInput(cluster=REF, owner=self.owner, namespaces=[self.namespace], known=list(known))

    def owned(self, known: Iterable[ObjectHealth] = ()) -> OwnedInput:
        return OwnedInput(cluster=REF, owner=self.owner, namespaces=[self.namespace], known=list(known))


def place(clusters: Clusters, cluster: Cluster) -> Runtime:
    """A runtime with a namespace of its own and an account that may do everything in it."""
    namespace = f"shop-{uuid.uuid4().hex[:8]}"
    create(cluster, "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    rbac = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{rbac}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "product-7-web"},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "product-7-web", "namespace": namespace}],
    }
    create(cluster, f"/apis/{rbac}/v1/namespaces/{namespace}/rolebindings", binding)
    return Runtime(clusters, cluster, namespace)


def create(cluster: Cluster, path: str, item: dict[str, Any]) -> None:
    """Create it unless it is there."""
    with suppress(Conflict):
        cluster.call("POST", path, body=item)


def config(name: str, value: str = "1", **more: Any) -> dict[str, Any]:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **more}, "data": {"k": value}}


def told(report: ConvergeReport) -> dict[str, str]:
    """Name -> action, of a report's outcomes."""
    return {outcome.name: outcome.action for outcome in report.outcomes}


def about(report: ConvergeReport, name: str) -> ObjectOutcome:
    """A report's outcome of one object."""
    return next(outcome for outcome in report.outcomes if outcome.name == name)
