"""Many requests to one cluster at a time, on threads that end with the work. Used by the modules of this package."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from temporalio import activity

from nautes.clients.kubernetes import CONNECTIONS

Item = TypeVar("Item")
Result = TypeVar("Result")

BEAT_EVERY = 1.0  # seconds


class Pulse:
    """Heartbeats of the running activity, not more often than is useful; silent outside of one."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, *details: object) -> None:
        now = time.monotonic()
        if activity.in_activity() and now - self._last >= BEAT_EVERY:
            self._last = now
            activity.heartbeat(*details)


def each(work: Callable[[Item], Result], items: Sequence[Item], beat: Callable[..., None]) -> list[Result]:
    """`work` for each item, results in order; the first error is raised once what is in flight has ended.

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
            due.stop()  # an error ends the others' turns as well

    threads = min(CONNECTIONS, len(items))
    with ThreadPoolExecutor(threads, thread_name_prefix="cluster") as pool:
        pending = {pool.submit(take_turns) for _ in range(threads)}
        try:
            while pending:
                done, pending = wait(pending, timeout=BEAT_EVERY)
                beat(f"{len(results)} of {len(items)}")
                for future in done:
                    future.result()
        finally:
            due.stop()  # also when we are cancelled: what has not begun does not begin
    return [results[number] for number in range(len(items))]


class _Due(Iterator[tuple[int, Item]]):
    """Items that nobody has taken yet, shared by threads, until stopped or used up."""

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
