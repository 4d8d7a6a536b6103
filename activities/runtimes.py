"""A runtime's place in its cluster: namespaces that are the product's, an account in each, and their end.

Called by the deployment and pipeline workflows. A namespace of somebody else is never taken over or deleted.
"""

from __future__ import annotations

from typing import Any

from temporalio import activity

from activities.waiting import not_yet
from nautes.blueprints import runtimes
from nautes.clients.kubernetes import Cluster, Clusters, Kind
from nautes.convergence.difference import difference
from nautes.messages.destinations import ClearAccountInput, ClearInput, PrepareInput
from nautes.messages.errors import NotFound, Refused, Unavailable
from nautes.messages.vault import Done

NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts", namespaced=True)
BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", namespaced=True)
KINDS = {each.kind: each for each in (NAMESPACE, ACCOUNT, BINDING)}


class RuntimeActivities:
    """As the platform itself."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    @activity.defn(name="runtimes.prepare")
    def prepare(self, input: PrepareInput) -> Done:
        """Namespaces, accounts, role bindings. Idempotent: compared first. Raises Refused for a foreign namespace."""
        cluster = self._clusters.get(input.grant.kubeconfig)
        for name in input.namespaces:
            _check_ours(cluster, name, input.product_id)
        changed = False
        wanted = runtimes.destination(
            input.product_id, input.namespaces, input.account, input.binding, self._there(cluster, input)
        )
        for item in wanted:
            kind, meta = KINDS[item["kind"]], item["metadata"]
            live = _get(cluster, kind, meta.get("namespace", ""), meta["name"])
            if live is None or difference(item, live):
                cluster.apply(kind, item)
                changed = True
        return Done(changed=changed)

    def _there(self, cluster: Cluster, input: PrepareInput) -> list[str]:
        """Of the namespaces that the runtime leaves: those that are still there, and the product's."""
        found = [(name, _get(cluster, NAMESPACE, "", name)) for name in input.former]
        return [
            name
            for name, live in found
            if live is not None and _belongs(live) == input.product_id and not live["metadata"].get("deletionTimestamp")
        ]

    @activity.defn(name="runtimes.clear_account")
    def clear_account(self, input: ClearAccountInput) -> Done:
        """Delete an account that no binding of the product names any more. Idempotent: not there is success."""
        cluster = self._clusters.get(input.grant.kubeconfig)
        gone = [_drop_unused(cluster, input.product_id, name, [input.account]) for name in input.namespaces]
        return Done(changed=any(gone))

    @activity.defn(name="runtimes.clear")
    def clear(self, input: ClearInput) -> Done:
        """Delete the product's namespaces; raises NotYet until they are gone. Idempotent: not there is success.

        In the namespaces that others of the product go on using, the runtime's rights end, and its accounts go.
        """
        cluster, changed = self._clusters.get(input.grant.kubeconfig), False
        for name in input.kept:
            changed |= _belongs_to(_get(cluster, BINDING, name, input.binding), input) and cluster.delete(
                BINDING, name, input.binding
            )
            changed |= _drop_unused(cluster, input.product_id, name, input.accounts)
        left = [each for each in input.namespaces if _delete_namespace(cluster, each, input)]
        if left:
            raise not_yet(f"namespace {left[0]} is still being deleted")
        return Done(changed=changed)


def _drop_unused(cluster: Cluster, product_id: str, namespace: str, accounts: list[str]) -> bool:
    """Delete those of the product's accounts in a namespace that no binding there names any more."""
    if not accounts:
        return False
    bindings = cluster.list(BINDING, namespace=namespace, selector=f"{runtimes.BELONGS_TO}={product_id}").items
    used = {subject.get("name") for each in bindings for subject in each.get("subjects") or []}
    found = [name for name in accounts if name not in used and _is_ours(cluster, product_id, namespace, name)]
    gone = [cluster.delete(ACCOUNT, namespace, name) for name in found]
    return any(gone)


def _is_ours(cluster: Cluster, product_id: str, namespace: str, account: str) -> bool:
    live = _get(cluster, ACCOUNT, namespace, account)
    return live is not None and _belongs(live) == product_id


def _delete_namespace(cluster: Cluster, name: str, input: ClearInput) -> bool:
    """Delete one of the product's namespaces; whether it is still there then."""
    live = _get(cluster, NAMESPACE, "", name)
    if live is None or not _belongs_to(live, input):
        return False
    if not live["metadata"].get("deletionTimestamp"):
        cluster.delete(NAMESPACE, "", name)
        live = _get(cluster, NAMESPACE, "", name)
    return _belongs_to(live, input)


def _check_ours(cluster: Cluster, name: str, product_id: str) -> None:
    live = _get(cluster, NAMESPACE, "", name)
    if live is None:
        return
    if _belongs(live) != product_id:
        raise Refused("namespace-foreign", f"namespace {name} is there already and does not belong to this product")
    if live["metadata"].get("deletionTimestamp"):
        raise Unavailable("namespace-terminating", f"namespace {name} is still being deleted")


def _get(cluster: Cluster, kind: Kind, namespace: str, name: str) -> dict[str, Any] | None:
    try:
        return cluster.get(kind, namespace, name)
    except NotFound:
        return None


def _belongs_to(live: dict[str, Any] | None, input: ClearInput) -> bool:
    return live is not None and _belongs(live) == input.product_id


def _belongs(live: dict[str, Any]) -> str:
    metadata = live.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return str((labels or {}).get(runtimes.BELONGS_TO, ""))
