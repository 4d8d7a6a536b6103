"""The tenant finds everything again, and the sweeps look for what no event told of."""

from __future__ import annotations

from typing import Any

from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    ScheduleSpec,
)

from nautes.messages.clusters import DeclaredReport, KnownCluster
from nautes.messages.control import Notified, PushesInput, WakeInput
from nautes.messages.gitlab import FeedPage, ProductPaths, SweepInput
from nautes.messages.status import TenantStatus
from nautes.messages.tenant import TenantInput
from nautes.resources.findings import Finding
from tests.workflow.answers import ADA, HEAD, declared, manifest, push, unique
from tests.workflow.platform import Handle, Platform, until

EDGE = KnownCluster(name="edge", manifest=manifest("edge"), commit=HEAD, requester=ADA)


async def _started(platform: Platform) -> Handle:
    start = TenantInput(tenant="nautes", hooks_url="https://nautes.example.com/hooks")
    handle = await platform.start("Tenant", unique("tenant"), start)
    await until(lambda: _ready(platform, handle), "a ready tenant")
    return handle


async def _ready(platform: Platform, handle: Handle) -> bool:
    return bool((await platform.shown(handle.id, TenantStatus)).phase == "Ready")


async def test_it_prepares_its_systems_and_wakes_everything_that_exists(platform: Platform) -> None:
    platform.fakes.answers["clusters.declared"] = declared(EDGE)
    platform.fakes.answers["gitlab.product_paths"] = {
        1: ProductPaths(paths=["shop", "docs"], following=2),
        2: ProductPaths(paths=["web"]),
    }.get
    handle = await _started(platform)
    assert platform.fakes.names() == [
        "vault.ensure_tenant",
        "gitlab.ensure_tenant_repository",
        "repositories.ensure_hook",
        "control.ensure_schedules",
        "clusters.declared",
        "control.wake",
        "gitlab.product_paths",
        "control.wake",
        "gitlab.product_paths",
        "control.wake",
    ]
    assert platform.fakes.asked("control.wake") == [
        WakeInput(clusters=[EDGE]),
        WakeInput(products=["shop", "docs"]),
        WakeInput(products=["web"]),
    ]
    status = await platform.shown(handle.id, TenantStatus)
    assert (status.repository, status.clusters, status.products) == ("nautes/management", ["edge"], 3)


async def test_a_push_to_the_tenant_repository_wakes_the_clusters_once(platform: Platform) -> None:
    handle = await _started(platform)
    platform.fakes.answers["clusters.declared"] = declared(EDGE)
    news = push(9, repository="nautes/management")
    await handle.signal("pushed", news)
    await platform.called("control.wake", 2)
    await handle.signal("pushed", news)
    await handle.signal("pushed", push(9, repository="nautes/management"))
    await platform.called("control.wake", 3)
    assert len(platform.fakes.asked("clusters.declared")) == 3


async def test_it_remembers_what_it_has_heard_when_its_history_starts_afresh(platform: Platform) -> None:
    platform.hurry(events_kept=60)
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


LOST = Finding(rule="stored-unreadable", message="clusters/edge.yaml: spec.usage is no usage")
NEXT, LAST = "c" * 40, "d" * 40


async def _look(platform: Platform, handle: Handle) -> WakeInput:
    """A push is heard; what the clusters are told then."""
    told = len(platform.fakes.asked("control.wake"))
    await handle.signal("pushed", push(9, repository="nautes/management"))
    await platform.called("control.wake", told + 1)
    found: WakeInput = platform.fakes.asked("control.wake")[-1]
    return found


async def test_a_cluster_whose_file_is_gone_is_told_so_until_it_is_no_more(platform: Platform) -> None:
    platform.fakes.answers["clusters.declared"] = declared(EDGE)
    handle = await _started(platform)
    platform.fakes.answers["clusters.declared"] = declared(commit=NEXT)
    input = await _look(platform, handle)
    assert [(each.name, each.removed, each.commit, each.project_id) for each in input.gone] == [("edge", True, NEXT, 9)]
    assert input.clusters == []
    platform.fakes.answers["clusters.declared"] = declared(commit=LAST)
    platform.fakes.answers["control.wake"] = Notified(count=1, absent=["edge"])
    assert [each.name for each in (await _look(platform, handle)).gone] == ["edge"], "it may have been refused"
    assert (await _look(platform, handle)).gone == []


async def test_a_file_that_cannot_be_read_removes_nothing_and_is_said_beside_its_commit(platform: Platform) -> None:
    other = EDGE.model_copy(update={"name": "other"})
    platform.fakes.answers["clusters.declared"] = declared(EDGE, other)
    handle = await _started(platform)
    platform.fakes.answers["clusters.declared"] = declared(other, findings=[LOST], commit=NEXT)
    input = await _look(platform, handle)
    assert (input.clusters, input.gone) == ([other], [])
    await platform.called("gitlab.comment")
    (comment,) = platform.fakes.asked("gitlab.comment")
    assert (comment.project_id, comment.commit, LOST.message in comment.text) == (9, NEXT, True)
    status = await platform.shown(handle.id, TenantStatus)
    assert (status.commit, status.findings) == (NEXT, [LOST])
    platform.fakes.answers["clusters.declared"] = declared(EDGE, other, commit=LAST)
    await _look(platform, handle)
    await until(lambda: _readable(platform, handle), "a status without findings")


async def _readable(platform: Platform, handle: Handle) -> bool:
    return not (await platform.shown(handle.id, TenantStatus)).findings


async def test_nothing_is_gone_where_no_repository_or_branch_was_found(platform: Platform) -> None:
    platform.fakes.answers["clusters.declared"] = declared(EDGE)
    handle = await _started(platform)
    platform.fakes.answers["clusters.declared"] = DeclaredReport(requester=ADA)
    assert (await _look(platform, handle)).gone == []


async def test_what_was_declared_is_known_when_its_history_starts_afresh(platform: Platform) -> None:
    platform.hurry(events_kept=60)
    platform.fakes.answers["clusters.declared"] = declared(EDGE)
    handle = await _started(platform)
    for number in range(10):
        await handle.signal("pushed", push(9))
        await platform.called("clusters.declared", number + 2)
    platform.fakes.answers["clusters.declared"] = DeclaredReport(requester=ADA)  # nothing to be learned from
    await platform.began_afresh(handle.id)
    await until(lambda: _ready(platform, platform.handle(handle.id)), "a ready tenant")
    platform.fakes.answers["clusters.declared"] = declared(commit=NEXT)
    await platform.handle(handle.id).signal("pushed", push(9))
    told = await until(lambda: [each.gone for each in platform.fakes.asked("control.wake") if each.gone], "a word")
    assert [each.name for each in told[0]] == ["edge"]


async def _swept(platform: Platform, kind: str, *arguments: Any) -> None:
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
    pages = {
        (0, 1): FeedPage(pushes=[], events=[17], newest=17, at="2026-11-01T00:00:00Z"),
        (17, 1): FeedPage(pushes=[news], events=[19], newest=19, at="2026-11-01T00:00:02Z", following=2),
        (17, 2): FeedPage(pushes=[], newest=18),
    }
    platform.fakes.answers["gitlab.feed"] = lambda input: pages[input.cursor.newest, input.page]
    await _swept(platform, "BranchSweep", SweepInput())
    asked = [(each.cursor.read, each.cursor.newest, each.page) for each in platform.fakes.asked("gitlab.feed")]
    assert asked == [(False, 0, 1), (True, 17, 1), (True, 17, 2)]
    assert platform.fakes.asked("control.deliver_pushes") == [PushesInput(pushes=[news])]


async def test_a_sweep_whose_history_starts_afresh_goes_on_with_the_looks_that_are_left(platform: Platform) -> None:
    platform.hurry(events_kept=20)
    platform.fakes.answers["gitlab.feed"] = lambda input: FeedPage(
        pushes=[], newest=input.cursor.newest + 1, at="2026-11-01T00:00:00Z"
    )
    handle = await platform.start("BranchSweep", unique("sweep"), SweepInput(looks=12, seconds=0.01))
    await handle.result()
    assert len(await platform.runs(handle.id)) > 1
    asked = [each.cursor.newest for each in platform.fakes.asked("gitlab.feed")]
    assert asked == list(range(12)), "each look goes on where the last one ended"
