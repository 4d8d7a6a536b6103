"""Rules about clusters: every one with a case that fails and one that passes, and the defaults filled in before."""

from __future__ import annotations

from typing import Any

import pytest

from nautes.resources.cluster import Cluster
from nautes.resources.findings import Finding
from nautes.rules.catalogue import (
    BY_NAME,
    CATALOGUE,
    COMPLETE,
    OPTIONAL,
    REQUIRED,
    available,
    default_for,
    default_of_original,
)
from nautes.rules.clusters import FROZEN, SCOPE, check, warnings, with_defaults
from nautes.rules.registry import of_scope
from tests.unit.rules.shop import cluster, resource

HOSTS = {"host": cluster("host", "", usage="host"), "run": cluster("run")}
GATEWAY = {"gateway": {"name": "traefik"}}
SYNC = {"secretSync": {"name": "external-secrets"}}
USERS = ["deployment/shop/web", "deployment/shop/app"]


def virtual(**spec: Any) -> Cluster:
    fields = {"apiServer": "https://v.example.com:31443", "clusterType": "virtual", "hostCluster": "host"}
    return cluster("v", **{**fields, **spec})


def slots(**named: str) -> Cluster:
    return cluster("run", componentsList={slot: {"name": name} for slot, name in named.items()})


def additions(slot: str, component: str, **said: str) -> Cluster:
    return cluster("run", componentsList={slot: {"name": component, "additions": said}})


def bare(**components: Any) -> Cluster:
    """A cluster as committed by hand: without the defaults of a registration."""
    spec = {"clusterType": "physical", "usage": "worker", "workerType": "deployment", "componentsList": components}
    return resource("Cluster", "run", apiServer="https://k8s.example.com", **spec)


CASES: dict[str, list[tuple[Cluster, Cluster, str]]] = {  # failing, passing, message
    "cluster-name": [
        (cluster("kustomization"), cluster("my-kustomization"), "kustomization"),
        (cluster("approle"), cluster("my-approle"), "approle"),
    ],
    "cluster-host": [
        (cluster("h", "pipeline", usage="host"), cluster("h", "", usage="host"), "no worker type"),
        (virtual(usage="host", workerType=""), virtual(), "physical"),
    ],
    "cluster-worker-type": [(cluster("run", ""), cluster("run"), "workerType")],
    "cluster-host-of-physical": [(cluster("run", hostCluster="host"), cluster("run"), "no host")],
    "cluster-host-unknown": [
        (virtual(hostCluster="none"), virtual(), "none is not one"),
        (virtual(hostCluster="run"), virtual(), "run is not one"),
        (virtual(hostCluster=""), virtual(), "(none)"),
    ],
    "cluster-node-port": [
        (virtual(apiServer="https://v.example.com"), virtual(), "needs a port on its host"),
        (
            virtual(vcluster={"httpsNodePort": "high"}),
            virtual(apiServer="https://v.example.com", vcluster={"httpsNodePort": "31000"}),
            "'high' is no port",
        ),
    ],
    "cluster-slot": [
        (slots(pipeline="tekton"), slots(progressiveDelivery="argo-rollouts"), "has no pipeline"),
        (virtual(componentsList=GATEWAY), slots(gateway="traefik"), "worker virtual deployment) has no gateway"),
        (cluster("host", "", usage="host", componentsList=SYNC), cluster("host", "", usage="host"), "no secretSync"),
        (slots(eventListener="argo-events"), slots(certManagement="cert-manager"), "has no eventListener"),
    ],
    "cluster-property": [
        (additions("gateway", "traefik", httpNodePort="high"), additions("gateway", "traefik"), "'high'"),
        (
            additions("gateway", "traefik", httpsNodePort="70000"),
            additions("gateway", "traefik", httpsNodePort="65535"),
            "httpsNodePort of traefik must be a port",
        ),
        (
            additions("deployment", "argocd", host="-"),
            additions("deployment", "argocd", host="cd.example.com", theme="dark"),
            "host of argocd must be a host, not '-'",
        ),
        (bare(deployment={"name": "argocd"}), with_defaults(bare(deployment={"name": "argocd"})), "not ''"),
    ],
    "cluster-resource": [
        (
            cluster("run", productAllowedClusterResources={"shop": [{"kind": "Node", "group": ""}]}),
            cluster("run", productAllowedClusterResources={"shop": [{"kind": "Widget", "group": "example.com"}]}),
            "Node for shop needs a group",
        )
    ],
    "cluster-component-unknown": [
        (slots(deployment="fluxx"), slots(deployment="nautes"), "fluxx"),
        (slots(gateway="nautes"), slots(), "nautes is no component for gateway"),
    ],
    "cluster-component-bundle": [(slots(deployment="argocd"), slots(deployment="nautes"), "argocd")],
    "cluster-component-missing": [
        (bare(), with_defaults(bare()), "must be filled"),
        (
            bare(multiTenant={"name": "hnc"}),
            with_defaults(bare(multiTenant={"name": "hnc"})),
            "progressiveDelivery must",
        ),
    ],
    "cluster-reserved-namespace": [
        (
            cluster("run", reservedNamespacesAllowedProducts={"elsewhere": ["shop"]}),
            cluster("run", reservedNamespacesAllowedProducts={"vault": ["shop"]}),
            "elsewhere",
        )
    ],
    "cluster-frozen": [(cluster("run", "pipeline"), cluster("run"), "workerType may not change")],
}
RULES = {each.id for each in of_scope(SCOPE)}
ADVISORY = {each.id for each in of_scope(SCOPE) if each.advisory}
FLAT = [pytest.param(rule, *case, id=f"{rule}-{n}") for rule, all_ in CASES.items() for n, case in enumerate(all_)]


def findings(found: Cluster) -> list[Finding]:
    before, users = (cluster("run"), USERS) if found.name == "run" else (None, [])
    return check(found, before, HOSTS, users)


def test_every_rule_has_cases_and_ids_do_not_change() -> None:
    assert set(CASES) == RULES


@pytest.mark.parametrize(("rule", "failing", "passing", "says"), FLAT)
def test_the_failing_case_fails_and_the_passing_one_passes(
    rule: str, failing: Cluster, passing: Cluster, says: str
) -> None:
    found = warnings(failing) if rule in ADVISORY else findings(failing)
    assert [says in each.message for each in found if each.rule == rule].count(True) >= 1
    assert all(each.message and each.hint and each.pointer and each.resource == failing.key for each in found)
    assert findings(passing) == []
    assert not [each for each in warnings(passing) if rule in ADVISORY]


def test_a_component_without_a_bundle_is_accepted_with_a_warning() -> None:
    found = slots(deployment="argocd")
    assert findings(found) == []
    [told] = warnings(found)
    assert told.message == "this build does not install argocd; it must be there already"
    assert told.pointer == "/spec/componentsList/deployment"


@pytest.mark.parametrize("field", FROZEN)
def test_what_defines_a_cluster_is_frozen_only_while_it_is_used(field: str) -> None:
    old = cluster("run")
    new = old.model_copy(update={field: "something else"})
    [found] = [each for each in check(new, old, HOSTS, USERS) if each.rule == "cluster-frozen"]
    assert "deployment/shop/app, deployment/shop/web" in found.message
    assert not [each for each in check(new, old, HOSTS, []) if each.rule == "cluster-frozen"]


def test_the_rest_may_change_while_it_is_used() -> None:
    old = cluster("run")
    new = old.model_copy(update={"primary_domain": "apps.example.com", "api_server": "https://other.example.com"})
    assert check(new, old, HOSTS, USERS) == []


def test_defaults_fill_what_the_category_needs_and_keep_what_was_said() -> None:
    found = with_defaults(bare(deployment={"name": "argocd"}, gateway={"name": "traefik", "namespace": "mine"}))
    filled = {slot: (each.name, each.namespace) for slot, each in found.components_list.filled().items()}
    assert filled == {
        "deployment": ("argocd", "argocd"),
        "gateway": ("traefik", "mine"),
        "multiTenant": ("hnc", "hnc-system"),
        "oauthProxy": ("oauth2-proxy", "oauth2-proxy"),
        "progressiveDelivery": ("argo-rollouts", "argo-rollouts"),
        "secretManagement": ("vault", "vault"),
        "secretSync": ("external-secrets", "external-secrets"),
    }
    assert with_defaults(found) == found
    assert findings(found) == []
    assert with_defaults(bare(deployment={"name": "unheard-of"})).components_list.deployment.namespace == ""  # type: ignore[union-attr]


def test_a_small_manifest_stays_small() -> None:
    for components in ({}, {"deployment": {"name": "argocd"}}, {"gateway": {"name": "unheard-of"}}):
        filled = with_defaults(bare(**components)).components_list.filled()
        assert set(filled) == {"deployment", "secretManagement", *components}


def test_defaults_fill_the_additions_that_components_need() -> None:
    named = {"gateway": {"name": "traefik", "additions": {"httpNodePort": "30001"}}, "deployment": {"name": "argocd"}}
    found = with_defaults(bare(**named)).components_list
    assert found.gateway and found.gateway.additions == {"httpNodePort": "30001", "httpsNodePort": "30443"}
    assert found.deployment and found.deployment.additions == {"host": "argocd.run.k8s.example.com"}
    assert found.multi_tenant and found.multi_tenant.additions is None


def test_the_port_of_a_virtual_cluster_comes_from_its_address() -> None:
    def port(found: Cluster) -> str | None:
        return found.vcluster.https_node_port if found.vcluster else None

    assert port(virtual()) == "31443"
    assert port(virtual(vcluster={"httpsNodePort": "30000"})) == "30000"
    assert port(virtual(apiServer="https://v.example.com")) is None
    assert port(cluster("run", apiServer="https://k8s.example.com:6443")) is None, "a physical cluster has no host"


@pytest.mark.parametrize(
    ("server", "domain"),
    [
        ("https://10.0.0.1:6443", "10.0.0.1.nip.io"),
        ("https://[2001:db8::1]:6443", "2001-db8--1.nip.io"),
        ("https://k8s.example.com/path", "k8s.example.com"),
    ],
)
def test_the_primary_domain_comes_from_the_address(server: str, domain: str) -> None:
    assert cluster("run", apiServer=server).primary_domain == domain
    assert cluster("run", apiServer=server, primaryDomain="mine.example.com").primary_domain == "mine.example.com"


def test_the_catalogue_can_fill_whatever_it_demands() -> None:
    assert len(BY_NAME) == len(CATALOGUE)
    filled = {field.alias for field in type(cluster("run").components_list).model_fields.values()}
    assert {each.slot for each in CATALOGUE} == filled
    for needed in REQUIRED.values():
        for slot in needed:
            default = default_for(slot)
            assert default and default.bundled and default.name in available(slot)
    assert default_for("gateway") is None
    assert available("gateway") == []
    assert set(COMPLETE) == set(REQUIRED)
    for category, slots in COMPLETE.items():
        assert set(REQUIRED[category]) <= set(slots)
        assert not set(OPTIONAL) & set(slots)
        assert all(default_for(slot) or default_of_original(slot) for slot in slots)
