"""Rules about clusters: every one with a case that fails and one that passes, and the defaults filled in before."""

from __future__ import annotations

from typing import Any

import pytest

from resources.cluster import Cluster
from resources.findings import Finding
from rules.catalogue import BY_NAME, CATALOGUE, REQUIRED, available, default_for
from rules.clusters import FROZEN, RULES, check, with_defaults
from tests.unit.rules.shop import cluster, resource

HOSTS = {"host": cluster("host", "", usage="host"), "run": cluster("run")}
USERS = ["deployment/shop/web", "deployment/shop/app"]


def virtual(**spec: Any) -> Cluster:
    return cluster("v", **{"clusterType": "virtual", "hostCluster": "host", **spec})


def slots(**named: str) -> Cluster:
    return cluster("run", componentsList={slot: {"name": name} for slot, name in named.items()})


def bare(**components: Any) -> Cluster:
    """As somebody may have committed it by hand: without the defaults of a registration."""
    spec = {"clusterType": "physical", "usage": "worker", "workerType": "deployment", "componentsList": components}
    return resource("Cluster", "run", apiServer="https://k8s.example.com", **spec)


CASES: dict[str, list[tuple[Cluster, Cluster, str]]] = {  # failing, passing, what is said
    "cluster-name": [(cluster("kustomization"), cluster("my-kustomization"), "kustomization")],
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
    "cluster-component-unknown": [
        (slots(deployment="fluxx"), slots(deployment="nautes"), "fluxx"),
        (slots(gateway="nautes"), slots(), "nautes is no component for gateway"),
    ],
    "cluster-component-bundle": [(slots(deployment="argocd"), slots(deployment="nautes"), "argocd")],
    "cluster-component-missing": [(bare(), with_defaults(bare()), "must be filled")],
    "cluster-reserved-namespace": [
        (
            cluster("run", reservedNamespacesAllowedProducts={"elsewhere": ["shop"]}),
            cluster("run", reservedNamespacesAllowedProducts={"vault": ["shop"]}),
            "elsewhere",
        )
    ],
    "cluster-frozen": [(cluster("run", "pipeline"), cluster("run"), "workerType may not change")],
}
FLAT = [pytest.param(rule, *case, id=f"{rule}-{n}") for rule, all_ in CASES.items() for n, case in enumerate(all_)]


def findings(found: Cluster) -> list[Finding]:
    return check(found, cluster("run"), HOSTS, USERS) if found.name == "run" else check(found, None, HOSTS, [])


def test_every_rule_has_cases_and_ids_do_not_change() -> None:
    assert set(CASES) == set(RULES)


@pytest.mark.parametrize(("rule", "failing", "passing", "says"), FLAT)
def test_the_failing_case_fails_and_the_passing_one_passes(
    rule: str, failing: Cluster, passing: Cluster, says: str
) -> None:
    found = findings(failing)
    assert [says in each.message for each in found if each.rule == rule].count(True) >= 1
    assert all(each.message and each.hint and each.pointer and each.resource == failing.key for each in found)
    assert findings(passing) == []


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
        "secretManagement": ("vault", "vault"),
    }
    assert with_defaults(found) == found
    assert with_defaults(bare(deployment={"name": "unheard-of"})).components_list.deployment.namespace == ""  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("server", "domain"),
    [("https://10.0.0.1:6443", "10.0.0.1.nip.io"), ("https://k8s.example.com/path", "k8s.example.com")],
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
