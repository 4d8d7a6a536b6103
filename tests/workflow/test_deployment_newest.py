"""The newest commit wins over whatever an older one waits for, or failed at while it was to stop."""

from __future__ import annotations

from nautes.messages.convergence import HealthReport
from nautes.messages.errors import Unavailable
from tests.workflow.answers import push, unique
from tests.workflow.deployments import NEWER, SICK, started, until_phase, until_status
from tests.workflow.platform import Platform, until


async def test_a_newer_push_wins_over_the_wait_for_an_older_one(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["kubernetes.health"] = SICK
    hold = platform.fakes.hold("kubernetes.health_changed")
    handle = await started(platform, product)
    await hold.begun.wait()
    status = await until_phase(platform, handle, "Waiting")
    assert status.unhealthy == SICK.unhealthy
    platform.fakes.answers["kubernetes.health"] = HealthReport(healthy=True, total=2)
    platform.fakes.answers["git.fetch"] = NEWER
    await handle.signal("pushed", push(after=NEWER))
    status = await until_status(platform, handle, lambda found: found.converged_commit == NEWER)
    assert status.phase == "Converged"
    assert len(platform.fakes.asked("kubernetes.health_changed")) == 1


async def test_a_newer_push_wins_although_the_older_one_was_applied_to_its_end(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["kubernetes.health"] = lambda _: (
        HealthReport(healthy=True) if len(platform.fakes.asked("kubernetes.converge")) > 1 else SICK
    )
    hold = platform.fakes.hold("kubernetes.converge", deaf=True)
    stuck = platform.fakes.hold("kubernetes.health_changed")
    handle = await started(platform, product)
    await hold.begun.wait()
    platform.fakes.answers["git.fetch"] = NEWER
    await handle.signal("pushed", push(after=NEWER))
    await until(lambda: platform.worked_on_last(handle), "the push worked on")
    hold.release()
    await until_status(platform, handle, lambda found: found.converged_commit == NEWER)
    assert not stuck.begun.is_set()


async def test_a_newer_push_wins_although_the_older_one_failed_while_it_was_to_stop(platform: Platform) -> None:
    """As when its worker dies just then: what fails while it is cancelled is cancelled, and neither refused nor an end."""
    product = unique("shop")
    hold = platform.fakes.hold("kubernetes.converge", deaf=True)
    platform.fakes.fail("kubernetes.converge", Unavailable("cluster-unreachable", "the cluster cannot be reached"))
    handle = await started(platform, product)
    await hold.begun.wait()
    platform.fakes.answers["git.fetch"] = NEWER
    await handle.signal("pushed", push(after=NEWER))
    await until(lambda: platform.worked_on_last(handle), "the push worked on")
    hold.release()
    status = await until_status(platform, handle, lambda found: found.converged_commit == NEWER)
    assert status.phase == "Converged"
