"""Component bundles of the catalog, converged into clusters by the same engine as products' objects.

Called by the registration workflow. A bundle is a directory of plain manifests in catalog/, named like the component.
"""

from __future__ import annotations

from pathlib import Path

from temporalio import activity

from activities.kubernetes import Converger, HealthObserver, Heartbeat, Remover
from activities.waiting import not_yet
from nautes.clients.kubernetes import Clusters
from nautes.convergence.manifests import parse
from nautes.convergence.objects import Object
from nautes.messages.clusters import ComponentInput, ComponentReport
from nautes.messages.convergence import ConvergeInput, HealthInput, HealthReport, OwnedInput, OwnedReport
from nautes.messages.errors import Refused

_PACKAGED = Path(__file__).with_name("catalog")  # its folder in a wheel; in a checkout it is a folder of the repository
CATALOG = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[1] / "catalog"
HOME = "nautes"  # namespace of the platform in a cluster: inventories of components live there


class ComponentActivities:
    """As the platform itself: components are trusted, they come with this build."""

    def __init__(self, clusters: Clusters) -> None:
        self._converger = Converger(clusters)
        self._health = HealthObserver(clusters)
        self._remover = Remover(clusters)

    @activity.defn(name="components.install")
    def install(self, input: ComponentInput) -> ComponentReport:
        """Converge a component. Idempotent: what is right already is not written. Heartbeats.

        A component without a bundle is reported as such: people install it.
        """
        if not bundled(input.component):
            return ComponentReport(bundled=False)
        heartbeat = Heartbeat()
        namespaces = _namespaces(input)
        report = self._converger.converge(
            ConvergeInput(
                cluster=input.kubeconfig,
                owner=owner(input.component),
                objects=bundle(input.component),
                namespaces=namespaces,
            ),
            heartbeat,
        )
        bad = [each for each in report.outcomes if each.action in ("refused", "failed")]
        if bad:
            raise Refused("component-refused", f"{input.component}: {bad[0].kind}/{bad[0].name}: {bad[0].reason}")
        return ComponentReport(**report.model_dump())

    @activity.defn(name="components.healthy")
    def healthy(self, input: ComponentInput) -> HealthReport:
        """The health of a component; raises NotYet until it is healthy. Idempotent: it only reads."""
        found = self._health.observe(
            HealthInput(cluster=input.kubeconfig, owner=owner(input.component), namespaces=_namespaces(input)),
            Heartbeat(),
        )
        if not found.healthy:
            first = found.unhealthy[0]
            raise not_yet(f"{input.component}: {first.kind}/{first.name}: {first.reason}")
        return found

    @activity.defn(name="components.remove")
    def remove(self, input: ComponentInput) -> OwnedReport:
        """Delete a component; raises NotYet until it is gone. Idempotent: not there is success. Heartbeats."""
        if not bundled(input.component):  # without a bundle we installed nothing
            return OwnedReport()
        found = self._remover.delete(
            OwnedInput(cluster=input.kubeconfig, owner=owner(input.component), namespaces=_namespaces(input)),
            Heartbeat(),
        )
        if found.remaining:
            first = found.remaining[0]
            raise not_yet(f"{input.component}: {first.kind}/{first.name}: {first.reason}")
        return found


def _namespaces(input: ComponentInput) -> list[str]:
    return [HOME, *([input.namespace] if input.namespace not in ("", HOME) else [])]


def owner(component: str) -> str:
    """Name of a component's inventory."""
    return f"component-{component}"


def bundled(component: str) -> bool:
    """Whether this build can install a component: the catalog has a directory of its name."""
    return (CATALOG / component).is_dir()


def bundle(component: str) -> list[Object]:
    """The objects of a component that has a bundle."""
    files = sorted((CATALOG / component).glob("*.yaml"))
    return [item for file in files for item in parse([(file.name, file.read_bytes())]).objects]
