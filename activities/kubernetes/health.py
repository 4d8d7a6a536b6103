"""The health of an owner's objects: observe it once, or wait for it. Used by the health activities."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from activities.concurrency import Progress
from activities.kubernetes.inventory import Inventory, InventoryReader, parent_namespaces
from nautes.clients.kubernetes import Cluster, Clusters, Kind
from nautes.convergence.health import Health, health
from nautes.convergence.objects import Key, Object
from nautes.messages.convergence import OUTCOMES_LIMIT, HealthInput, HealthReport, ObjectHealth

WATCH = 5  # seconds of one watch: between two of them cancellation is noticed and a heartbeat sent
OBSERVE_EVERY = 0.2  # seconds between two observations at least


class HealthObserver:
    """Observes the objects that carry the owner's label, kind by kind."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    def observe(self, input: HealthInput, heartbeat: Progress = lambda *_: None) -> HealthReport:
        """Observe once: one list per kind. Idempotent: it only reads. Raises Unavailable."""
        return report(self._observe(self._clusters.get(input.cluster), input, heartbeat).live)

    def wait(self, input: HealthInput, heartbeat: Progress = lambda *_: None) -> HealthReport:
        """Wait until all objects are healthy or `within` seconds are over; return the health then. Raises Unavailable.

        Unhealthy kinds are watched one after the other: all must become healthy, so the order does not matter.
        """
        cluster = self._clusters.get(input.cluster)
        deadline = time.monotonic() + input.within
        pause = threading.Event()
        while True:
            found = self._observe(cluster, input, heartbeat)
            sick = _sick(found.live)
            left = deadline - time.monotonic()
            if not sick or left <= 0:
                return report(found.live)
            heartbeat(f"{len(sick)} of {len(found.live)} objects are not healthy")
            group, kind = next(iter(sick))[:2]
            began = time.monotonic()
            self._watch(cluster, input, found.kinds[group, kind], min(left, WATCH), heartbeat)
            pause.wait(max(0.0, OBSERVE_EVERY - (time.monotonic() - began)))  # a watch may end at once

    def _watch(self, cluster: Cluster, input: HealthInput, kind: Kind, seconds: float, heartbeat: Progress) -> None:
        """Wait until all objects of one kind are healthy or the time is over."""
        reader = InventoryReader(cluster, input.owner, input.namespaces, heartbeat)
        namespace = input.namespaces[0] if len(input.namespaces) == 1 and kind.namespaced else ""
        listing = cluster.list(kind, namespace=namespace, selector=reader.selector)
        sick = {item["metadata"]["uid"] for item in listing.items if health(item).status != "Current"}
        if not sick:
            return
        events = cluster.watch(
            kind, namespace=namespace, selector=reader.selector, version=listing.version, seconds=max(1, int(seconds))
        )
        for event, item in events:
            uid = item["metadata"]["uid"]
            healthy = event == "DELETED" or health(item).status == "Current"
            sick = sick - {uid} if healthy else sick | {uid}
            heartbeat(f"{len(sick)} {kind.kind} are not healthy")
            if not sick:
                return

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
