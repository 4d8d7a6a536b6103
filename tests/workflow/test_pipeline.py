"""A pipeline: one run for every event and trigger, whatever is delivered how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nautes.messages.errors import Conflict, Refused
from nautes.messages.gitlab import Push
from nautes.messages.runtimes import PipelineInput
from nautes.messages.status import PipelineStatus, RunStatus
from nautes.planning.runtimes import EventSource, PipelineFile, Trigger
from tests.workflow.answers import PROJECT, pipeline, push, unique
from tests.workflow.platform import Handle, Platform, hurried, until


async def _started(platform: Platform, product: str, **spec: Any) -> Handle:
    start = PipelineInput(product=product, runtime="build")
    handle = await platform.start("Pipeline", f"pipeline/{product}/build", start)
    await handle.signal("specified", pipeline(product, **spec))
    return handle


async def _status(platform: Platform, handle: Handle, look: Callable[[PipelineStatus], object]) -> PipelineStatus:
    async def see() -> PipelineStatus | None:
        status: PipelineStatus = await platform.shown(handle.id, PipelineStatus)
        return status if look(status) else None

    found: PipelineStatus = await until(see, "the status")
    return found


async def _phase(platform: Platform, handle: Handle, phase: str) -> PipelineStatus:
    return await _status(platform, handle, lambda found: found.phase == phase)


def _run(product: str, event: Push, trigger: str = "pushes-ci") -> str:
    return f"run/{product}/build/{event.event}-{trigger}"


async def test_an_event_runs_every_trigger_it_matches_once_however_often_it_is_delivered(platform: Platform) -> None:
    product = unique("shop")
    sources = [
        EventSource(name="pushes", repository_id=PROJECT, revision="refs/heads/", events=["push_events"]),
        EventSource(name="tags", repository_id=PROJECT, events=["tag_push_events"]),
    ]
    triggers = [Trigger(event_source=source, pipeline=name) for source in ("pushes", "tags") for name in ("ci", "docs")]
    files = [PipelineFile(name=name, path=f"{name}.yaml") for name in ("ci", "docs")]
    handle = await _started(platform, product, event_sources=sources, triggers=triggers, pipelines=files)
    first, second = push(), push()
    for each in (first, first, second, first):
        await handle.signal("pushed", each)
    expected = [_run(product, each, f"pushes-{name}") for each in (first, second) for name in ("ci", "docs")]
    for each in expected:
        assert (await platform.result(each, RunStatus)).phase == "Succeeded"
    status = await _status(platform, handle, lambda found: len(found.runs) == 4)
    assert status.runs == expected[::-1]
    assert len(platform.fakes.asked("tekton.create_run")) == 4


async def test_an_event_of_another_repository_branch_or_of_a_deletion_runs_nothing(platform: Platform) -> None:
    product = unique("shop")
    source = EventSource(name="pushes", repository_id=PROJECT, revision="refs/heads/main$", events=["push_events"])
    handle = await _started(platform, product, event_sources=[source])
    for each in (push(99), push(ref="feature"), push(after="0" * 40)):
        await handle.signal("pushed", each)
    last = push()
    await handle.signal("pushed", last)
    await platform.result(_run(product, last), RunStatus)
    status = await _status(platform, handle, lambda found: found.runs)
    assert status.runs == [_run(product, last)]


async def test_events_that_come_before_its_place_is_ready_wait_for_it(platform: Platform) -> None:
    product = unique("shop")
    hold = platform.fakes.hold("runtimes.prepare")
    handle = await _started(platform, product)
    await hold.begun.wait()
    events = [push(), push()]
    for each in events:
        await handle.signal("pushed", each)
    await until(lambda: platform.worked_on_last(handle), "the pushes worked on")
    assert "git.fetch" not in platform.fakes.names()
    hold.release()
    for each in events:
        assert (await platform.result(_run(product, each), RunStatus)).phase == "Succeeded"


async def test_a_refused_place_is_said_and_asked_for_again_and_its_events_wait(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.fail("claims.claim", Conflict("namespace-taken", "namespace build is used by somebody"))
    with hurried(refused_retry=3):  # long enough to be seen refused on a busy machine
        handle = await _started(platform, product)
        status = await _phase(platform, handle, "Refused")
        assert status.message == "namespace build is used by somebody"
        event = push()
        await handle.signal("pushed", event)
        assert (await platform.result(_run(product, event), RunStatus)).phase == "Succeeded"
    assert (await _phase(platform, handle, "Ready")).message == ""


async def test_a_new_place_wins_over_the_wait_for_an_old_one(platform: Platform) -> None:
    product = unique("shop")
    hold = platform.fakes.hold("claims.claim")
    handle = await _started(platform, product)
    await hold.begun.wait()
    await handle.signal("specified", pipeline(product, cluster="other"))
    await _phase(platform, handle, "Ready")
    assert [each.cluster for each in platform.fakes.asked("claims.claim")] == ["edge", "other"]
    assert [each.cluster for each in platform.fakes.asked("claims.release")] == ["edge"]


async def test_an_account_it_had_before_goes_also_when_the_new_one_is_refused_at_first(platform: Platform) -> None:
    product = unique("shop")
    handle = await _started(platform, product, account="old")
    await _phase(platform, handle, "Ready")
    platform.fakes.fail("runtimes.prepare", Refused("account-refused", "the account is somebody's"))
    with hurried(refused_retry=0.3):
        await handle.signal("specified", pipeline(product, account="new"))
        await platform.called("runtimes.clear_account")
    assert [each.account for each in platform.fakes.asked("runtimes.clear_account")] == ["product-1-old"]
    assert len(platform.fakes.asked("runtimes.prepare")) == 3


async def test_it_gives_back_the_place_it_had_when_it_moves(platform: Platform) -> None:
    product = unique("shop")
    handle = await _started(platform, product)
    await _phase(platform, handle, "Ready")
    hold = platform.fakes.hold("runtimes.prepare")
    await handle.signal("specified", pipeline(product, namespace="second"))
    await hold.begun.wait()
    await handle.signal("specified", pipeline(product, namespace="third"))
    await until(lambda: len(platform.fakes.asked("runtimes.prepare")) == 3, "the third place")
    cleared = [each.namespaces for each in platform.fakes.asked("runtimes.clear")]
    assert cleared == [["build"], ["second"]]


async def test_specified_again_it_prepares_nothing_again_and_looked_at_it_does(platform: Platform) -> None:
    product = unique("shop")
    handle = await _started(platform, product)
    await _phase(platform, handle, "Ready")
    await handle.signal("specified", pipeline(product, commit="c" * 40))
    await handle.signal("reconcile")
    await platform.called("vault.ensure_runtime_role", 2)
    assert len(platform.fakes.asked("claims.claim")) == 2
    assert "claims.release" not in platform.fakes.names()


async def test_removed_it_cancels_its_runs_and_gives_its_place_back(platform: Platform) -> None:
    product = unique("shop")
    handle = await _started(platform, product)
    hold = platform.fakes.hold("tekton.ended")
    event = push()
    await handle.signal("pushed", event)
    await hold.begun.wait()
    await _status(platform, handle, lambda found: found.runs)
    await handle.signal("remove")
    await handle.result()
    names = platform.fakes.names("tekton.ended", "gitlab.set_commit_status")
    assert names[-4:] == ["control.cancel_runs", "vault.drop_runtime_role", "claims.release", "runtimes.clear"]
    assert platform.fakes.asked("control.cancel_runs") == [[_run(product, event)]]


async def test_a_removal_wins_over_the_wait_for_a_place(platform: Platform) -> None:
    hold = platform.fakes.hold("claims.claim")
    handle = await _started(platform, unique("shop"))
    await hold.begun.wait()
    await handle.signal("remove")
    await handle.result()
    assert platform.fakes.names() == ["claims.claim", "claims.release"]


async def test_declared_again_while_it_is_being_removed_it_is_there_afterwards(platform: Platform) -> None:
    product = unique("shop")
    handle = await _started(platform, product)
    await _phase(platform, handle, "Ready")
    hold = platform.fakes.hold("vault.drop_runtime_role")
    await handle.signal("remove")
    await hold.begun.wait()
    await handle.signal("specified", pipeline(product))
    event = push()
    await handle.signal("pushed", event)
    hold.release()
    assert (await platform.result(_run(product, event), RunStatus)).phase == "Succeeded"


async def test_nothing_is_lost_or_run_twice_when_its_history_starts_afresh(platform: Platform) -> None:
    product = unique("shop")
    platform.hurry(events_kept=40)
    handle = await _started(platform, product)
    events = [push() for _ in range(8)]
    for number, each in enumerate(events):
        await handle.signal("pushed", each)
        await handle.signal("pushed", events[number // 2])
    for each in events:
        await platform.result(_run(product, each), RunStatus)
    await platform.began_afresh(handle.id)
    await handle.signal("remove")
    await platform.handle(handle.id).result()
    made = [each.run.push.event for each in platform.fakes.asked("tekton.create_run")]
    assert sorted(made) == sorted(each.event for each in events)
    assert len(platform.fakes.asked("claims.claim")) == 1


async def test_a_refusal_that_lasts_does_not_make_its_history_grow_without_end(platform: Platform) -> None:
    platform.fakes.fail("claims.claim", Conflict("namespace-taken", "taken"), times=10_000)
    platform.hurry(events_kept=40, refused_retry=0.01)
    handle = await _started(platform, unique("shop"))
    await platform.began_afresh(handle.id)
    await platform.handle(handle.id).signal("remove")
    await platform.handle(handle.id).result()
