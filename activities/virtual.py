"""Virtual clusters on their hosts: creates them, reads their kubeconfig, removes them. Called by workflows/virtual.py.

The platform acts through the host's kubeconfig; the objects are converged by the same engine as all others.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from temporalio import activity

from activities.elapsed import elapsed
from activities.kubernetes import Converger, Heartbeat, Remover
from activities.vault import at_server
from activities.waiting import not_yet
from nautes.blueprints import vault as names
from nautes.blueprints import virtual
from nautes.clients.kubernetes import Cluster, Clusters, Kind
from nautes.clients.vault import Vault
from nautes.convergence import inventory
from nautes.messages.clusters import VirtualAccess, VirtualInput
from nautes.messages.convergence import ConvergeInput, ConvergeReport, OwnedInput, OwnedReport
from nautes.messages.errors import NotFound, Refused, Unavailable
from nautes.messages.secrets import SecretRef

NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
SECRET = Kind("v1", "Secret", "secrets", namespaced=True)
TIMEOUT = 120.0  # seconds from the first check until a cluster that does not answer is refused


class VirtualActivities:
    """`vault` stores the kubeconfigs."""

    def __init__(self, clusters: Clusters, vault: Vault) -> None:
        self._clusters = clusters
        self._vault = vault
        self._converger = Converger(clusters)
        self._remover = Remover(clusters)

    @activity.defn(name="virtual.create")
    def create(self, input: VirtualInput) -> ConvergeReport:
        """Converge its objects on the host. Idempotent: what is right is not written. Raises Refused for a foreign namespace."""
        _require_ours(self._clusters.get(input.host), input.cluster)
        report = self._converger.converge(
            ConvergeInput(
                cluster=input.host,
                owner=virtual.owner(input.cluster),
                objects=virtual.objects(input.cluster, input.server, input.node_port),
                namespaces=_namespaces(input),
            ),
            Heartbeat(),
        )
        bad = [each for each in report.outcomes if each.action in ("refused", "failed")]
        if bad:
            raise Refused("virtual-refused", f"the host refuses {bad[0].kind}/{bad[0].name}: {bad[0].reason}")
        return report

    @activity.defn(name="virtual.access")
    def access(self, input: VirtualInput) -> VirtualAccess:
        """Stage its kubeconfig; raises NotYet until it is there. Idempotent: one that is stored already is not written."""
        text = _at_server(_config(self._clusters.get(input.host), input.cluster), input)
        stored = self._vault.read(SecretRef(engine="cluster", path=names.kubeconfig_path(input.cluster)))
        if stored is not None and stored.get("kubeconfig") == text:
            return VirtualAccess()
        staged = self._vault.write(input.staged.engine, input.staged.path, {"kubeconfig": text})
        self._require_answer(input, staged)
        return VirtualAccess(staged=staged)

    @activity.defn(name="virtual.delete")
    def delete(self, input: VirtualInput) -> OwnedReport:
        """Delete everything it has on the host; raises NotYet until it is gone. Idempotent: not there is success."""
        owner = virtual.owner(input.cluster)
        found = self._remover.delete(
            OwnedInput(cluster=input.host, owner=owner, namespaces=_namespaces(input)), Heartbeat()
        )
        if found.remaining:
            first = found.remaining[0]
            raise not_yet(f"{first.kind}/{first.name} is still there: {first.reason}")
        return found

    def _require_answer(self, input: VirtualInput, staged: SecretRef) -> None:
        """Check that it answers at the declared address. A new one may need a while."""
        try:
            self._clusters.get(staged).call("GET", "/version")
        except Unavailable as error:
            if elapsed() < TIMEOUT:
                raise
            text = f"virtual cluster {input.cluster} does not answer at {input.server}: {error.message}"
            raise Refused("cluster-unreachable", text) from None


def _namespaces(input: VirtualInput) -> list[str]:
    return [inventory.PLATFORM_NAMESPACE, input.cluster]


def _require_ours(host: Cluster, cluster: str) -> None:
    """An existing namespace must belong to the virtual cluster: it is deleted with everything in it at removal."""
    try:
        live = host.get(NAMESPACE, "", cluster)
    except NotFound:
        return
    meta: dict[str, Any] = live["metadata"]
    if (meta.get("labels") or {}).get(inventory.PART_OF) != inventory.label(virtual.owner(cluster)):
        text = f"namespace {cluster} of the host is there already and belongs to another owner"
        raise Refused("namespace-foreign", text)
    if meta.get("deletionTimestamp"):
        raise Unavailable("namespace-terminating", f"namespace {cluster} of the host is still being deleted")


def _config(host: Cluster, cluster: str) -> str:
    """The kubeconfig that its control plane has written. Raises NotYet when it is not there."""
    name = virtual.secret(cluster)
    listing = host.list(SECRET, namespace=cluster)
    found = next((_held(item) for item in listing.items if item["metadata"]["name"] == name), "")
    if not found:
        raise not_yet(f"virtual cluster {cluster} has not begun: there is no Secret {name} yet")
    return found


def _held(item: dict[str, Any]) -> str:
    try:
        return base64.b64decode((item.get("data") or {}).get(virtual.CONFIG) or "", validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _at_server(text: str, input: VirtualInput) -> str:
    try:
        return at_server(text, input.server)
    except (ValueError, LookupError, TypeError):
        raise Refused("virtual-kubeconfig", f"what virtual cluster {input.cluster} wrote is no kubeconfig") from None
