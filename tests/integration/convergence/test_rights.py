"""Kubernetes' own access control behind the guard: collected only where the cluster plays RBAC (conftest.py)."""

from __future__ import annotations

from typing import Any

from tests.integration.convergence.support import Runtime, about, config, create, told


def test_an_account_without_rights_is_refused_in_kubernetes_own_words(runtime: Runtime) -> None:
    report = runtime.converge([config("a")], account=f"system:serviceaccount:{runtime.namespace}:nobody")
    assert told(report) == {"a": "refused"}
    assert "cannot patch resource" in about(report, "a").reason


def test_an_allowed_cluster_kind_still_needs_the_accounts_rights(runtime: Runtime) -> None:
    item = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": runtime.namespace},
        "value": 1,
    }
    report = runtime.converge([item], allowed_cluster_kinds=["scheduling.k8s.io/PriorityClass"])
    assert told(report) == {runtime.namespace: "refused"}
    assert "cannot patch resource" in about(report, runtime.namespace).reason


def test_an_account_cannot_give_itself_more_than_it_has(runtime: Runtime) -> None:
    rbac = "rbac.authorization.k8s.io"
    limited = "limited"
    base = f"/apis/{rbac}/v1/namespaces/{runtime.namespace}"
    rules = [
        {"apiGroups": [rbac], "resources": ["roles", "rolebindings"], "verbs": ["get", "create", "patch", "update"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch"]},
    ]
    role: dict[str, Any] = {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": {"name": limited}, "rules": rules}
    create(runtime.cluster, f"{base}/roles", role)
    binding = {
        "apiVersion": f"{rbac}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": limited},
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": limited},
        "subjects": [{"kind": "ServiceAccount", "name": limited, "namespace": runtime.namespace}],
    }
    create(runtime.cluster, f"{base}/rolebindings", binding)
    grab = {**role, "metadata": {"name": "grab"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
    report = runtime.converge([config("a"), grab], account=f"system:serviceaccount:{runtime.namespace}:{limited}")
    assert told(report) == {"a": "applied", "grab": "refused"}
