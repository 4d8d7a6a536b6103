"""Delete everything an owner has in a cluster, and its inventory last. Used by the removal activities.

The parent stays until nothing is left: a retry finds from it what there is to delete.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from activities.concurrency import Progress
from activities.kubernetes.apply import Writer
from activities.kubernetes.health import report
from activities.kubernetes.inventory import Inventory, InventoryReader, parent_namespaces
from nautes.clients.kubernetes import Cluster, Clusters
from nautes.convergence.objects import metadata
from nautes.messages.convergence import OUTCOMES_LIMIT, ObjectHealth, OwnedInput, OwnedReport
from nautes.messages.errors import Forbidden, NotFound

OBSERVE_FIRST, OBSERVE_LAST = 0.2, 2.0  # seconds between two observations of what is being deleted; they grow


class Remover:
    """Deletes by inventory."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    def delete(self, input: OwnedInput, heartbeat: Progress = lambda *_: None) -> OwnedReport:
        """Delete all objects and wait, `within` seconds at most, until they are gone; then the parent.

        Idempotent: an owner who has nothing is removed. Raises Forbidden (with the first object that may not be deleted),
        Unavailable.
        """
        cluster = self._clusters.get(input.cluster)
        found = self._observe(cluster, input, heartbeat)
        due = {key: item for key, item in found.live.items() if not metadata(item).get("deletionTimestamp")}
        writer = Writer(cluster, input.account, heartbeat)
        results = writer.prune([(key, found.kind(key), item["metadata"]["uid"]) for key, item in due.items()])
        refused = [each.outcome for each in results if each.outcome.action != "pruned"]
        if refused:
            first = refused[0]
            raise Forbidden("kubernetes-forbidden", f"{first.kind}/{first.name} cannot be deleted: {first.reason}")
        return self.wait(input, heartbeat).model_copy(update={"deleted": len(results)})

    def wait(self, input: OwnedInput, heartbeat: Progress = lambda *_: None) -> OwnedReport:
        """Wait until nothing is left or `within` seconds are over; report what is left then. The parent is deleted last."""
        cluster = self._clusters.get(input.cluster)
        deadline = time.monotonic() + input.within
        pause, seconds = threading.Event(), OBSERVE_FIRST
        found = self._observe(cluster, input, heartbeat)
        while True:
            if not found.live:
                self._forget(cluster, found, input)
                return OwnedReport()
            heartbeat(f"{len(found.live)} objects are still there")
            if time.monotonic() >= deadline:
                return OwnedReport(remaining=_remaining(found))
            pause.wait(seconds)
            seconds = min(OBSERVE_LAST, seconds * 1.5)
            found = self._observe(cluster, input, heartbeat, found)

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


def _remaining(found: Inventory) -> list[ObjectHealth]:
    sick = {(each.kind, each.namespace, each.name): each for each in report(found.live).unhealthy}
    remaining = [
        sick.get((key.kind, key.namespace, key.name))
        or ObjectHealth(kind=key.kind, namespace=key.namespace, name=key.name, status="Current", reason="still there")
        for key in found.live
    ]
    return remaining[:OUTCOMES_LIMIT]
