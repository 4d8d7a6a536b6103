"""Readiness: everything is named, what is excluded does not count, and however many ask, a system is asked once."""

from __future__ import annotations

import asyncio

from nautes.telemetry.checks import Check, Checks, NotReadyError


class System:
    """Answers as it is told, and counts how often it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked = 0
        self.error = error
        self.called, self.answers = asyncio.Event(), asyncio.Event()
        self.answers.set()

    async def __call__(self) -> None:
        self.asked += 1
        self.called.set()
        await self.answers.wait()
        if self.error:
            raise self.error


def _checks(kept: float = 60.0, within: float = 5.0, **systems: Check) -> Checks:
    return Checks({name.replace("_", " "): each for name, each in systems.items()}, within=within, kept=kept)


async def test_everything_is_named_and_one_that_fails_is_enough() -> None:
    found = await _checks(gitlab=System(), vault=System(NotReadyError("is sealed"))).report()
    assert found == (False, {"status": "unavailable", "gitlab": "ok", "vault": "is sealed"})
    assert await _checks(gitlab=System()).report() == (True, {"status": "ok", "gitlab": "ok"})


async def test_what_is_excluded_is_named_and_does_not_count() -> None:
    checks = _checks(
        gitlab=System(OSError("http://user:hunter2@gitlab")), queue_a=System(NotReadyError("nobody polls"))
    )
    ready, found = await checks.report(["gitlab", "queues"])
    assert (ready, found) == (True, {"status": "ok", "gitlab": "OSError", "queue a": "nobody polls"})
    assert (await checks.report(["gitlab"]))[0] is False
    assert checks.kinds == {"gitlab", "queues"}


async def test_one_that_does_not_answer_in_time_is_not_ready() -> None:
    slow = System()
    slow.answers.clear()
    assert await _checks(slow=slow, within=0.01).report() == (False, {"status": "unavailable", "slow": "TimeoutError"})


async def test_many_who_ask_at_once_and_again_ask_once() -> None:
    system = System()
    system.answers.clear()
    checks = _checks(gitlab=system)
    asked = [asyncio.ensure_future(checks.report()) for _ in range(20)]
    await system.called.wait()
    system.answers.set()
    assert all(ready for ready, _ in await asyncio.gather(*asked))
    system.error = NotReadyError("is gone")
    assert (await checks.report())[0] is True, "the answer is kept for a while"
    assert system.asked == 1


async def test_an_answer_is_not_kept_for_ever() -> None:
    system = System()
    checks = _checks(kept=0.0, gitlab=system)
    assert (await checks.report())[0] is True
    system.error = NotReadyError("is gone")
    assert await checks.report() == (False, {"status": "unavailable", "gitlab": "is gone"})


async def test_who_leaves_does_not_end_the_question_of_the_others() -> None:
    system = System()
    system.answers.clear()
    checks = _checks(gitlab=system)
    first, second = asyncio.ensure_future(checks.report()), asyncio.ensure_future(checks.report())
    await system.called.wait()
    first.cancel()
    await asyncio.wait([first])
    system.answers.set()
    assert (await second)[0] is True
