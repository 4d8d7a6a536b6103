"""Every activity of the platform, replaced by name: each answers what a test says, and remembers what it was asked.

The definitions (name, argument, result) are read from the production classes, so that a fake never drifts from its contract.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from temporalio import activity

from activities.claims import ClaimActivities
from activities.clusters import ClusterActivities
from activities.components import ComponentActivities
from activities.control import ControlActivities
from activities.feed import FeedActivities
from activities.git import GitActivities
from activities.gitlab import GitLabActivities
from activities.kubernetes import KubernetesActivities
from activities.observer import ObserverActivities
from activities.products import ProductActivities
from activities.repositories import RepositoryActivities
from activities.runtimes import RuntimeActivities
from activities.tekton import TektonActivities
from activities.vault import VaultActivities
from activities.virtual import VirtualActivities
from nautes.messages.gitlab import RepositorySetup
from tests.workflow.answers import DEFAULTS

CLASSES = (
    ClaimActivities,
    ClusterActivities,
    ComponentActivities,
    ControlActivities,
    FeedActivities,
    GitActivities,
    GitLabActivities,
    KubernetesActivities,
    ObserverActivities,
    ProductActivities,
    RepositoryActivities,
    RuntimeActivities,
    TektonActivities,
    VaultActivities,
    VirtualActivities,
)
BEAT = 0.02  # seconds between heartbeats of a held activity: how soon it hears of its cancellation


class Hold:
    """An activity that does not end by itself: `begun` once it runs, `release` lets it end, `cancelled` when it was stopped.

    A `deaf` one does not hear of a cancellation, like a call that is on the wire already.
    """

    def __init__(self, *, deaf: bool = False) -> None:
        self.begun, self.cancelled = asyncio.Event(), asyncio.Event()
        self.details: tuple[Any, ...] = ()  # of its heartbeats
        self._released = asyncio.Event()
        self._deaf = deaf

    def release(self) -> None:
        """Let it end."""
        self._released.set()

    async def wait(self) -> None:
        """Called by the activity."""
        self.begun.set()
        while not self._released.is_set():
            try:
                if not self._deaf:
                    activity.heartbeat(*self.details)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._released.wait(), BEAT)
            except asyncio.CancelledError:
                if not self._deaf:
                    self.cancelled.set()
                    raise


@dataclass
class Fakes:
    """`answers` by activity name: a result, or what makes one of the argument. `calls` in the order in which they began."""

    answers: dict[str, Any] = field(default_factory=lambda: dict(DEFAULTS))
    calls: list[tuple[str, Any]] = field(default_factory=list)
    _failures: dict[str, list[Exception]] = field(default_factory=dict)
    _holds: dict[str, Hold] = field(default_factory=dict)

    def fail(self, name: str, error: Exception, times: int = 1) -> None:
        """The next `times` calls raise `error`."""
        self._failures.setdefault(name, []).extend([error] * times)

    def mend(self, name: str) -> None:
        """The outage is over."""
        self._failures.pop(name, None)

    def hold(self, name: str, *, deaf: bool = False) -> Hold:
        """The next call does not end by itself."""
        self._holds[name] = Hold(deaf=deaf)
        return self._holds[name]

    def names(self, *without: str) -> list[str]:
        """What was called, in order."""
        return [name for name, _ in self.calls if name not in without]

    def asked(self, name: str) -> list[Any]:
        """The arguments of every call of one activity."""
        return [argument for called, argument in self.calls if called == name]

    def set_up(self) -> list[RepositorySetup]:
        """The repositories that were to be set up, in whatever calls."""
        return [each for call in self.asked("repositories.ensure") for each in call.repositories]

    def activities(self) -> list[Callable[..., Any]]:
        """To be given to a worker."""
        return [self._fake(each) for cls in CLASSES for each in vars(cls).values() if _name(each)]

    async def _answer(self, name: str, argument: Any) -> Any:
        self.calls.append((name, argument))
        if hold := self._holds.pop(name, None):
            await hold.wait()
        if failures := self._failures.get(name):
            raise failures.pop(0)
        answer = self.answers[name]
        found = answer(argument) if callable(answer) else answer
        return await self._beating(found) if asyncio.iscoroutine(found) else found

    async def _beating(self, answer: Coroutine[Any, Any, Any]) -> Any:
        """An answer that takes its time; it is stopped when its activity is cancelled."""
        task = asyncio.ensure_future(answer)
        try:
            while not task.done():
                activity.heartbeat()
                await asyncio.wait([task], timeout=BEAT)
        except asyncio.CancelledError:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            raise
        return task.result()

    def _fake(self, definition: Callable[..., Any]) -> Callable[..., Any]:
        name, hints = _name(definition), get_type_hints(definition)

        async def fake(argument: Any) -> Any:
            return await self._answer(name, argument)

        fake.__annotations__ = {
            "argument": next(hint for key, hint in hints.items() if key != "return"),
            "return": hints["return"],
        }
        return activity.defn(name=name)(fake)


def _name(candidate: Any) -> str:
    definition = getattr(candidate, "__temporal_activity_definition", None)
    return definition.name if definition else ""
