"""Keeps a cluster that is slow or dead from holding the slots of all others. An interceptor of the workers on the cluster queue.

At most half of the slots are one cluster's: more calls are tried again a moment later. A cluster that could not be reached
twice in a row is left alone for a while, longer each time: its calls fail at once, and one at a time tries whether it is back.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from nautes.messages.errors import NautesError, NotYet, Unavailable
from nautes.messages.secrets import SecretRef

BUSY = (0.1, 0.5)  # seconds until a call that found its cluster busy is tried again
TOLERATED = 2  # calls in a row that cannot reach a cluster, before it is left alone
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds
UNREACHABLE = "cluster-unreachable"


@dataclass
class _Circuit:
    """Of one cluster. Open until `until` on the clock; then one call tries."""

    failures: int = 0
    until: float = 0.0
    trying: bool = False


class Bulkheads:
    """State of all clusters in this process. `limit`: calls of one cluster at a time."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._running: Counter[str] = Counter()
        self._circuits: dict[str, _Circuit] = {}

    def enter(self, cluster: str) -> None:
        """Begin a call. Raises Unavailable while the cluster is left alone, NotYet while it is busy."""
        circuit = self._circuits.get(cluster)
        if circuit and circuit.failures >= TOLERATED:
            left = circuit.until - self._clock()
            if left > 0 or circuit.trying:
                text = f"cluster {cluster} could not be reached {circuit.failures} times in a row and is left alone for now"
                raise Unavailable(UNREACHABLE, text, retry_after=max(left, BUSY[1]))
            circuit.trying = True
        if self._running[cluster] >= self._limit:
            text = f"{self._limit} calls to cluster {cluster} are under way"
            raise NotYet("cluster-busy", text, retry_after=random.uniform(*BUSY))  # noqa: S311 - no secret
        self._running[cluster] += 1

    def leave(self, cluster: str, *, reached: bool | None) -> None:
        """End a call. `reached` None: it does not tell whether the cluster answers."""
        self._running[cluster] -= 1
        if not self._running[cluster]:
            del self._running[cluster]
        if reached:
            self._circuits.pop(cluster, None)
            return
        circuit = self._circuits.setdefault(cluster, _Circuit())
        circuit.trying = False
        if reached is False:
            circuit.failures += 1
            if circuit.failures >= TOLERATED:
                pause = min(FIRST_PAUSE * 2 ** (circuit.failures - TOLERATED), LONGEST_PAUSE)
                circuit.until = self._clock() + pause


class BulkheadInterceptor(Interceptor):
    """An interceptor for a worker with so many `slots`."""

    def __init__(self, slots: int) -> None:
        self._bulkheads = Bulkheads(max(1, slots // 2))

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap every activity."""
        return _Guarded(next, self._bulkheads)


class _Guarded(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, bulkheads: Bulkheads) -> None:
        super().__init__(next)
        self._bulkheads = bulkheads

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        cluster = cluster_of(input.args[0] if input.args else None)
        if not cluster:
            return await super().execute_activity(input)
        self._bulkheads.enter(cluster)
        reached: bool | None = None
        try:
            result = await super().execute_activity(input)
            reached = True
        except Unavailable as error:
            reached = True if isinstance(error, NotYet) else False if error.code == UNREACHABLE else None
            raise
        except NautesError:
            reached = True  # it has answered
            raise
        else:
            return result
        finally:
            self._bulkheads.leave(cluster, reached=reached)


def cluster_of(argument: object) -> str:
    """The cluster that an activity's argument is about, "" for none."""
    run = getattr(argument, "run", None)
    for holder in (argument, getattr(argument, "grant", None), getattr(run, "grant", None)):
        found = getattr(holder, "cluster", None) or getattr(holder, "kubeconfig", None)
        if isinstance(found, SecretRef):
            return next((each for each in found.path.split("/")[1:2]), found.path)  # kubernetes/<cluster>/...
        if isinstance(found, str) and found:
            return found
    return ""
