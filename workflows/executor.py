"""Executes the steps of a plan: those whose needs are done run side by side, so many at a time per system.

Used by the change workflow. What a step does is in workflows/steps.py; the executor knows only ids, needs and systems.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from nautes.planning.steps import Step

AT_ONCE = 8  # steps of one system that run side by side
TOGETHER = {"runtime": 200, "repository": 50}  # kinds of which so many ready steps are performed by one call

Perform = Callable[[list[Step]], Awaitable[None]]


class Executor:
    """One for a change: a step that was done is not done again, whichever list it comes in."""

    def __init__(self, perform: Perform) -> None:
        self._perform = perform
        self._done: set[str] = set()
        self._running: dict[asyncio.Task[None], list[Step]] = {}

    def is_done(self, step_id: str) -> bool:
        """Whether a step has been performed."""
        return step_id in self._done

    async def run(self, steps: Iterable[Step]) -> None:
        """Perform all of them. A step that raises stops the others; they are waited for, and the first error is raised."""
        waiting = [each for each in steps if each.id not in self._done]
        try:
            while waiting or self._running:
                waiting = self._start(waiting)
                await self._one_ends()
        except (Exception, asyncio.CancelledError):  # not GeneratorExit: an evicted workflow waits for nothing
            await self._stop()
            raise

    def _start(self, waiting: list[Step]) -> list[Step]:
        """Start what may start; what has to wait for longer comes back."""
        open_ = {each.id for each in waiting} | {each.id for steps in self._running.values() for each in steps}
        ready = [each for each in waiting if not open_.intersection(each.needs)]
        left = [each for each in waiting if each not in ready]
        for batch in _batches(ready):
            if self._busy(batch[0]) < AT_ONCE:
                self._running[asyncio.ensure_future(self._perform(batch))] = batch
            else:
                left += batch
        return left

    def _busy(self, step: Step) -> int:
        return sum(steps[0].system == step.system for steps in self._running.values())

    async def _one_ends(self) -> None:
        ended, _ = await workflow.wait(list(self._running), return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            steps = self._running.pop(task)
            task.result()
            self._done.update(each.id for each in steps)

    async def _stop(self) -> None:
        """Cancel what runs and wait until it has stopped: an undo must not overlap with it."""
        tasks = list(self._running)
        self._running.clear()
        for each in tasks:
            each.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)


def _batches(ready: list[Step]) -> list[list[Step]]:
    """In the order of the steps: what was planned first is begun first, and taken back last."""
    found: list[list[Step]] = []
    open_: dict[str, list[Step]] = {}
    for step in ready:
        batch = open_.get(step.kind)
        if batch is None or len(batch) >= TOGETHER.get(step.kind, 1):
            batch = open_[step.kind] = []
            found.append(batch)
        batch.append(step)
    return found
