"""The platform's work in clusters: converge an owner's objects, observe their health, remove them.

Called by the deployment, pipeline and registration workflows. The work itself is in the modules of this package, which other
activities use directly.
"""

from __future__ import annotations

from temporalio import activity

from activities.concurrency import Heartbeat
from activities.kubernetes.converge import Converger
from activities.kubernetes.health import HealthObserver
from activities.kubernetes.probe import Probe
from activities.kubernetes.removal import Remover
from nautes.clients.git import GitCache
from nautes.clients.kubernetes import Clusters
from nautes.messages.convergence import (
    ConvergeInput,
    ConvergeReport,
    HealthInput,
    HealthReport,
    OwnedInput,
    OwnedReport,
)

__all__ = ["Converger", "HealthObserver", "Heartbeat", "KubernetesActivities", "Probe", "Remover"]


class KubernetesActivities:
    """Runs on threads; every method reads before it writes."""

    def __init__(self, clusters: Clusters, git: GitCache | None = None) -> None:
        self._converger = Converger(clusters, git)
        self._health = HealthObserver(clusters)
        self._remover = Remover(clusters)

    @activity.defn(name="kubernetes.converge")
    def converge(self, input: ConvergeInput) -> ConvergeReport:
        """Make the owner's objects equal to what is declared. Idempotent: what is right already is not written. Heartbeats."""
        return self._converger.converge(input, Heartbeat())

    @activity.defn(name="kubernetes.health")
    def health(self, input: HealthInput) -> HealthReport:
        """Observe the owner's objects once. Idempotent: it only reads."""
        return self._health.observe(input, Heartbeat())

    @activity.defn(name="kubernetes.health_changed")
    def health_changed(self, input: HealthInput) -> HealthReport:
        """The health once it is another than the one known; raises NotYet until then. Idempotent: it only reads."""
        return self._health.changed(input, Heartbeat())

    @activity.defn(name="kubernetes.delete_owned")
    def delete_owned(self, input: OwnedInput) -> OwnedReport:
        """Delete all objects of the owner; see `Remover.delete`. Idempotent: nothing there is success. Heartbeats."""
        return self._remover.delete(input, Heartbeat())
