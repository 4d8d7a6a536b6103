"""Readiness: named checks, each with a deadline, whose answers are kept for a moment. Used by the API and by operations.py.

They are asked for by anybody, and as often as they like: however many ask, each system is asked once in `kept` seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping

Check = Callable[[], Awaitable[None]]
WITHIN = 5.0  # seconds each check may take
KEPT = 2.0  # seconds an answer is kept
OK = "ok"


class NotReadyError(Exception):
    """Why something is not ready, in words that anybody may read."""


class Checks:
    """Checks by the name of what they look at; one that raises is not ready."""

    def __init__(self, checks: Mapping[str, Check], *, within: float = WITHIN, kept: float = KEPT) -> None:
        self._checks = dict(checks)
        self._within, self._kept = within, kept
        self._asked: dict[str, tuple[float, asyncio.Future[str]]] = {}

    @property
    def kinds(self) -> set[str]:
        """What can be excluded."""
        return {kind_of(name) for name in self._checks}

    async def report(self, exclude: Collection[str] = ()) -> tuple[bool, dict[str, str]]:
        """Whether all but the excluded ones are ready; every one is named with its state, "ok" or why it is not."""
        found = dict(zip(self._checks, await asyncio.gather(*map(self._answer, self._checks)), strict=True))
        ready = all(state == OK for name, state in found.items() if kind_of(name) not in exclude)
        return ready, {"status": OK if ready else "unavailable", **found}

    async def _answer(self, name: str) -> str:
        began, answer = self._asked.get(name, (0.0, None))
        if answer is None or (answer.done() and time.monotonic() - began > self._kept):
            answer = asyncio.ensure_future(self._ask(self._checks[name]))
            self._asked[name] = (time.monotonic(), answer)
        return await asyncio.shield(answer)

    async def _ask(self, check: Check) -> str:
        try:
            await asyncio.wait_for(check(), self._within)
        except NotReadyError as error:
            return str(error)
        except Exception as error:
            return type(error).__name__  # its text may hold an address
        return OK


def kind_of(name: str) -> str:
    """What a check is excluded by: "queues" for those of all task queues, else its own name."""
    return "queues" if name.startswith("queue ") else name
