"""Looks for drift in one cluster: one list per kind by label, a fingerprint per runtime, a signal to those that changed.

Called by the drift sweep. A fingerprint covers what people can edit (spec, labels, annotations); status does not count.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict

from temporalio import activity
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from nautes.blueprints import runtimes
from nautes.clients.kubernetes import Clusters, Kind
from nautes.convergence import inventory
from nautes.convergence.objects import Object
from nautes.messages import ids
from nautes.messages.clusters import ClusterClaims
from nautes.messages.control import DriftInput, DriftReport
from nautes.messages.errors import Unavailable

SECRET = Kind("v1", "Secret", "secrets", namespaced=True)
NOISE = ("deployment.kubernetes.io/revision",)  # annotations that controllers write


class DriftActivities:
    """Reads the runtimes from the cluster's workflow, and their objects from the cluster."""

    def __init__(self, client: Client, clusters: Clusters) -> None:
        self._client = client
        self._clusters = clusters

    @activity.defn(name="drift.sweep")
    async def sweep(self, input: DriftInput) -> DriftReport:
        """One sweep. Idempotent: the signal makes a runtime observe, nothing more."""
        known = await self._claims(input.cluster)
        owners = {
            inventory.label(runtimes.owner(each.product_id, each.runtime.rpartition("/")[2])): each.runtime
            for each in known.claims
            if each.runtime.startswith("deployment/")
        }
        if not owners or known.kubeconfig is None:
            return DriftReport(fingerprints={})
        found = await asyncio.to_thread(self._fingerprints, known, owners)
        woken = [
            runtime
            for runtime, digest in found.items()
            if input.fingerprints.get(runtime)
            != digest  # without an older fingerprint it counts as changed: it may have been edited before
        ]
        for runtime in woken:
            await self._nudge(runtime)
        return DriftReport(fingerprints=found, woken=woken)

    async def _claims(self, cluster: str) -> ClusterClaims:
        handle = self._client.get_workflow_handle(ids.cluster(cluster))
        try:
            found: ClusterClaims = await handle.query("claims", result_type=ClusterClaims)
            return found
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return ClusterClaims()
            raise Unavailable("temporal-unavailable", error.message) from error
        except WorkflowQueryFailedError as error:
            raise Unavailable("temporal-unavailable", str(error)) from error

    def _fingerprints(self, known: ClusterClaims, owners: dict[str, str]) -> dict[str, str]:
        """Runtime -> digest of its objects; one list per kind that any inventory names."""
        assert known.kubeconfig is not None  # noqa: S101 - asked by the caller
        cluster = self._clusters.get(known.kubeconfig)
        lines: dict[str, list[str]] = defaultdict(list)
        parents = cluster.list(SECRET, selector=inventory.ID_LABEL).items
        names = {name for parent in parents for name in inventory.read(parent, "").kinds}
        for name in sorted(names):
            kind = cluster.preferred(*inventory.split(name))
            for item in cluster.list(kind, selector=inventory.PART_OF).items if kind else []:
                label = (item["metadata"].get("labels") or {}).get(inventory.PART_OF)
                if label in owners:
                    lines[owners[label]].append(_line(item))
        return {
            runtime: hashlib.sha256("\n".join(sorted(lines[runtime])).encode()).hexdigest()[:16]
            for runtime in owners.values()
        }

    async def _nudge(self, runtime: str) -> None:
        try:
            await self._client.get_workflow_handle(runtime).signal("reconcile")
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise Unavailable("temporal-unavailable", error.message) from error


def _line(item: Object) -> str:
    """What people can edit of an object. Without a generation, the resource version is used."""
    meta = item["metadata"]
    annotations = {key: value for key, value in (meta.get("annotations") or {}).items() if key not in NOISE}
    return json.dumps(
        [
            item.get("kind"),
            meta.get("namespace"),
            meta.get("name"),
            meta.get("uid"),
            meta.get("generation") or meta.get("resourceVersion"),
            meta.get("labels"),
            annotations,
            meta.get("deletionTimestamp"),
        ],
        sort_keys=True,
    )
