"""Rules about clusters, and the defaults a registration fills in before they run.

`check` returns findings that refuse a registration, `warnings` those that refuse nothing. Called by activities/clusters.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
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
from nautes.rules.registry import REGISTRATION, Rule, of_scope, register

SCOPE = "cluster"
TESTS = "tests/unit/rules/test_cluster_rules.py"

FROZEN = ("cluster_kind", "cluster_type", "usage", "worker_type", "host_cluster")
TAKEN = ("kustomization", "approle", "token")  # a file of the same folder, and auth mounts that Vault always has
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
    """The slots that must be filled: this build's few, or all of the original's when the manifest uses one that only it has."""
    named = cluster.components_list.filled()
    original = any(slot not in OWN_SLOTS and each.name in BY_NAME for slot, each in named.items())
    return (COMPLETE if original else REQUIRED).get(_category(cluster), ())


def _completed(component: Component, known: Entry, cluster: str, domain: str) -> Component:
    given = component.additions or {}
    default = {each.name: each.default.format(cluster=cluster, domain=domain) for each in known.properties}
    additions = {**default, **given} or component.additions
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


@dataclass(frozen=True)
class Registering:
    """Input of the rules about clusters: the cluster as requested and as it is, the other clusters, and its users (sorted)."""

    cluster: Cluster
    before: Cluster | None = None
    others: Mapping[str, Cluster] = field(default_factory=dict)
    users: tuple[str, ...] = ()

    @property
    def slots(self) -> Mapping[str, Component]:
        """The components by slot."""
        return self.cluster.components_list.filled()


Wrong = Iterable[tuple[str, str, str]]  # message, pointer, hint ("": what the rule demands)
Check = Callable[[Registering], Wrong]


def rule(id_: str, demand: str, *, advisory: bool = False) -> Callable[[Check], Check]:
    """Register a rule about clusters."""

    def add(check: Check) -> Check:
        register(Rule(id_, ("Cluster",), demand, REGISTRATION, TESTS, check, advisory, scope=SCOPE))
        return check

    return add


def check(
    cluster: Cluster, before: Cluster | None, others: Mapping[str, Cluster], users: Iterable[str]
) -> list[Finding]:
    """Every finding that refuses the requested cluster. `users` are the runtimes that have claims on it."""
    return _findings(Registering(cluster, before, others, tuple(sorted(users))), advisory=False)


def warnings(cluster: Cluster) -> list[Finding]:
    """Warnings for its owner: the components that this build does not install."""
    return _findings(Registering(cluster), advisory=True)


def _findings(case: Registering, *, advisory: bool) -> list[Finding]:
    return [
        each.finding(case.cluster, message, pointer=pointer, hint=hint)
        for each in of_scope(SCOPE)
        if each.advisory is advisory and each.check is not None
        for message, pointer, hint in each.check(case)
    ]


@rule("cluster-name", "give the cluster another name: this one is a file of the layout or an auth mount of Vault")
def name(case: Registering) -> Wrong:
    if case.cluster.name in TAKEN:
        yield f"a cluster cannot be named {case.cluster.name}", "/spec/name", ""


@rule("cluster-host", "a host has clusterType physical and no workerType")
def host(case: Registering) -> Wrong:
    cluster = case.cluster
    if cluster.usage == "host" and (cluster.cluster_type != "physical" or cluster.worker_type):
        yield "a host is physical and has no worker type", "/spec/usage", ""


@rule("cluster-worker-type", "set workerType to deployment or pipeline")
def worker_type(case: Registering) -> Wrong:
    if case.cluster.usage == "worker" and not case.cluster.worker_type:
        yield "a worker needs a workerType", "/spec/workerType", ""


@rule("cluster-host-of-physical", "leave hostCluster empty, or set clusterType to virtual")
def host_of_physical(case: Registering) -> Wrong:
    if case.cluster.cluster_type == "physical" and case.cluster.host_cluster:
        yield "a physical cluster has no host", "/spec/hostCluster", ""


@rule("cluster-host-unknown", "register the host first and name it in hostCluster")
def host_unknown(case: Registering) -> Wrong:
    cluster = case.cluster
    host = case.others.get(cluster.host_cluster)
    if cluster.cluster_type == "virtual" and (host is None or host.usage != "host"):
        text = f"a virtual cluster needs a registered host; {cluster.host_cluster or '(none)'} is not one"
        yield text, "/spec/hostCluster", ""


@rule("cluster-node-port", "set vcluster.httpsNodePort, or name the port in apiServer")
def node_port(case: Registering) -> Wrong:
    cluster = case.cluster
    port = cluster.vcluster.https_node_port if cluster.vcluster else ""
    if cluster.cluster_type == "virtual" and not _is_port(port):
        text = f"{shortened(port)} is no port" if port else "a virtual cluster needs a port on its host"
        yield text, "/spec/vcluster/httpsNodePort", ""


@rule("cluster-slot", "leave the slot empty, or register a cluster of the category that has it")
def slot_of_category(case: Registering) -> Wrong:
    category = _category(case.cluster)
    for slot in case.slots:
        if category in COMPLETE and slot not in (*COMPLETE[category], *OPTIONAL):
            text = f"a cluster of this category ({' '.join(filter(None, category))}) has no {slot}"
            yield text, f"/spec/componentsList/{slot}", ""


@rule("cluster-component-missing", "fill the slots that clusters of this category need")
def component_missing(case: Registering) -> Wrong:
    for slot in needed(case.cluster):
        if slot not in case.slots:
            yield f"{slot} must be filled", "/spec/componentsList", ""


@rule("cluster-component-unknown", "name a component of the catalogue in its own slot")
def component_unknown(case: Registering) -> Wrong:
    for slot, component in case.slots.items():
        known = BY_NAME.get(component.name)
        if known is None or known.slot != slot:
            text, hint = f"{component.name} is no component for {slot}", f"available: {', '.join(fitting(slot))}"
            yield text, f"/spec/componentsList/{slot}", hint


@rule("cluster-property", "additions hold what the component needs: host is a DNS name, ports are numbers up to 65535")
def component_property(case: Registering) -> Wrong:
    for slot, component in case.slots.items():
        known = BY_NAME.get(component.name)
        for each in known.properties if known and known.slot == slot else ():
            value = (component.additions or {}).get(each.name, "")
            if not (_is_host(value) if each.holds == HOST else _is_port(value)):
                text = f"{each.name} of {component.name} must be a {each.holds}, not {shortened(value)}"
                yield text, f"/spec/componentsList/{slot}/additions/{each.name}", ""


@rule("cluster-reserved-namespace", "name namespaces of the cluster's components only")
def reserved_namespace(case: Registering) -> Wrong:
    namespaces = {each.namespace for each in case.slots.values()}
    for name in case.cluster.reserved_namespaces_allowed_products or {}:
        if name not in namespaces:
            text = f"{name} is not the namespace of a component of this cluster"
            yield text, "/spec/reservedNamespacesAllowedProducts", ""


@rule("cluster-resource", "name kind and group of the resources a product may use")
def resource(case: Registering) -> Wrong:
    for product, resources in (case.cluster.product_allowed_cluster_resources or {}).items():
        for each in resources:
            if not each.group:
                text = f"{each.kind} for {product} needs a group; cluster-wide kinds of the core group cannot be opened"
                yield text, "/spec/productAllowedClusterResources", ""


@rule("cluster-frozen", "remove the runtimes from the cluster first, or register another cluster")
def frozen(case: Registering) -> Wrong:
    for field_ in FROZEN if case.before and case.users else ():
        if getattr(case.cluster, field_) != getattr(case.before, field_):
            text = f"{to_camel(field_)} may not change while the cluster is used by {', '.join(case.users)}"
            yield text, f"/spec/{to_camel(field_)}", ""


@rule("cluster-component-bundle", "install the component yourself before you register the cluster", advisory=True)
def component_bundle(case: Registering) -> Wrong:
    for slot, each in case.slots.items():
        known = BY_NAME.get(each.name)
        if known and known.slot == slot and not known.bundled:
            text = f"this build does not install {each.name}; it must be there already"
            yield text, f"/spec/componentsList/{slot}", ""


def _is_port(text: str) -> bool:
    return re.fullmatch("[0-9]{1,5}", text) is not None and 0 < int(text) < 65536


def _is_host(text: str) -> bool:
    return len(text) <= 253 and re.fullmatch(HOST_NAME, text) is not None
