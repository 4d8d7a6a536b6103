"""The health of an owner's objects, observed once. Used by the health activities."""

from __future__ import annotations

from collections.abc import Mapping

from activities.concurrency import Progress
from activities.kubernetes.inventory import Inventory, InventoryReader, parent_namespaces
from activities.waiting import not_yet
from nautes.clients.kubernetes import Cluster, Clusters
from nautes.convergence.health import Health, health
from nautes.convergence.objects import Key, Object
from nautes.messages.convergence import OUTCOMES_LIMIT, HealthInput, HealthReport, ObjectHealth


class HealthObserver:
    """Observes the objects that carry the owner's label, kind by kind."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    def observe(self, input: HealthInput, heartbeat: Progress = lambda *_: None) -> HealthReport:
        """Observe once: one list per kind. Idempotent: it only reads. Raises Unavailable."""
        return report(self._observe(self._clusters.get(input.cluster), input, heartbeat).live)

    def changed(self, input: HealthInput, heartbeat: Progress = lambda *_: None) -> HealthReport:
        """Observe once; raises NotYet while exactly the `known` objects are unhealthy, for the same reasons."""
        found = self.observe(input, heartbeat)
        if not found.healthy and found.unhealthy == input.known:
            first = found.unhealthy[0]
            raise not_yet(f"{first.kind}/{first.name}: {first.reason}")
        return found

    def _observe(self, cluster: Cluster, input: HealthInput, heartbeat: Progress) -> Inventory:
        return InventoryReader(cluster, input.owner, input.namespaces, heartbeat).read(
            parent_namespaces(input.namespaces)
        )


def report(live: Mapping[Key, Object]) -> HealthReport:
    """The unhealthy objects, the failed ones first."""
    sick = sorted(_sick(live).items(), key=lambda each: (each[1].status != "Failed", each[0]))
    reported = [
        ObjectHealth(kind=key.kind, namespace=key.namespace, name=key.name, status=found.status, reason=found.reason)
        for key, found in sick[:OUTCOMES_LIMIT]
    ]
    return HealthReport(healthy=not sick, unhealthy=reported, total=len(live))


def _sick(live: Mapping[Key, Object]) -> dict[Key, Health]:
    states = {key: health(item) for key, item in live.items()}
    return {key: state for key, state in states.items() if state.status != "Current"}
