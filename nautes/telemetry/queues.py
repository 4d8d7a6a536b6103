"""How Temporal sees our task queues: who polled lately, and how much waits. Asked for by readiness and by scrapes only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from nautes.messages.queues import types

LATELY = 120.0  # seconds; a poll takes up to 70
_TYPES = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


class Tasks(NamedTuple):
    """What is polled for: `type` is workflow or activity."""

    queue: str
    type: str


@dataclass(frozen=True)
class Seen:
    """`pollers`: identities of the workers that polled lately; `backlog` and `age` (seconds) are approximate."""

    tasks: Tasks
    pollers: frozenset[str]
    backlog: int
    age: float


class TaskQueues:
    """Some queues by their full names."""

    def __init__(self, client: Client, names: Sequence[str]) -> None:
        self._client = client
        self._tasks = [Tasks(name, each) for name in names for each in types(name)]

    async def look(self) -> list[Seen]:
        """All of them, at once. Raises RPCError."""
        return list(await asyncio.gather(*map(self.look_at, self._tasks)))

    async def look_at(self, tasks: Tasks) -> Seen:
        """One of them. Raises RPCError."""
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=tasks.queue),
            task_queue_type=_TYPES[tasks.type],
            report_stats=True,
        )
        found = await self._client.workflow_service.describe_task_queue(request)
        since = time.time() - LATELY
        pollers = frozenset(each.identity for each in found.pollers if each.last_access_time.ToSeconds() > since)
        age = found.stats.approximate_backlog_age.ToTimedelta().total_seconds()
        return Seen(tasks, pollers, int(found.stats.approximate_backlog_count), age)
