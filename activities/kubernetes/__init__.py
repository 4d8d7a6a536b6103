"""What the platform does in clusters: converge an owner's objects, see whether they are healthy, take them away.

Called by the deployment, pipeline and registration workflows. The work itself is in the modules of this package, which other
activities use directly.
"""

from __future__ import annotations

from temporalio import activity

from activities.kubernetes.concurrency import Pulse
from activities.kubernetes.converge import Converger
from activities.kubernetes.health import Doctor
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

__all__ = ["Converger", "Doctor", "KubernetesActivities", "Probe", "Pulse", "Remover"]


class KubernetesActivities:
    """Runs on threads; every method looks before it acts."""

    def __init__(self, clusters: Clusters, git: GitCache | None = None) -> None:
        self._converger = Converger(clusters, git)
        self._doctor = Doctor(clusters)
        self._remover = Remover(clusters)

    @activity.defn(name="kubernetes.converge")
    def converge(self, input: ConvergeInput) -> ConvergeReport:
        """Make the owner's objects what is declared. Idempotent: what agrees is not written. Heartbeats."""
        return self._converger.converge(input, Pulse())

    @activity.defn(name="kubernetes.health")
    def health(self, input: HealthInput) -> HealthReport:
        """One look at the owner's objects. Idempotent: it only looks."""
        return self._doctor.look(input, Pulse())

    @activity.defn(name="kubernetes.await_health")
    def await_health(self, input: HealthInput) -> HealthReport:
        """Wait until all are healthy or the time is over. Idempotent: it only looks. Heartbeats."""
        return self._doctor.wait(input, Pulse())

    @activity.defn(name="kubernetes.delete_owned")
    def delete_owned(self, input: OwnedInput) -> OwnedReport:
        """Delete all the owner has and wait until it is gone. Idempotent: nothing there is success. Heartbeats."""
        return self._remover.delete(input, Pulse())
