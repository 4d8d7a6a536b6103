"""What a deployment does when its cluster's observer says that something about its objects is new."""

from __future__ import annotations

from nautes.messages.convergence import HealthReport
from nautes.messages.errors import NotYet
from tests.workflow.answers import unique
from tests.workflow.deployments import SICK, started, status_of, until_phase
from tests.workflow.platform import Platform

WELL = HealthReport(healthy=True, total=2)


async def test_what_was_healthy_and_is_so_no_more_is_shown_until_it_is_again(platform: Platform) -> None:
    handle = await started(platform, unique("shop"))
    before = await until_phase(platform, handle, "Converged")
    platform.fakes.answers["kubernetes.health"] = SICK
    hold = platform.fakes.hold("kubernetes.health_changed")
    await handle.signal("observed")
    await hold.begun.wait()
    sick = await status_of(platform, handle)
    assert (sick.phase, [each.name for each in sick.unhealthy]) == ("Waiting", ["web"])
    platform.fakes.answers["kubernetes.health"] = WELL
    await handle.signal("observed")
    after = await until_phase(platform, handle, "Converged")
    assert (after.unhealthy, after.commit, after.finished) == ([], before.commit, before.finished)
    assert len(platform.fakes.asked("kubernetes.converge")) == 1, "nothing was to be corrected"


async def test_news_about_the_objects_end_the_wait_for_their_health_at_once(platform: Platform) -> None:
    platform.fakes.answers["kubernetes.health"] = SICK
    platform.fakes.fail("kubernetes.health_changed", NotYet("not-yet", "0 of 1", retry_after=3600), times=10)
    handle = await started(platform, unique("shop"))
    await platform.called("kubernetes.health_changed")
    platform.fakes.answers["kubernetes.health"] = WELL
    await handle.signal("observed")
    assert (await until_phase(platform, handle, "Converged")).unhealthy == []


async def test_news_that_say_nothing_new_change_nothing(platform: Platform) -> None:
    handle = await started(platform, unique("shop"))
    before = await until_phase(platform, handle, "Converged")
    await handle.signal("observed")
    await platform.called("kubernetes.health", 2)
    await handle.signal("reconcile")
    await platform.called("kubernetes.converge", 2)
    assert (await until_phase(platform, handle, "Converged")).commit == before.commit


async def test_a_paused_runtime_looks_at_nothing(platform: Platform) -> None:
    handle = await started(platform, unique("shop"))
    await until_phase(platform, handle, "Converged")
    await handle.execute_update("pause")
    looked = len(platform.fakes.asked("kubernetes.health"))
    await handle.signal("observed")
    await until_phase(platform, handle, "Paused")
    assert len(platform.fakes.asked("kubernetes.health")) == looked


async def test_drift_is_corrected_while_it_waits_for_what_became_unhealthy(platform: Platform) -> None:
    handle = await started(platform, unique("shop"))
    await until_phase(platform, handle, "Converged")
    platform.fakes.answers["kubernetes.health"] = SICK
    hold = platform.fakes.hold("kubernetes.health_changed")
    await handle.signal("observed")
    await hold.begun.wait()
    platform.fakes.hold("kubernetes.health_changed")
    await handle.signal("reconcile")
    await platform.called("kubernetes.converge", 2)
    await hold.cancelled.wait()


async def test_a_runtime_that_became_unhealthy_goes_on_waiting_after_it_began_afresh(platform: Platform) -> None:
    platform.hurry(events_kept=60)
    handle = await started(platform, unique("shop"))
    await until_phase(platform, handle, "Converged")
    platform.fakes.answers["kubernetes.health"] = SICK
    platform.fakes.fail("kubernetes.health_changed", NotYet("not-yet", "0 of 1", retry_after=3600), times=1000)
    for number in range(1, 6):
        await platform.handle(handle.id).signal("observed")
        await platform.called("kubernetes.health_changed", number)
    await platform.began_afresh(handle.id)
    platform.fakes.answers["kubernetes.health"] = WELL
    newest = platform.handle(handle.id)
    await newest.signal("observed")
    assert (await until_phase(platform, newest, "Converged")).unhealthy == []
