"""The guard: what a runtime may put where. One case that passes and one that fails for each rule."""

from __future__ import annotations

from typing import Any

import pytest

from nautes.convergence.guard import Scope, admit

SCOPE = Scope(
    namespaces=("shop", "shop-data"),
    cluster_kinds=frozenset({"example.com/Widget", "/PersistentVolume"}),
    platform_namespaces=frozenset({"argocd"}),
    account="system:serviceaccount:shop:product-7-builder",
    binding="product-7-web",
)


def item(kind: str, *, version: str = "v1", namespace: str = "", name: str = "a", **more: Any) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version, "kind": kind, "metadata": meta | more.pop("metadata", {}), **more}


def binding(binding_kind: str = "RoleBinding", **subject: str) -> dict[str, Any]:
    return item(binding_kind, version="rbac.authorization.k8s.io/v1", subjects=[subject])


def test_an_object_without_a_namespace_goes_to_the_first_one() -> None:
    assert admit(item("ConfigMap"), True, SCOPE) == ("shop", None)


def test_an_object_may_name_any_of_the_namespaces() -> None:
    assert admit(item("ConfigMap", namespace="shop-data"), True, SCOPE) == ("shop-data", None)


def test_an_allowed_cluster_scoped_kind_passes() -> None:
    assert admit(item("Widget", version="example.com/v1"), False, SCOPE) == ("", None)
    assert admit(item("PersistentVolume"), False, SCOPE) == ("", None)


def test_rights_for_own_service_accounts_pass() -> None:
    assert admit(binding(kind="ServiceAccount", name="web"), True, SCOPE)[1] is None
    assert admit(binding(kind="ServiceAccount", name="web", namespace="shop-data"), True, SCOPE)[1] is None


@pytest.mark.parametrize(
    ("refused", "namespaced", "reason"),
    [
        (item("ConfigMap", namespace="other"), True, "not one of the runtime's"),
        (item("ConfigMap", namespace="kube-system"), True, "the platform's own"),
        (item("ConfigMap", namespace="argocd"), True, "the platform's own"),
        (item("Namespace", name="other"), False, "namespaces are made by the platform"),
        (item("ClusterRole", version="rbac.authorization.k8s.io/v1"), False, "not allowed"),
        (item("CustomResourceDefinition", version="apiextensions.k8s.io/v1"), False, "not allowed"),
        (item("Widget", version="other.com/v1"), False, "not allowed"),
        (item("PersistentVolume", namespace="shop"), False, "cluster-scoped"),
        (item("Gadget", version="example.com/v1"), None, "does not know the kind"),
        (item("Secret", name="applyset-other"), True, "platform's own"),
        (item("ConfigMap", metadata={"labels": {"applyset.kubernetes.io/id": "x"}}), True, "platform's own"),
        (item("ServiceAccount", name="product-7-builder"), True, "the runtime's own"),
        (item("RoleBinding", version="rbac.authorization.k8s.io/v1", name="product-7-web"), True, "the runtime's own"),
        (binding(kind="User", name="eve"), True, "only service accounts"),
        (binding(kind="Group", name="system:authenticated"), True, "only service accounts"),
        (binding(kind="ServiceAccount", name="x", namespace="kube-system"), True, "only service accounts"),
        (item("RoleBinding", version="rbac.authorization.k8s.io/v1", subjects=["x"]), True, "must be a mapping"),
        (item("RoleBinding", version="rbac.authorization.k8s.io/v1", subjects={"a": 1}), True, "must be a list"),
    ],
)
def test_what_would_escape_is_refused_with_a_reason(
    refused: dict[str, Any], namespaced: bool | None, reason: str
) -> None:
    finding = admit(refused, namespaced, SCOPE)[1]
    assert finding is not None
    assert reason in finding.reason


def test_a_binding_of_an_allowed_cluster_kind_is_still_looked_into() -> None:
    scope = Scope(("shop",), frozenset({"rbac.authorization.k8s.io/ClusterRoleBinding"}))
    assert admit(binding("ClusterRoleBinding", kind="Group", name="everyone"), False, scope)[1] is not None
    assert (
        admit(binding("ClusterRoleBinding", kind="ServiceAccount", name="a", namespace="shop"), False, scope)[1] is None
    )


def test_the_platform_writes_where_it_says() -> None:
    platform = Scope((), platform=True)
    assert admit(item("Namespace", name="vault"), False, platform) == ("", None)
    assert admit(item("Secret", namespace="vault"), True, platform) == ("vault", None)
    assert admit(item("Secret"), True, platform)[1] is not None
