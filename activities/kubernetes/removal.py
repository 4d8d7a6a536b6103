"""Delete everything an owner has in a cluster, and its inventory last. Used by the removal activities.

The parent stays until nothing is left: a retry finds from it what there is to delete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from activities.concurrency import Progress
from activities.kubernetes.apply import Writer
from activities.kubernetes.health import report
from activities.kubernetes.inventory import Inventory, InventoryReader, parent_namespaces
from activities.waiting import not_yet
from nautes.clients.kubernetes import Cluster, Clusters
from nautes.convergence.objects import Key, Object, metadata
from nautes.messages.convergence import OUTCOMES_LIMIT, ObjectHealth, OwnedInput, OwnedReport
from nautes.messages.errors import Forbidden, NotFound


class Remover:
    """Deletes by inventory."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    def delete(self, input: OwnedInput, heartbeat: Progress = lambda *_: None) -> OwnedReport:
        """Delete all objects and observe what remains of them; when that is nothing, delete the parent.

        Idempotent: an owner who has nothing is removed. Raises NotYet while exactly the `known` objects remain, Forbidden (with
        the first object that may not be deleted), Unavailable.
        """
        cluster = self._clusters.get(input.cluster)
        found = self._observe(cluster, input, heartbeat)
        due = {key: item for key, item in found.live.items() if not metadata(item).get("deletionTimestamp")}
        if due:
            self._prune(cluster, input, found, due, heartbeat)
            found = self._observe(cluster, input, heartbeat, found)
        if found.live:
            return _report(found, input, len(due))
        self._forget(cluster, found, input)
        return OwnedReport(deleted=len(due))

    def _prune(
        self, cluster: Cluster, input: OwnedInput, found: Inventory, due: Mapping[Key, Object], heartbeat: Progress
    ) -> None:
        writer = Writer(cluster, input.account, heartbeat)
        results = writer.prune([(key, found.kind(key), item["metadata"]["uid"]) for key, item in due.items()])
        refused = [each.outcome for each in results if each.outcome.action != "pruned"]
        if refused:
            first = refused[0]
            raise Forbidden("kubernetes-forbidden", f"{first.kind}/{first.name} cannot be deleted: {first.reason}")

    def _observe(
        self, cluster: Cluster, input: OwnedInput, heartbeat: Progress, before: Inventory | None = None
    ) -> Inventory:
        """`before` is an earlier observation: only kinds that had objects then are listed again."""
        reader = InventoryReader(cluster, input.owner, input.namespaces, heartbeat)
        if before is None:
            return reader.read(parent_namespaces(input.namespaces))
        kinds = {before.kind(key) for key in before.live}
        return replace(reader.read(parent_namespaces(input.namespaces), kinds, everything=False), parent=before.parent)

    def _forget(self, cluster: Cluster, found: Inventory, input: OwnedInput) -> None:
        kind = cluster.kind("v1", "Secret")
        if kind is None:
            raise NotFound("kubernetes-kind", "the cluster does not serve Secrets")
        if found.parent is not None:
            cluster.delete(kind, found.parent.namespace, found.parent.name)


def _report(found: Inventory, input: OwnedInput, deleted: int) -> OwnedReport:
    """What is still there; raises NotYet when that is known."""
    remaining = _remaining(found)
    if remaining == input.known:
        first = remaining[0]
        raise not_yet(f"{len(found.live)} objects are still there: {first.kind}/{first.name}: {first.reason}")
    return OwnedReport(deleted=deleted, remaining=remaining)


def _remaining(found: Inventory) -> list[ObjectHealth]:
    sick = {(each.kind, each.namespace, each.name): each for each in report(found.live).unhealthy}
    remaining = [
        sick.get((key.kind, key.namespace, key.name))
        or ObjectHealth(kind=key.kind, namespace=key.namespace, name=key.name, status="Current", reason="still there")
        for key in found.live
    ]
    return remaining[:OUTCOMES_LIMIT]
