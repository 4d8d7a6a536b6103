"""The tenant finds everything again, and the sweeps look for what no event told of."""

from __future__ import annotations

from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    ScheduleSpec,
)

from contracts.clusters import KnownCluster
from contracts.control import AnnounceOrder, DriftOrder, DriftReport, WakeOrder
from contracts.gitlab import PushPage
from contracts.status import TenantStatus
from contracts.tenant import TenantInput
from tests.workflow.answers import ADA, HEAD, declared, manifest, push, unique
from tests.workflow.caches import both_caches
from tests.workflow.platform import Handle, Platform, hurried, until

EDGE = KnownCluster(name="edge", manifest=manifest("edge"), commit=HEAD, requester=ADA)


async def _started(platform: Platform) -> Handle:
    start = TenantInput(tenant="nautes", hooks_url="https://nautes.example.com/hooks")
    handle = await platform.start("Tenant", unique("tenant"), start)
    await until(lambda: _ready(platform, handle), "a ready tenant")
    return handle


async def _ready(platform: Platform, handle: Handle) -> bool:
    return bool((await platform.shown(handle.id, TenantStatus)).phase == "Ready")


@both_caches
async def test_it_prepares_its_systems_and_wakes_everything_that_exists(platform: Platform) -> None:
    platform.fakes.answers["clusters.declared"] = declared(EDGE)
    platform.fakes.answers["gitlab.product_paths"] = ["shop", "docs"]
    handle = await _started(platform)
    assert platform.fakes.names() == [
        "vault.ensure_tenant",
        "gitlab.ensure_tenant_repository",
        "repositories.ensure_hook",
        "control.ensure_schedule",
        "clusters.declared",
        "control.wake",
        "gitlab.product_paths",
        "control.wake",
    ]
    assert platform.fakes.asked("control.wake") == [WakeOrder(clusters=[EDGE]), WakeOrder(products=["shop", "docs"])]
    status = await platform.shown(handle.id, TenantStatus)
    assert (status.repository, status.clusters, status.products) == ("nautes/management", ["edge"], ["shop", "docs"])


@both_caches
async def test_a_push_to_the_tenant_repository_wakes_the_clusters_once(platform: Platform) -> None:
    handle = await _started(platform)
    platform.fakes.answers["clusters.declared"] = declared(EDGE)
    news = push(9, repository="nautes/management")
    await handle.signal("pushed", news)
    await platform.called("control.wake", 3)
    await handle.signal("pushed", news)
    await handle.signal("pushed", push(9, repository="nautes/management"))
    await platform.called("control.wake", 4)
    assert len(platform.fakes.asked("clusters.declared")) == 3


async def test_it_remembers_what_it_has_heard_when_its_history_starts_afresh(platform: Platform) -> None:
    with hurried(events_kept=60):
        handle = await _started(platform)
        first = push(9)
        await handle.signal("pushed", first)
        for number in range(10):
            await handle.signal("pushed", push(9))
            await platform.called("clusters.declared", number + 2)
        await platform.began_afresh(handle.id)
        await until(lambda: _ready(platform, platform.handle(handle.id)), "a ready tenant")
        looked = len(platform.fakes.asked("clusters.declared"))
        for each in (first, push(9)):
            await platform.handle(handle.id).signal("pushed", each)
        await platform.called("clusters.declared", looked + 1)
    assert len(platform.fakes.asked("clusters.declared")) == looked + 1


async def _swept(platform: Platform, kind: str, *arguments: str) -> None:
    """Run a sweep twice as its schedule does: what the first leaves, the second gets."""
    key = unique("sweep")
    action = ScheduleActionStartWorkflow(kind, args=list(arguments), id=key, task_queue=platform.queue)
    schedule = await platform.client.create_schedule(key, Schedule(action=action, spec=ScheduleSpec()))
    for number in (1, 2):
        await schedule.trigger(overlap=ScheduleOverlapPolicy.SKIP)
        await until(lambda number=number: _ended(schedule, number), f"sweep {number}")
    await schedule.delete()


async def _ended(schedule: ScheduleHandle, number: int) -> bool:
    info = (await schedule.describe()).info
    return info.num_actions == number and not info.running_actions


async def test_a_sweep_begins_where_the_last_one_ended_and_passes_on_only_what_is_new(platform: Platform) -> None:
    news = push()
    pages = {0: PushPage(pushes=[], cursor=17, calls=1), 17: PushPage(pushes=[news], cursor=18, calls=1)}
    platform.fakes.answers["gitlab.recent_pushes"] = pages.get
    await _swept(platform, "BranchSweep")
    assert platform.fakes.asked("gitlab.recent_pushes") == [0, 17]
    assert platform.fakes.asked("control.announce") == [AnnounceOrder(pushes=[news])]


async def test_a_sweep_for_drift_compares_with_what_the_last_one_saw(platform: Platform) -> None:
    seen = {"deployment/shop/web": "1"}
    platform.fakes.answers["drift.sweep"] = DriftReport(fingerprints=seen)
    await _swept(platform, "DriftSweep", "edge")
    orders: list[DriftOrder] = platform.fakes.asked("drift.sweep")
    assert [(each.cluster, each.fingerprints) for each in orders] == [("edge", {}), ("edge", seen)]
