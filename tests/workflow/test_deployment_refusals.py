"""What a deployment does about a place, a revision or objects that are refused: its status names it, and it tries again."""

from __future__ import annotations

import pytest

from nautes.messages.convergence import ConvergeInput, ConvergeReport, ObjectOutcome
from nautes.messages.errors import Conflict, Forbidden, NotFound
from tests.workflow.answers import HEAD, push, unique
from tests.workflow.deployments import SICK, started, status_of, until_phase
from tests.workflow.platform import Handle, Platform, hurried, until


async def test_a_refused_place_is_said_and_asked_for_again(platform: Platform) -> None:
    product = unique("shop")
    text = "namespace web of cluster edge is used by deployment/docs/site"
    platform.fakes.fail("claims.claim", Conflict("namespace-taken", text), times=2)
    with hurried(refused_retry=3):  # long enough to be seen refused on a busy machine
        handle = await started(platform, product)
        assert (await until_phase(platform, handle, "Refused")).message == text
        status = await until_phase(platform, handle, "Converged")
    assert (status.message, len(platform.fakes.asked("claims.claim"))) == ("", 3)


async def test_a_refusal_does_not_keep_something_newer_waiting(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.fail("git.fetch", NotFound("revision-unknown", "there is no branch main"))
    handle = await started(platform, product)
    await until_phase(platform, handle, "Refused")
    await handle.signal("pushed", push())
    assert (await until_phase(platform, handle, "Converged")).message == ""


async def test_an_object_that_is_refused_makes_it_degraded_and_is_named(platform: Platform) -> None:
    bad = ObjectOutcome(kind="ClusterRole", name="all", action="refused", reason="cluster-scoped")
    platform.fakes.answers["kubernetes.converge"] = ConvergeReport(commit=HEAD, applied=1, refused=1, outcomes=[bad])
    status = await until_phase(platform, await started(platform, unique("shop")), "Degraded")
    assert (status.message, status.converged_commit) == ("ClusterRole/all refused: cluster-scoped", "")


async def test_an_object_that_is_refused_is_applied_again_later_and_later_until_it_is_taken(platform: Platform) -> None:
    product, attempts = unique("shop"), 4
    bad = ObjectOutcome(kind="ConfigMap", name="all", action="refused", reason="forbidden: not yet")
    refused = ConvergeReport(commit=HEAD, applied=1, refused=1, outcomes=[bad])
    reports = [refused] * attempts

    def converge(input: ConvergeInput) -> ConvergeReport:
        return reports.pop() if reports else ConvergeReport(commit=HEAD, applied=1)

    platform.fakes.answers["kubernetes.converge"] = converge
    with hurried(failed_retry=0.1):
        handle = await started(platform, product)
        await until(lambda: _retry_of(platform, handle), "its retry is shown")
        status = await until_phase(platform, handle, "Converged")
    assert (status.message, status.retry, status.converged_commit) == ("", None, HEAD)
    timers = [
        event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta().total_seconds()
        async for event in handle.fetch_history_events()
        if event.HasField("timer_started_event_attributes")
    ]
    assert timers == pytest.approx([0.1, 0.2, 0.4, 0.8])


async def _retry_of(platform: Platform, handle: Handle) -> bool:
    retry = (await status_of(platform, handle)).retry
    return retry is not None and "ConfigMap/all refused: forbidden" in retry.error and retry.attempt >= 2


async def test_what_was_refused_is_applied_again_although_other_objects_are_not_healthy(platform: Platform) -> None:
    bad = ObjectOutcome(kind="ConfigMap", name="all", action="refused", reason="forbidden: not yet")
    platform.fakes.answers["kubernetes.converge"] = ConvergeReport(commit=HEAD, applied=1, refused=1, outcomes=[bad])
    platform.fakes.answers["kubernetes.health"] = SICK
    platform.fakes.hold("kubernetes.health_changed")
    with hurried(failed_retry=0.1):
        await started(platform, unique("shop"))
        await platform.called("kubernetes.converge", 3)


async def test_a_refusal_that_lasts_does_not_make_its_history_grow_without_end(platform: Platform) -> None:
    platform.fakes.fail("claims.claim", Conflict("namespace-taken", "taken"), times=10_000)
    platform.hurry(events_kept=40, refused_retry=0.01)
    handle = await started(platform, unique("shop"))
    await platform.began_afresh(handle.id)
    await platform.handle(handle.id).signal("remove")
    await platform.handle(handle.id).result()


async def test_a_refusal_while_health_is_looked_at_stops_nothing(platform: Platform) -> None:
    handle = await started(platform, unique("shop"))
    await until_phase(platform, handle, "Converged")
    platform.fakes.fail("kubernetes.health", Forbidden("kubernetes-unauthorized", "the token has expired"))
    with hurried(refused_retry=0.2):
        await handle.signal("observed")
        await platform.called("kubernetes.converge", 2)
    assert (await until_phase(platform, handle, "Converged")).message == ""


async def test_a_removal_that_is_refused_is_tried_again_and_says_why(platform: Platform) -> None:
    handle = await started(platform, unique("shop"))
    await until_phase(platform, handle, "Converged")
    platform.fakes.fail("kubernetes.delete_owned", Forbidden("kubernetes-forbidden", "a webhook says no"), times=2)
    with hurried(refused_retry=0.5):
        await handle.signal("remove")
        await until(lambda: _says(platform, handle, "a webhook says no"), "it says why")
        await handle.result()
    assert len(platform.fakes.asked("kubernetes.delete_owned")) == 3


async def _says(platform: Platform, handle: Handle, text: str) -> bool:
    return (await status_of(platform, handle)).message == text


async def test_news_about_the_objects_do_not_put_off_the_retry_of_refused_ones(platform: Platform) -> None:
    bad = ObjectOutcome(kind="ConfigMap", name="all", action="refused", reason="quota")
    platform.fakes.answers["kubernetes.converge"] = ConvergeReport(commit=HEAD, applied=1, refused=1, outcomes=[bad])
    with hurried(failed_retry=1.5):
        handle = await started(platform, unique("shop"))
        await until_phase(platform, handle, "Degraded")
        await handle.signal("observed")
        await platform.called("kubernetes.health", 2)
        await platform.called("kubernetes.converge", 2)
    assert (await until_phase(platform, handle, "Degraded")).retry is not None
