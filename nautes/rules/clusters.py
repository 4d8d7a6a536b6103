"""Rules about clusters, and the defaults a registration fills in before they run.

`check` answers with what refuses a registration, `warnings` with what refuses nothing. Called by activities/clusters.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic.alias_generators import to_camel, to_snake

from nautes.resources.cluster import Cluster, Component, Components, VirtualCluster
from nautes.resources.documents import shortened
from nautes.resources.findings import Finding
from nautes.rules.catalogue import (
    BY_NAME,
    COMPLETE,
    HOST,
    OPTIONAL,
    OWN_SLOTS,
    REQUIRED,
    Entry,
    default_for,
    default_of_original,
    fitting,
)

# Every rule about clusters by its id, with what it demands: the hint where nothing better is known.
RULES: dict[str, str] = {
    "cluster-name": "give the cluster another name: this one is a file of the layout or a login of Vault",
    "cluster-host": "a host has clusterType physical and no workerType",
    "cluster-worker-type": "set workerType to deployment or pipeline",
    "cluster-host-of-physical": "leave hostCluster empty, or set clusterType to virtual",
    "cluster-host-unknown": "register the host first and name it in hostCluster",
    "cluster-node-port": "set vcluster.httpsNodePort, or name the port in apiServer",
    "cluster-slot": "leave the slot empty, or register a cluster of the category that has it",
    "cluster-component-unknown": "name a component of the catalogue in its own slot",
    "cluster-component-missing": "fill the slots that clusters of this category need",
    "cluster-component-bundle": "install the component yourself: it must be there already",
    "cluster-property": "additions hold what the component needs: host is a DNS name, ports are numbers up to 65535",
    "cluster-reserved-namespace": "name namespaces of the cluster's components only",
    "cluster-resource": "name kind and group of the resources a product may use",
    "cluster-frozen": "remove the runtimes from the cluster first, or register another cluster",
}
ADVISORY = frozenset({"cluster-component-bundle"})
FROZEN = ("cluster_kind", "cluster_type", "usage", "worker_type", "host_cluster")
TAKEN = ("kustomization", "approle", "token")  # a file beside the clusters' own, and auth mounts that Vault has anyway
HOST_NAME = r"[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?)*"


def with_defaults(cluster: Cluster) -> Cluster:
    """Fill the primary domain, the slots the cluster's category needs, and what the components in them need."""
    domain = cluster.primary_domain or _domain(cluster.api_server)
    slots = cluster.components_list.filled()
    for slot in needed(cluster):
        entry = default_for(slot) or default_of_original(slot)
        if slot not in slots and entry:
            slots[slot] = Component(name=entry.name, namespace=entry.namespace)
    for slot, component in slots.items():
        known = BY_NAME.get(component.name)
        if known:
            slots[slot] = _completed(component, known, cluster.name, domain)
    filled = {
        "components_list": Components(**{to_snake(slot): each for slot, each in slots.items()}),
        "primary_domain": domain,
        "vcluster": _vcluster(cluster),
    }
    return cluster.model_copy(update=filled)


def needed(cluster: Cluster) -> tuple[str, ...]:
    """The slots that must be filled: few in a manifest of this build, all of the original's in one that looks like its."""
    named = cluster.components_list.filled()
    original = any(slot not in OWN_SLOTS and each.name in BY_NAME for slot, each in named.items())
    return (COMPLETE if original else REQUIRED).get(_category(cluster), ())


def _completed(component: Component, known: Entry, cluster: str, domain: str) -> Component:
    said = component.additions or {}
    default = {each.name: each.default.format(cluster=cluster, domain=domain) for each in known.properties}
    additions = {**default, **said} or component.additions
    return component.model_copy(update={"namespace": component.namespace or known.namespace, "additions": additions})


def _vcluster(cluster: Cluster) -> VirtualCluster | None:
    port = urlsplit(cluster.api_server).port
    said = cluster.vcluster.https_node_port if cluster.vcluster else ""
    if cluster.cluster_type == "virtual" and not said and port:
        return VirtualCluster(https_node_port=str(port))
    return cluster.vcluster


def _domain(api_server: str) -> str:
    host = urlsplit(api_server).hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return host
    return f"{host.replace(':', '-')}.nip.io"


def _category(cluster: Cluster) -> tuple[str, str, str]:
    return cluster.usage, cluster.cluster_type, cluster.worker_type


def check(
    cluster: Cluster, before: Cluster | None, others: Mapping[str, Cluster], users: Iterable[str]
) -> list[Finding]:
    """Every finding that refuses a cluster as it shall be. `users` are the runtimes that have claimed something of it."""
    found = [
        *_shape(cluster, others),
        *_virtual(cluster, others),
        *_slots(cluster),
        *_components(cluster),
        *_allowed(cluster),
    ]
    if before is not None:
        found += _frozen(cluster, before, sorted(users))
    return found


def warnings(cluster: Cluster) -> list[Finding]:
    """What its owner should know and what refuses nothing: the components that this build does not install."""
    return [
        _finding(
            "cluster-component-bundle",
            cluster,
            f"this build does not install {each.name}; it must be there already",
            f"/spec/componentsList/{slot}",
        )
        for slot, each in cluster.components_list.filled().items()
        if (known := BY_NAME.get(each.name)) and known.slot == slot and not known.bundled
    ]


def _finding(rule: str, cluster: Cluster, message: str, pointer: str = "", hint: str = "") -> Finding:
    return Finding(rule=rule, message=message, pointer=pointer, hint=hint or RULES[rule], resource=cluster.key)


def _shape(cluster: Cluster, others: Mapping[str, Cluster]) -> Iterable[Finding]:
    if cluster.name in TAKEN:
        yield _finding("cluster-name", cluster, f"a cluster cannot be named {cluster.name}", "/spec/name")
    if cluster.usage == "host" and (cluster.cluster_type != "physical" or cluster.worker_type):
        yield _finding("cluster-host", cluster, "a host is physical and has no worker type", "/spec/usage")
    if cluster.usage == "worker" and not cluster.worker_type:
        yield _finding("cluster-worker-type", cluster, "a worker needs a workerType", "/spec/workerType")
    if cluster.cluster_type == "physical" and cluster.host_cluster:
        yield _finding("cluster-host-of-physical", cluster, "a physical cluster has no host", "/spec/hostCluster")


def _virtual(cluster: Cluster, others: Mapping[str, Cluster]) -> Iterable[Finding]:
    if cluster.cluster_type != "virtual":
        return
    host = others.get(cluster.host_cluster)
    if host is None or host.usage != "host":
        text = f"a virtual cluster needs a registered host; {cluster.host_cluster or '(none)'} is not one"
        yield _finding("cluster-host-unknown", cluster, text, "/spec/hostCluster")
    port = cluster.vcluster.https_node_port if cluster.vcluster else ""
    if not _is_port(port):
        text = f"{shortened(port)} is no port" if port else "a virtual cluster needs a port on its host"
        yield _finding("cluster-node-port", cluster, text, "/spec/vcluster/httpsNodePort")


def _is_port(text: str) -> bool:
    return re.fullmatch("[0-9]{1,5}", text) is not None and 0 < int(text) < 65536


def _is_host(text: str) -> bool:
    return len(text) <= 253 and re.fullmatch(HOST_NAME, text) is not None


def _slots(cluster: Cluster) -> Iterable[Finding]:
    slots, category = cluster.components_list.filled(), _category(cluster)
    for slot in slots:
        if category in COMPLETE and slot not in (*COMPLETE[category], *OPTIONAL):
            text = f"a cluster of this category ({' '.join(filter(None, category))}) has no {slot}"
            yield _finding("cluster-slot", cluster, text, f"/spec/componentsList/{slot}")
    for slot in needed(cluster):
        if slot not in slots:
            yield _finding("cluster-component-missing", cluster, f"{slot} must be filled", "/spec/componentsList")


def _components(cluster: Cluster) -> Iterable[Finding]:
    for slot, component in cluster.components_list.filled().items():
        pointer = f"/spec/componentsList/{slot}"
        known = BY_NAME.get(component.name)
        if known is None or known.slot != slot:
            text, hint = f"{component.name} is no component for {slot}", f"available: {', '.join(fitting(slot))}"
            yield _finding("cluster-component-unknown", cluster, text, pointer, hint)
            continue
        for each in known.properties:
            value = (component.additions or {}).get(each.name, "")
            if not (_is_host(value) if each.holds == HOST else _is_port(value)):
                text = f"{each.name} of {component.name} must be a {each.holds}, not {shortened(value)}"
                yield _finding("cluster-property", cluster, text, f"{pointer}/additions/{each.name}")


def _allowed(cluster: Cluster) -> Iterable[Finding]:
    namespaces = {each.namespace for each in cluster.components_list.filled().values()}
    for name in cluster.reserved_namespaces_allowed_products or {}:
        if name not in namespaces:
            text = f"{name} is not the namespace of a component of this cluster"
            yield _finding("cluster-reserved-namespace", cluster, text, "/spec/reservedNamespacesAllowedProducts")
    for product, resources in (cluster.product_allowed_cluster_resources or {}).items():
        for each in resources:
            if not each.group:
                text = f"{each.kind} for {product} needs a group; cluster-wide kinds of the core group cannot be opened"
                yield _finding("cluster-resource", cluster, text, "/spec/productAllowedClusterResources")


def _frozen(cluster: Cluster, before: Cluster, users: list[str]) -> Iterable[Finding]:
    for field in FROZEN:
        if users and getattr(cluster, field) != getattr(before, field):
            text = f"{to_camel(field)} may not change while the cluster is used by {', '.join(users)}"
            yield _finding("cluster-frozen", cluster, text, f"/spec/{to_camel(field)}")
