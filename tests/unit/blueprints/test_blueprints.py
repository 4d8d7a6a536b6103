"""What a declaration becomes: names that are unique to a product, and rights that are limited to the runtime."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautes.blueprints import components, runtimes, vault
from nautes.resources.cluster import Cluster
from nautes.resources.manifest import manifest_of, resource_of
from nautes.rules.catalogue import CATALOGUE
from nautes.rules.clusters import with_defaults

PRODUCT_ID = "product-7"
ACCOUNT = runtimes.account_name(PRODUCT_ID, "builder")
BINDING = runtimes.binding(PRODUCT_ID, "web")
labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,6}[a-z0-9])?", fullmatch=True)
numbers = st.integers(1, 10**6)


def objects(kind: str, *namespaces: str) -> list[dict[str, Any]]:
    return [
        each for each in runtimes.destination(PRODUCT_ID, list(namespaces), ACCOUNT, BINDING) if each["kind"] == kind
    ]


def test_a_place_is_a_namespace_an_account_and_its_rights_for_each_namespace() -> None:
    made = runtimes.destination(PRODUCT_ID, ["shop", "data"], ACCOUNT, BINDING)
    assert [(each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in made] == [
        ("Namespace", "", "shop"),
        ("ServiceAccount", "shop", "product-7-builder"),
        ("RoleBinding", "shop", "product-7-web"),
        ("Namespace", "", "data"),
        ("ServiceAccount", "data", "product-7-builder"),
        ("RoleBinding", "data", "product-7-web"),
    ]


def test_every_object_says_whose_it_is() -> None:
    for each in runtimes.destination(PRODUCT_ID, ["shop", "data"], ACCOUNT, BINDING):
        labels_of = each["metadata"]["labels"]
        assert labels_of["resource.nautes.io/belongsto"] == PRODUCT_ID
        assert labels_of["app.kubernetes.io/managed-by"] == "nautes"


def test_rights_are_bound_inside_the_namespaces_to_the_own_accounts_only() -> None:
    made = runtimes.destination(PRODUCT_ID, ["shop", "data"], ACCOUNT, BINDING)
    assert {each["kind"] for each in made} == {"Namespace", "ServiceAccount", "RoleBinding"}, "nothing cluster-wide"
    for each in objects("RoleBinding", "shop", "data"):
        assert each["roleRef"] == {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "cluster-admin",  # a RoleBinding: in this namespace only
        }
        assert [(subject["kind"], subject["namespace"], subject["name"]) for subject in each["subjects"]] == [
            ("ServiceAccount", "shop", ACCOUNT),
            ("ServiceAccount", "data", ACCOUNT),
        ]
    assert "*" not in repr(made)


@given(numbers, numbers, labels, labels)
def test_no_product_gets_a_name_of_another(one: int, two: int, mine: str, theirs: str) -> None:
    for name in (runtimes.account_name, runtimes.owner):
        same = name(f"product-{one}", mine) == name(f"product-{two}", theirs)
        assert same is ((one, mine) == (two, theirs))


def rules_of(policy: str) -> dict[str, list[str]]:
    """Path -> capabilities of a policy's text."""
    found = re.findall(r'path "([^"]+)" \{\s*capabilities = \[([^\]]*)\]\s*\}', policy)
    assert len(found) == policy.count('path "')
    return {path: re.findall(r'"(\w+)"', capabilities) for path, capabilities in found}


def test_a_reader_reads_one_secret_and_nothing_else() -> None:
    policy = vault.reader("git", vault.key_path(5, "readonly"))
    assert rules_of(policy) == {
        "git/data/gitlab/repo-5/default/readonly": ["read"],
        "git/metadata/gitlab/repo-5/default/readonly": ["read"],
    }


def test_the_kubeconfigs_reader_sees_the_roles_of_that_cluster_only() -> None:
    assert rules_of(vault.kubeconfig_reader("run")) == {
        "cluster/data/kubernetes/run/default/admin": ["read"],
        "cluster/metadata/kubernetes/run/default/admin": ["read"],
        "auth/run/role/*": ["read"],
    }


@given(numbers, labels, st.sampled_from(["readonly", "readwrite"]))
def test_no_policy_writes_or_reaches_beyond_its_own(number: int, cluster: str, permission: str) -> None:
    keys = rules_of(vault.reader("git", vault.key_path(number, permission)))
    clusters = rules_of(vault.kubeconfig_reader(cluster))
    for path, capabilities in {**keys, **clusters}.items():
        assert capabilities == ["read"]
        assert path.partition("*")[1] == "" or path == f"auth/{cluster}/role/*"
        assert f"/repo-{number}/" in path or f"/{cluster}/" in path


@given(st.lists(st.tuples(numbers, st.sampled_from(["readonly", "readwrite"])), max_size=4), st.lists(labels))
def test_paths_and_policies_are_one_to_one(keys: list[tuple[int, str]], clusters: list[str]) -> None:
    assert (
        len({vault.key_path(*each) for each in keys})
        == len({vault.key_policy(*each) for each in keys})
        == len(set(keys))
    )
    policies = {vault.kubeconfig_policy(each) for each in clusters}
    assert len(policies) == len({vault.kubeconfig_path(each) for each in clusters}) == len(set(clusters))
    assert not any(vault.hook_path(number).endswith(permission) for number, permission in keys)


def test_a_runtimes_role_is_bound_to_its_account_and_reads_its_repositories() -> None:
    role = vault.runtime_role(ACCOUNT, ["shop", "data"], [5, 3], [3])
    assert role == {
        "bound_service_account_names": ["product-7-builder"],
        "bound_service_account_namespaces": ["data", "shop"],
        "token_policies": [
            "gitlab-repo-3-default-readonly",
            "gitlab-repo-3-default-readwrite",
            "gitlab-repo-5-default-readonly",
        ],
        "token_ttl": "30m",
    }
    assert vault.runtime_role(ACCOUNT, ["data", "shop"], [3, 5], [3]) == role, "order does not make it another role"


@given(st.lists(labels, min_size=1), st.lists(numbers), st.lists(numbers))
def test_a_role_never_holds_a_wildcard(namespaces: list[str], read: list[int], written: list[int]) -> None:
    role = vault.runtime_role(ACCOUNT, namespaces, read, written)
    assert "*" not in repr(role)
    assert set(role["bound_service_account_namespaces"]) == set(namespaces)
    assert len(role["token_policies"]) == len(read) + len(written)


def manifest(**slots: str) -> dict[str, Any]:
    spec = {"name": "run", "apiServer": "https://k8s.example.com", "clusterType": "physical", "usage": "worker"}
    filled = {slot: {"name": name} for slot, name in slots.items()}
    cluster: Any = resource_of(
        {"kind": "Cluster", "spec": {**spec, "workerType": "pipeline", "componentsList": filled}}
    )
    return manifest_of(with_defaults(cluster))


def test_components_come_in_the_order_in_which_they_need_each_other() -> None:
    assert components.of_cluster(manifest()) == [("tekton-sandbox", "tekton-pipelines")]
    found = components.of_cluster(manifest(pipeline="tekton", gateway="traefik", secretSync="external-secrets"))
    assert found == [
        ("traefik", "traefik"),
        ("oauth2-proxy", "oauth2-proxy"),
        ("hnc", "hnc-system"),
        ("external-secrets", "external-secrets"),
        ("argo-events", "argo-events"),
        ("tekton", "tekton-pipelines"),
    ]


def test_every_slot_has_its_place_in_the_order() -> None:
    slots = {each.slot: each.name for each in CATALOGUE if each.name not in components.BUILT_IN}
    found = components.of_cluster({"spec": {"componentsList": {slot: {"name": name} for slot, name in slots.items()}}})
    assert {name for name, _ in found} == set(slots.values())
    assert set(components.ORDER) == {each.slot for each in CATALOGUE}


def test_what_is_built_in_is_not_installed() -> None:
    assert components.of_cluster(manifest(deployment="nautes", pipeline="nautes")) == []
    assert {each.name for each in CATALOGUE} >= components.BUILT_IN


@pytest.mark.parametrize("empty", [{}, {"spec": {}}, {"spec": {"componentsList": None}}])
def test_a_manifest_without_components_needs_none(empty: dict[str, Any]) -> None:
    assert components.of_cluster(empty) == []


def _cluster(name: str, server: str, *used: str) -> Cluster:
    slots = {"multiTenant": "hnc", "gateway": "traefik"}
    spec = {
        "apiServer": server,
        "clusterType": "physical",
        "usage": "worker",
        "workerType": "deployment",
        "componentsList": {slot: {"name": each} for slot, each in slots.items() if each in used},
    }
    manifest = {"apiVersion": "nautes.resource.nautes.io/v1alpha1", "kind": "Cluster"}
    found = resource_of({**manifest, "spec": {"name": name, **spec}})
    assert isinstance(found, Cluster)
    return found


def test_a_cluster_that_is_registered_twice_shares_its_ground_and_what_both_have() -> None:
    one, other = _cluster("one", "https://edge:6443", "hnc", "traefik"), _cluster("other", "https://EDGE:6443/", "hnc")
    far = _cluster("far", "https://far", "traefik")
    known = {each.name: each for each in (one, other, far)}
    assert components.shared("one", one.api_server, known) == ["bootstrap", "hnc"]
    assert components.shared("other", other.api_server, {"far": far, "one": one}) == ["bootstrap", "hnc", "traefik"]
    assert components.shared("far", far.api_server, known) == []
    assert components.shared("new", "https://far:443", known) == ["bootstrap", "traefik"]
