"""Long-lived workflows in every state in which they wait for long: each must go over to another build out of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import WorkflowUpdateStage

from nautes.messages.claims import NamespacesInput
from nautes.messages.clusters import ClusterInput, KnownCluster
from nautes.messages.control import ObserveInput
from nautes.messages.convergence import ObjectHealth, OwnedReport
from nautes.messages.declarations import AccessRequest
from nautes.messages.errors import NotYet, Refused, Unavailable
from nautes.messages.products import ProductInput
from nautes.messages.runtimes import DeploymentInput, PipelineInput
from nautes.messages.status import ClusterStatus, DeploymentStatus, PipelineStatus, TenantStatus
from nautes.messages.tenant import TenantInput
from tests.workflow import answers
from tests.workflow.deployments import SICK
from tests.workflow.platform import Handle, Platform, until
from workflows.effects import BUG_ATTEMPTS

NEVER = 1_000_000  # times
OUT = Unavailable("out", "no answer")

State = Callable[[Platform], Awaitable[Handle]]


async def tenant_in_an_outage(platform: Platform) -> Handle:
    platform.fakes.fail("vault.ensure_tenant", OUT, NEVER)
    handle = await platform.start("Tenant", answers.unique("tenant"), TenantInput(tenant="nautes", hooks_url="x"))
    await platform.called("vault.ensure_tenant", 2)
    return handle


async def tenant_at_rest(platform: Platform) -> Handle:
    handle = await platform.start("Tenant", answers.unique("tenant"), TenantInput(tenant="nautes", hooks_url="x"))
    await _shows(platform, handle, TenantStatus, lambda found: found.phase == "Ready")
    return handle


async def cluster_at_rest(platform: Platform) -> Handle:
    handle = await _cluster(platform)
    await handle.execute_update("submit", answers.registration(_name(handle), operation="one"))
    await _shows(platform, handle, ClusterStatus, lambda found: found.phase == "Ready" and not found.operation)
    return handle


async def cluster_refused(platform: Platform) -> Handle:
    """What Git declares was refused: it is tried again in an hour."""
    platform.hurry(refused_retry=3_600)
    platform.fakes.fail("components.install", Refused("component-refused", "no such kind"))
    handle = await _cluster(platform)
    name = _name(handle)
    known = KnownCluster(name=name, manifest=answers.manifest(name), commit=answers.HEAD, requester=answers.ADA)
    await handle.signal("declared", known)
    await _shows(platform, handle, ClusterStatus, lambda found: bool(found.findings))
    return handle


async def namespaceclaims_at_rest(platform: Platform) -> Handle:
    cluster = answers.unique("edge")
    handle = await platform.start("NamespaceClaims", f"namespaces/{cluster}", NamespacesInput(cluster=cluster))
    await until(lambda: platform.worked_on_last(handle), "it is at rest")
    return handle


async def observer_in_a_round(platform: Platform) -> Handle:
    hold = platform.fakes.hold("observer.watch")
    handle = await platform.start("Observer", answers.unique("observer/edge"), ObserveInput(cluster="edge"))
    await hold.begun.wait()
    return handle


async def observer_of_a_dead_cluster(platform: Platform) -> Handle:
    platform.fakes.fail("observer.watch", OUT, NEVER)
    handle = await platform.start("Observer", answers.unique("observer/edge"), ObserveInput(cluster="edge"))
    await platform.called("observer.watch", 2)
    return handle


async def product_that_cannot_read(platform: Platform) -> Handle:
    platform.fakes.fail("products.read", OUT, NEVER)
    handle = await _product(platform)
    await platform.called("products.read", 2)
    return handle


async def product_at_rest(platform: Platform) -> Handle:
    handle = await _product(platform)
    await platform.called("products.read")
    await until(lambda: platform.worked_on_last(handle), "it is at rest")
    return handle


async def product_that_is_asked_during_an_outage(platform: Platform) -> Handle:
    """Who asks whether repositories are open waits for GitLab, in a handler."""
    handle = await product_at_rest(platform)
    platform.fakes.fail("products.opened", OUT, NEVER)
    await platform.client.get_workflow_handle(handle.id).start_update(
        "request_access",
        AccessRequest(owner=handle.id.removeprefix("product/"), product="guest"),
        wait_for_stage=WorkflowUpdateStage.ACCEPTED,
    )
    await platform.called("products.opened", 2)
    return handle


async def deployment_at_rest(platform: Platform) -> Handle:
    handle = await _deployment(platform)
    await _shows(platform, handle, DeploymentStatus, lambda found: found.phase == "Converged")
    return handle


async def deployment_never_well(platform: Platform) -> Handle:
    platform.fakes.answers["kubernetes.health"] = SICK
    platform.fakes.fail("kubernetes.health_changed", NotYet("not-yet", "0/1"), NEVER)
    handle = await _deployment(platform)
    await _shows(platform, handle, DeploymentStatus, lambda found: found.phase == "Waiting")
    return handle


async def deployment_without_its_claim(platform: Platform) -> Handle:
    platform.fakes.fail("claims.claim", OUT, NEVER)
    handle = await _deployment(platform)
    await platform.called("claims.claim", 2)
    return handle


async def deployment_stopped_by_a_bug(platform: Platform) -> Handle:
    platform.fakes.fail("git.fetch", ValueError("a bug"), NEVER)
    platform.hurry(retry_maximum=0.01)
    handle = await _deployment(platform)
    await platform.called("git.fetch", BUG_ATTEMPTS)
    return handle


async def deployment_paused(platform: Platform) -> Handle:
    handle = await deployment_at_rest(platform)
    await handle.execute_update("pause")
    return handle


async def deployment_that_cannot_leave(platform: Platform) -> Handle:
    """Its objects are never gone."""
    handle = await deployment_at_rest(platform)
    stuck = ObjectHealth(kind="Pod", name="web", status="Terminating", reason="finalizer")
    platform.fakes.answers["kubernetes.delete_owned"] = OwnedReport(deleted=1, remaining=[stuck])
    await handle.signal("remove")
    await platform.called("kubernetes.delete_owned")
    platform.fakes.fail("kubernetes.delete_owned", NotYet("not-yet", "1 left"), NEVER)
    return handle


async def pipeline_at_rest(platform: Platform) -> Handle:
    handle = await _pipeline(platform)
    await _shows(platform, handle, PipelineStatus, lambda found: found.phase == "Ready")
    return handle


async def pipeline_without_its_claim(platform: Platform) -> Handle:
    platform.fakes.fail("claims.claim", OUT, NEVER)
    handle = await _pipeline(platform)
    await platform.called("claims.claim", 2)
    return handle


async def pipeline_that_cannot_leave(platform: Platform) -> Handle:
    handle = await pipeline_at_rest(platform)
    platform.fakes.fail("vault.drop_runtime_role", OUT, NEVER)
    await handle.signal("remove")
    await platform.called("vault.drop_runtime_role", 2)
    return handle


STATES: tuple[State, ...] = (
    tenant_in_an_outage,
    tenant_at_rest,
    cluster_at_rest,
    cluster_refused,
    namespaceclaims_at_rest,
    observer_in_a_round,
    observer_of_a_dead_cluster,
    product_that_cannot_read,
    product_at_rest,
    product_that_is_asked_during_an_outage,
    deployment_at_rest,
    deployment_never_well,
    deployment_without_its_claim,
    deployment_stopped_by_a_bug,
    deployment_paused,
    deployment_that_cannot_leave,
    pipeline_at_rest,
    pipeline_without_its_claim,
    pipeline_that_cannot_leave,
)


async def _cluster(platform: Platform) -> Handle:
    name = answers.unique("edge")
    return await platform.start("Cluster", f"cluster/{name}", ClusterInput(name=name))


def _name(handle: Handle) -> str:
    return handle.id.partition("/")[2]


async def _product(platform: Platform) -> Handle:
    path = answers.unique("shop")
    return await platform.start("Product", f"product/{path}", ProductInput(path=path))


async def _deployment(platform: Platform) -> Handle:
    product = answers.unique("shop")
    start = DeploymentInput(product=product, runtime="web")
    handle = await platform.start("Deployment", f"deployment/{product}/web", start)
    await handle.signal("specified", answers.deployment(product))
    return handle


async def _pipeline(platform: Platform) -> Handle:
    product = answers.unique("shop")
    start = PipelineInput(product=product, runtime="build")
    handle = await platform.start("Pipeline", f"pipeline/{product}/build", start)
    await handle.signal("specified", answers.pipeline(product))
    return handle


async def _shows(platform: Platform, handle: Handle, kind: type, look: Callable[[Any], bool]) -> None:
    async def see() -> bool:
        return look(await platform.shown(handle.id, kind))

    await until(see, f"{handle.id} as wanted")
