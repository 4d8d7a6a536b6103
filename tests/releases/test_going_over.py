"""A long-lived workflow goes over to another build out of whatever it waits for, and back, and goes on where it was."""

from __future__ import annotations

import inspect

import pytest
from temporalio import workflow

from nautes.messages.control import ObserveInput
from nautes.messages.releases import LONG_LIVED
from tests.releases.builds import Fleet
from tests.releases.states import STATES, State
from tests.workflow import answers
from tests.workflow.platform import until
from worker import WORKFLOWS
from workflows.releases import LongLived


def test_a_roll_out_wakes_every_workflow_that_lives_long_and_no_other() -> None:
    kinds = {workflow._Definition.must_from_class(each).name for each in WORKFLOWS if issubclass(each, LongLived)}
    assert kinds == set(LONG_LIVED)


def test_whatever_continues_as_new_does_so_on_the_current_build() -> None:
    modules = {inspect.getmodule(each) for each in WORKFLOWS}
    assert [each for each in modules if each and "workflow.continue_as_new(" in inspect.getsource(each)] == []


def test_every_kind_has_a_state_here() -> None:
    assert {each.__name__.partition("_")[0] for each in STATES} == {each.lower() for each in LONG_LIVED}


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
async def test_it_goes_over_and_back_out_of_this_state(fleet: Fleet, state: State) -> None:
    async with fleet.build("A"), fleet.build("B"):
        await fleet.deployment.begin("A")
        key = (await state(fleet.platform)).id
        assert await fleet.build_of(key) == "A"
        for build in ("B", "A"):
            assert await fleet.deployment.switch(build) != build
            await until(lambda: _goes(fleet, key, build), f"{key} on {build}")  # noqa: B023 - called at once
        assert not fleet.ran["A"].seen & fleet.ran["B"].seen, "no run was worked on by two builds"
        assert await fleet.failed_tasks() == []


async def test_an_observer_that_is_cut_off_begins_again_from_its_last_complete_round(fleet: Fleet) -> None:
    """So that nothing is lost of what it saw meanwhile: the next round finds it by comparison."""
    fakes = fleet.platform.fakes
    async with fleet.build("A"), fleet.build("B"):
        await fleet.deployment.begin("A")
        first = fakes.hold("observer.watch")
        handle = await fleet.platform.start("Observer", answers.unique("observer/edge"), ObserveInput(cluster="edge"))
        await first.begun.wait()
        second = fakes.hold("observer.watch")
        first.release()
        await second.begun.wait()
        third = fakes.hold("observer.watch")
        await fleet.deployment.switch("B")
        await until(lambda: _goes(fleet, handle.id, "B"), "it is on B")
        await third.begun.wait()
        await until(second.cancelled.is_set, "the old round has stopped")
        rounds: list[ObserveInput] = fakes.asked("observer.watch")
        assert [each.fingerprints for each in rounds] == [{}, {"product-1-web": "1"}, {"product-1-web": "1"}]


async def _goes(fleet: Fleet, key: str, build: str) -> bool:
    await fleet.workflows.wake(build, rate=50)
    return await fleet.build_of(key) == build
