"""Rules about clusters, and the defaults a registration fills in before they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from pydantic.alias_generators import to_camel, to_snake

from resources.cluster import Cluster, Component, Components
from resources.findings import Finding
from rules.catalogue import BY_NAME, REQUIRED, available, default_for

# Every rule about clusters by its id, with what it demands: the hint where nothing better is known.
RULES: dict[str, str] = {
    "cluster-name": "kustomization.yaml is a file of the layout; give the cluster another name",
    "cluster-host": "a host has clusterType physical and no workerType",
    "cluster-worker-type": "set workerType to deployment or pipeline",
    "cluster-host-of-physical": "leave hostCluster empty, or set clusterType to virtual",
    "cluster-host-unknown": "register the host first and name it in hostCluster",
    "cluster-component-unknown": "name a component of the catalogue in its own slot",
    "cluster-component-bundle": "name a component this build has a bundle for",
    "cluster-component-missing": "fill the slots that clusters of this category need",
    "cluster-reserved-namespace": "name namespaces of the cluster's components only",
    "cluster-frozen": "remove the runtimes from the cluster first, or register another cluster",
}
FROZEN = ("cluster_kind", "cluster_type", "usage", "worker_type", "host_cluster")


def with_defaults(cluster: Cluster) -> Cluster:
    """Fill the primary domain and the slots the cluster's category needs."""
    slots = cluster.components_list.filled()
    for slot in REQUIRED.get(_category(cluster), ()):
        entry = default_for(slot)
        if slot not in slots and entry:
            slots[slot] = Component(name=entry.name, namespace=entry.namespace)
    for slot, component in slots.items():
        known = BY_NAME.get(component.name)
        if known and not component.namespace:
            slots[slot] = component.model_copy(update={"namespace": known.namespace})
    components = Components(**{to_snake(slot): each for slot, each in slots.items()})
    domain = cluster.primary_domain or _domain(cluster.api_server)
    return cluster.model_copy(update={"components_list": components, "primary_domain": domain})


def _domain(api_server: str) -> str:
    host = urlsplit(api_server).hostname or ""
    return f"{host}.nip.io" if host.replace(".", "").isdigit() else host


def _category(cluster: Cluster) -> tuple[str, str, str]:
    return cluster.usage, cluster.cluster_type, cluster.worker_type


def check(
    cluster: Cluster, before: Cluster | None, others: Mapping[str, Cluster], users: Iterable[str]
) -> list[Finding]:
    """Every finding about a cluster as it shall be. `users` are the runtimes that have claimed something of it."""
    found = [*_shape(cluster, others), *_components(cluster), *_reserved(cluster)]
    if before is not None:
        found += _frozen(cluster, before, sorted(users))
    return found


def _finding(rule: str, cluster: Cluster, message: str, pointer: str = "", hint: str = "") -> Finding:
    return Finding(rule=rule, message=message, pointer=pointer, hint=hint or RULES[rule], resource=cluster.key)


def _shape(cluster: Cluster, others: Mapping[str, Cluster]) -> Iterable[Finding]:
    if cluster.name == "kustomization":
        yield _finding("cluster-name", cluster, "a cluster cannot be named kustomization", "/spec/name")
    if cluster.usage == "host" and (cluster.cluster_type != "physical" or cluster.worker_type):
        yield _finding("cluster-host", cluster, "a host is physical and has no worker type", "/spec/usage")
    if cluster.usage == "worker" and not cluster.worker_type:
        yield _finding("cluster-worker-type", cluster, "a worker needs a workerType", "/spec/workerType")
    if cluster.cluster_type == "physical" and cluster.host_cluster:
        yield _finding("cluster-host-of-physical", cluster, "a physical cluster has no host", "/spec/hostCluster")
    if cluster.cluster_type == "virtual":
        host = others.get(cluster.host_cluster)
        if host is None or host.usage != "host":
            text = f"a virtual cluster needs a registered host; {cluster.host_cluster or '(none)'} is not one"
            yield _finding("cluster-host-unknown", cluster, text, "/spec/hostCluster")


def _components(cluster: Cluster) -> Iterable[Finding]:
    slots = cluster.components_list.filled()
    for slot, component in slots.items():
        pointer = f"/spec/componentsList/{slot}"
        choices = ", ".join(available(slot)) or "none"
        known = BY_NAME.get(component.name)
        if known is None or known.slot != slot:
            text = f"{component.name} is no component for {to_camel(slot)}"
            yield _finding("cluster-component-unknown", cluster, text, pointer, f"available: {choices}")
        elif not known.bundled:
            text = f"component {component.name} is known but this build has no bundle for it"
            yield _finding("cluster-component-bundle", cluster, text, pointer, f"available: {choices}")
    for slot in REQUIRED.get(_category(cluster), ()):
        if slot not in slots:
            yield _finding("cluster-component-missing", cluster, f"{slot} must be filled", "/spec/componentsList")


def _reserved(cluster: Cluster) -> Iterable[Finding]:
    namespaces = {each.namespace for each in cluster.components_list.filled().values()}
    for name in cluster.reserved_namespaces_allowed_products or {}:
        if name not in namespaces:
            text = f"{name} is not the namespace of a component of this cluster"
            yield _finding("cluster-reserved-namespace", cluster, text, "/spec/reservedNamespacesAllowedProducts")


def _frozen(cluster: Cluster, before: Cluster, users: list[str]) -> Iterable[Finding]:
    for field in FROZEN:
        if users and getattr(cluster, field) != getattr(before, field):
            text = f"{to_camel(field)} may not change while the cluster is used by {', '.join(users)}"
            yield _finding("cluster-frozen", cluster, text, f"/spec/{to_camel(field)}")
