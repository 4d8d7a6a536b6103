"""What watches a cluster: one round after the other, each beginning where the last one ended."""

from __future__ import annotations

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import CancelledError

from nautes.messages.control import ObserveInput
from nautes.messages.errors import Forbidden, Unavailable
from tests.workflow.answers import unique
from tests.workflow.platform import Handle, Platform, hurried


async def _watching(platform: Platform) -> Handle:
    cluster = unique("edge")
    return await platform.start("Observer", f"observer/{cluster}", ObserveInput(cluster=cluster))


async def test_a_round_begins_with_what_the_last_one_saw(platform: Platform) -> None:
    first = platform.fakes.hold("observer.watch")
    handle = await _watching(platform)
    await first.begun.wait()
    second = platform.fakes.hold("observer.watch")
    first.release()
    await second.begun.wait()
    rounds: list[ObserveInput] = platform.fakes.asked("observer.watch")
    assert [each.fingerprints for each in rounds] == [{}, {"product-1-web": "1"}]
    await _ended(handle)


async def test_a_cluster_that_does_not_answer_is_watched_again_when_it_does(platform: Platform) -> None:
    platform.fakes.fail("observer.watch", Unavailable("cluster-unreachable", "no route"), times=2)
    handle = await _watching(platform)
    await platform.called("observer.watch", 3)
    await _ended(handle)


async def test_credentials_that_are_no_good_any_more_do_not_end_it(platform: Platform) -> None:
    platform.fakes.fail("observer.watch", Forbidden("kubernetes-unauthorized", "the token has expired"), times=2)
    with hurried(refused_retry=0.05):
        handle = await _watching(platform)
        await platform.called("observer.watch", 3)
    await _ended(handle)


async def test_it_begins_afresh_before_its_history_is_long(platform: Platform) -> None:
    platform.hurry(events_kept=40)
    handle = await _watching(platform)
    await platform.began_afresh(handle.id)
    await _ended(platform.handle(handle.id))


async def _ended(handle: Handle) -> None:
    """It watches until somebody cancels it, as the removal of the cluster does."""
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as error:
        await handle.result()
    assert isinstance(error.value.cause, CancelledError)
