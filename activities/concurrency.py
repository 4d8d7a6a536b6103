"""Several requests to one system at a time, on threads that end with the work; heartbeats. Used by activities that batch."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from temporalio import activity

from nautes.clients.kubernetes import CONNECTIONS

Item = TypeVar("Item")
Result = TypeVar("Result")

HEARTBEAT_EVERY = 1.0  # seconds

Progress = Callable[..., None]  # reports progress, as the details of a heartbeat


class Heartbeat:
    """Sends heartbeats of the running activity, at most one a second; does nothing outside of an activity."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, *details: object) -> None:
        if time.monotonic() - self._last >= HEARTBEAT_EVERY:
            self.now(*details)

    def now(self, *details: object) -> None:
        """Send one however short ago the last was."""
        self._last = time.monotonic()
        if activity.in_activity():
            activity.heartbeat(*details)


def each(
    work: Callable[[Item], Result], items: Sequence[Item], heartbeat: Progress, *, at_once: int = CONNECTIONS
) -> list[Result]:
    """`work` for each item, results in order; the first error is raised once the running requests have ended.

    A few threads take item after item: waiting for a future per item would cost more than the requests.
    """
    if len(items) <= 1:
        return [work(item) for item in items]
    results: dict[int, Result] = {}
    due = _Due(items)

    def take_turns() -> None:
        try:
            for number, item in due:
                results[number] = work(item)
        finally:
            due.stop()  # after an error the other threads take no more items

    threads = min(at_once, len(items))
    with ThreadPoolExecutor(threads, thread_name_prefix="batch") as pool:
        pending = {pool.submit(contextvars.copy_context().run, take_turns) for _ in range(threads)}
        try:
            while pending:
                done, pending = wait(pending, timeout=HEARTBEAT_EVERY)
                heartbeat(f"{len(results)} of {len(items)}")
                for future in done:
                    future.result()
        finally:
            due.stop()  # also on cancellation: no more items are begun
    return [results[number] for number in range(len(items))]


class _Due(Iterator[tuple[int, Item]]):
    """The items that no thread has taken yet, until stopped or used up."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._next = 0
        self._lock = threading.Lock()

    def __next__(self) -> tuple[int, Item]:
        with self._lock:
            if self._next >= len(self._items):
                raise StopIteration
            number, self._next = self._next, self._next + 1
        return number, self._items[number]

    def stop(self) -> None:
        with self._lock:
            self._next = len(self._items)
