"""What the tests of clusters share: a cluster that is ready, and who asks what of it."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from nautes.messages.clusters import Claim, KnownCluster, Reserve, Reserved, Uses
from nautes.messages.operations import Accepted, ClusterRequest
from nautes.messages.status import ClusterStatus
from tests.workflow.answers import ADA, HEAD, KUBECONFIG, manifest
from tests.workflow.platform import Handle, Platform
from workflows.cluster_state import ClusterStart, ClusterState

EDGE = "https://edge.example.com:31443"


def ready(cluster: str, **more: Any) -> ClusterState:
    """A deployment worker as its workflow knows it."""
    values = {"manifest": manifest(cluster), "commit": HEAD, "kubeconfig": KUBECONFIG, "phase": "Ready"}
    return ClusterState.model_validate({**values, "components": ["traefik"], **more})


def host(cluster: str, **more: Any) -> ClusterState:
    """A host as its workflow knows it."""
    return ready(cluster, manifest=manifest(cluster, "", usage="host"), **more)


def virtual(cluster: str, **spec: Any) -> dict[str, Any]:
    """The manifest of a virtual worker on the host `big`."""
    return manifest(cluster, **{"clusterType": "virtual", "hostCluster": "big", "apiServer": EDGE, **spec})


async def started(platform: Platform, cluster: str, state: ClusterState | None = None) -> Handle:
    """The cluster's workflow."""
    return await platform.start("Cluster", f"cluster/{cluster}", ClusterStart(name=cluster, state=state))


async def submit(handle: Handle, request: ClusterRequest) -> str:
    """The operation that was accepted."""
    accepted = await handle.execute_update("submit", request, result_type=Accepted)
    return str(accepted.operation)


async def refusal(handle: Handle, update: str, input: Any) -> tuple[str | None, str]:
    """(kind of error, message) of an update that is refused."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update(update, input)
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    return cause.type, cause.message


async def shown(platform: Platform, handle: Handle) -> ClusterStatus:
    """What the cluster says of itself."""
    found: ClusterStatus = await platform.shown(handle.id, ClusterStatus)
    return found


def wish(operation: str, *claims: Claim, environments: list[str] | None = None, product: str = "product-1") -> Reserve:
    """What a change needs of a cluster."""
    return Reserve(
        product=product, product_id=product, operation=operation, claims=list(claims), environments=environments or []
    )


async def reserve(handle: Handle, input: Reserve) -> Reserved:
    """Ask for it."""
    found: Reserved = await handle.execute_update("reserve", input, result_type=Reserved)
    return found


async def uses(handle: Handle, *environments: str, runtimes: list[str] | None = None) -> Reserved:
    """The product's own word."""
    word = Uses(product="product-1", environments=list(environments), runtimes=runtimes or [])
    found: Reserved = await handle.execute_update("uses", word, result_type=Reserved)
    return found


def known(cluster: str, commit: str, **spec: Any) -> KnownCluster:
    """What the tenant repository says of a cluster."""
    return KnownCluster(name=cluster, manifest=manifest(cluster, **spec), commit=commit, requester=ADA, project_id=9)


def withdrawn(cluster: str, commit: str) -> KnownCluster:
    """The tenant repository says nothing of it any more."""
    return KnownCluster(name=cluster, manifest={}, commit=commit, requester=ADA, project_id=9, removed=True)
