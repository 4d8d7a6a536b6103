"""Whether a worker gets work done: each of its queues is polled by this process and has a free slot, or keeps finishing tasks.

A queue whose slots are all taken may be busy or stuck: it counts as stuck when nothing has ended for `STUCK` seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import Client

from nautes.messages.queues import types
from nautes.telemetry.checks import Check, NotReadyError
from nautes.telemetry.queues import TaskQueues, Tasks
from nautes.telemetry.sdk import SdkMetrics

STUCK = 60.0  # seconds
AVAILABLE = "temporal_worker_task_slots_available"
_WORKERS = {"workflow": "WorkflowWorker", "activity": "ActivityWorker"}
_ENDED = {  # what counts the tasks that ended, whichever way
    "workflow": (
        "temporal_workflow_task_execution_latency_seconds_count",
        "temporal_workflow_task_execution_failed_total",
    ),
    "activity": ("temporal_activity_execution_latency_seconds_count", "temporal_activity_execution_failed_total"),
}
_READ = (AVAILABLE, *(name for names in _ENDED.values() for name in names))


@dataclass
class _Progress:
    """How many tasks had ended when that number last changed, and when that was."""

    ended: float
    since: float


class Work:
    """The checks of one worker process. `clock` gives seconds."""

    def __init__(
        self, client: Client, sdk: SdkMetrics, queues: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._identity = client.identity
        self._queues = TaskQueues(client, queues)
        self._names = queues
        self._sdk = sdk
        self._clock = clock
        self._progress: dict[Tasks, _Progress] = {}

    def checks(self) -> dict[str, Check]:
        """One per queue."""
        return {f"queue {name}": self._check(name) for name in self._names}

    def _check(self, queue: str) -> Check:
        async def look() -> None:
            text = await self._sdk.text()
            for each in types(queue):
                tasks = Tasks(queue, each)
                self.judge(tasks, text)
                if self._identity not in (await self._queues.look_at(tasks)).pollers:
                    raise NotReadyError(f"this worker has not polled for {each} tasks lately")

        return look

    def judge(self, tasks: Tasks, text: str) -> None:
        """Raise NotReadyError for tasks that no slot is free for while none ends. `text`: what the SDK's metrics are now."""
        free, ended = slots(tasks, text)
        known = self._progress.get(tasks)
        if known is None or free or ended != known.ended:
            known = self._progress[tasks] = _Progress(ended, self._clock())
        if not free and (silent := self._clock() - known.since) >= STUCK:
            raise NotReadyError(f"no slot is free for {tasks.type} tasks, and none has ended for {silent:.0f} s")


def slots(tasks: Tasks, text: str) -> tuple[float, float]:
    """(free slots, tasks that have ended so far) by the SDK's metrics."""
    free = ended = 0.0
    for name, labels, value in _samples(text):
        if labels.get("task_queue") != tasks.queue:
            continue
        if name == AVAILABLE and labels.get("worker_type") == _WORKERS[tasks.type]:
            free += value
        elif name in _ENDED[tasks.type]:
            ended += value
    return free, ended


def _samples(text: str) -> Iterable[tuple[str, dict[str, str], float]]:
    """Only the lines that matter are parsed: a busy worker has thousands."""
    lines = (line for line in text.splitlines() if line.startswith(_READ))
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
