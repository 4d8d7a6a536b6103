"""What the tests of clusters share: a cluster that is ready, and who asks what of it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest

from activities.claims import ClaimActivities
from nautes.messages import ids
from nautes.messages.claims import (
    Claim,
    ClaimInput,
    ClusterFacts,
    Grant,
    NamespacesInput,
    Reserve,
    Reserved,
    ReserveInput,
    Uses,
    UsesInput,
)
from nautes.messages.clusters import KnownCluster
from nautes.messages.control import Notified
from nautes.messages.errors import NautesError, NotFound, Unavailable
from nautes.messages.operations import Accepted, ClusterRequest
from nautes.messages.status import ClusterStatus
from tests.workflow.answers import ADA, HEAD, KUBECONFIG, manifest
from tests.workflow.platform import Handle, Platform, until
from workflows.claims_state import NamespacesStart
from workflows.cluster_state import ClusterRecord, ClusterStart, ClusterState, facts_of

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


def record(state: ClusterState) -> ClusterRecord:
    """The part of a cluster's state that its registrations know."""
    return ClusterRecord.model_validate(state.model_dump(exclude={"queue", "handled"}))


def outside(platform: Platform) -> list[str]:
    """The activities that were called, in order, without those that ask who uses the cluster and publish its facts."""
    return platform.fakes.names("claims.publish", "claims.users", "claims.close")


async def shown(platform: Platform, handle: Handle) -> ClusterStatus:
    """What the cluster says of itself."""
    found: ClusterStatus = await platform.shown(handle.id, ClusterStatus)
    return found


def wish(operation: str, *claims: Claim, environments: list[str] | None = None, product: str = "product-1") -> Reserve:
    """What a change needs of a cluster."""
    return Reserve(
        product=product, product_id=product, operation=operation, claims=list(claims), environments=environments or []
    )


class Asking:
    """What runtimes, changes and products ask of one cluster's namespace claims."""

    def __init__(self, platform: Platform, cluster: str) -> None:
        self.id = ids.namespaces(cluster)
        self._cluster = cluster
        self._activities = ClaimActivities(platform.client)

    async def claim(self, claim: Claim) -> Grant:
        return await self._activities.claim(ClaimInput(cluster=self._cluster, claim=claim))

    async def release(self, claim: Claim) -> list[str]:
        return (await self._activities.release(ClaimInput(cluster=self._cluster, claim=claim))).namespaces

    async def reserve(self, wish: Reserve) -> Reserved:
        return await self._activities.reserve(ReserveInput(cluster=self._cluster, reserve=wish))

    async def unreserve(self, wish: Reserve) -> Reserved:
        return await self._activities.unreserve(ReserveInput(cluster=self._cluster, reserve=wish))

    async def uses(self, *environments: str, runtimes: list[str] | None = None) -> Reserved:
        report = Uses(product="product-1", environments=list(environments), runtimes=runtimes or [])
        return await self._activities.uses(UsesInput(cluster=self._cluster, uses=report))

    async def held(self, kind: str = "claim") -> dict[str, list[str]]:
        """Namespaces of those who use the cluster in one way, by name."""
        page = await self._activities.users(self._cluster)
        return {each.name: each.namespaces for each in page.users if each.kind == kind}

    async def environments(self) -> list[str]:
        return sorted(each.removeprefix("environment/") for each in await self.held("environment"))


async def refusal(asked: Awaitable[Any]) -> tuple[str, str]:
    """(kind of error, message) of what is refused."""
    with pytest.raises(NautesError) as caught:
        await asked
    return type(caught.value).__name__, caught.value.message


async def granting(platform: Platform, cluster: str, state: ClusterState) -> Asking:
    """The namespace claims of a cluster that its own workflow has told about."""
    start = NamespacesStart(cluster=cluster, facts=facts_of(cluster, state, in_work=False))
    await platform.start("NamespaceClaims", ids.namespaces(cluster), start)
    return Asking(platform, cluster)


def keep_claims(platform: Platform, cluster: str) -> Asking:
    """Clusters of this platform have the workflows of their claims, as in production."""
    real = ClaimActivities(platform.client)

    async def publish(facts: ClusterFacts) -> Notified:
        await platform.client.start_workflow(
            "NamespaceClaims",
            NamespacesInput(cluster=facts.cluster),
            id=ids.namespaces(facts.cluster),
            task_queue=platform.queue,
            start_signal="cluster_changed",
            start_signal_args=[facts],
        )
        return Notified(count=1)

    platform.fakes.answers |= {"claims.publish": publish, "claims.users": real.users, "claims.close": real.close}
    return Asking(platform, cluster)


async def granted(platform: Platform, cluster: str) -> None:
    """Wait until the claims of a cluster are told that it is ready."""
    asking = keep_claims(platform, cluster)

    async def looks() -> bool:
        try:
            await asking.reserve(wish("look").model_copy(update={"only_check": True}))
        except (Unavailable, NotFound):
            return False
        return True

    await until(looks, "a cluster that grants claims")


def known(cluster: str, commit: str, **spec: Any) -> KnownCluster:
    """What the tenant repository says of a cluster."""
    return KnownCluster(name=cluster, manifest=manifest(cluster, **spec), commit=commit, requester=ADA, project_id=9)


def withdrawn(cluster: str, commit: str) -> KnownCluster:
    """The tenant repository says nothing of it any more."""
    return KnownCluster(name=cluster, manifest={}, commit=commit, requester=ADA, project_id=9, removed=True)
