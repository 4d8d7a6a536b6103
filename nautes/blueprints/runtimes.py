"""What a runtime becomes in its cluster: namespaces, an account in each, and the rights of that account.

Called by workflows/inputs.py (names) and activities/runtimes.py (objects). Names carry the product's id, so that no product
can take another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BELONGS_TO = "resource.nautes.io/belongsto"
MANAGED_BY = {"app.kubernetes.io/managed-by": "nautes"}
ROLE = "cluster-admin"  # bound inside the runtime's namespaces only

Object = dict[str, Any]


def account_name(product_id: str, account: str) -> str:
    """ServiceAccount and Vault role of a runtime's machine account."""
    return f"{product_id}-{account}"


def owner(product_id: str, runtime: str) -> str:
    """Name of the inventory of a runtime's objects."""
    return f"{product_id}-{runtime}"


def binding(product_id: str, runtime: str) -> str:
    """RoleBinding of a runtime's rights: its own, because runtimes may share an account and one of its namespaces."""
    return f"{product_id}-{runtime}"


def destination(
    product_id: str, namespaces: list[str], account: str, binding: str, former: Sequence[str] = ()
) -> list[Object]:
    """Objects of a runtime's destination: per namespace the namespace itself, its account, and the rights of the accounts.

    In `former` namespaces the accounts have rights as well, so that they can delete what is there.
    """
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": name} for name in namespaces]
    objects: list[Object] = []
    for name in namespaces:
        objects += [
            _object("v1", "Namespace", name, None, product_id),
            _object("v1", "ServiceAccount", account, name, product_id),
            _rights(product_id, binding, name, subjects),
        ]
    return [*objects, *(_rights(product_id, binding, name, subjects) for name in former)]


def _rights(product_id: str, binding: str, namespace: str, subjects: list[dict[str, str]]) -> Object:
    return {
        **_object("rbac.authorization.k8s.io/v1", "RoleBinding", binding, namespace, product_id),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE},
        "subjects": subjects,
    }


def _object(version: str, kind: str, name: str, namespace: str | None, product_id: str) -> Object:
    metadata: Object = {"name": name, "labels": {**MANAGED_BY, BELONGS_TO: product_id}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata}
