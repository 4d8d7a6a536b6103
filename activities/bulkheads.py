"""Keeps a slow cluster from holding the slots of all others. An interceptor of the workers on the cluster queue.

At most half of the slots are one cluster's: more calls are tried again a moment later. A dead cluster holds none for long: its
client leaves it alone (nautes/clients/circuit.py).
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from nautes.messages.errors import NotYet
from nautes.messages.secrets import SecretRef

BUSY = (0.1, 0.5)  # seconds until a call that found its cluster busy is tried again


class Bulkheads:
    """Activities under way, by cluster, in this process. `limit`: of one cluster at a time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: Counter[str] = Counter()

    def enter(self, cluster: str) -> None:
        """Begin. Raises NotYet while the cluster is busy."""
        if self._running[cluster] >= self._limit:
            text = f"{self._limit} activities for cluster {cluster} are under way"
            raise NotYet("cluster-busy", text, retry_after=random.uniform(*BUSY))  # noqa: S311 - no secret
        self._running[cluster] += 1

    def leave(self, cluster: str) -> None:
        """End."""
        self._running[cluster] -= 1
        if not self._running[cluster]:
            del self._running[cluster]


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
        try:
            return await super().execute_activity(input)
        finally:
            self._bulkheads.leave(cluster)


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
