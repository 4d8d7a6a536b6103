"""What runs on builds that are not current: it is listed, and what lives long is woken to go over. Used by rolling.py."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client, WorkflowExecution
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from nautes.messages import search
from nautes.messages.errors import Unavailable
from nautes.messages.releases import LONG_LIVED, UPGRADE

VERSION = SearchAttributeKey.for_keyword("TemporalWorkerDeploymentVersion")  # written by Temporal: <deployment>:<build>
# Seconds after which one that has not gone over is woken once more, each time twice as many: it is busy, or the part of Temporal
# that ran it did not know yet which build is current.
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 300.0
PAGE = 200


@dataclass(frozen=True)
class Sitting:
    """A workflow that runs on a build which is not current."""

    kind: str
    id: str
    build: str
    phase: str
    since: datetime


class Workflows:
    """Of one deployment, on one task queue. Temporal's lists lag a moment behind."""

    def __init__(self, client: Client, deployment: str, queue: str) -> None:
        self._client = client
        self._deployment = deployment
        self._running = f"ExecutionStatus = 'Running' AND TaskQueue = '{queue}'"
        self._woken: dict[str, tuple[float, float]] = {}  # run -> when it is woken next, after which pause

    async def count(self, build: str) -> int:
        """How many run on this build."""
        query = f"{self._running} AND {VERSION.name} = '{self._deployment}:{build}'"
        return (await self._client.count_workflows(query)).count

    async def count_elsewhere(self, build: str) -> int:
        """How many run on other builds than this one."""
        return (await self._client.count_workflows(self._sitting(build))).count

    async def sitting(self, build: str) -> list[Sitting]:
        """What runs on other builds than this one, the oldest first."""
        found = [_sitting(each) async for each in self._client.list_workflows(self._sitting(build), page_size=PAGE)]
        return sorted(found, key=lambda each: each.since)

    async def wake(self, build: str, *, rate: float) -> int:
        """Have every long-lived workflow on another build go over to this one, at most `rate` a second; how many were woken.

        One that is busy goes over when it is not any more.
        """
        kinds, count = ", ".join(f"'{each}'" for each in LONG_LIVED), 0
        query = (
            f"{self._running} AND WorkflowType IN ({kinds}) AND ({VERSION.name} IS NULL OR {self._elsewhere(build)})"
        )
        async for each in self._client.list_workflows(query, page_size=PAGE):
            due, pause = self._woken.get(each.run_id, (0.0, FIRST_PAUSE))
            if time.monotonic() >= due:
                self._woken[each.run_id] = (time.monotonic() + pause, min(2 * pause, LONGEST_PAUSE))
                count += await self._signal(each)
                await asyncio.sleep(1 / rate)
        return count

    def _sitting(self, build: str) -> str:
        return f"{self._running} AND {VERSION.name} IS NOT NULL AND {self._elsewhere(build)}"

    def _elsewhere(self, build: str) -> str:
        return f"{VERSION.name} != '{self._deployment}:{build}'"

    async def _signal(self, found: WorkflowExecution) -> bool:
        """False: it has ended or gone over meanwhile."""
        try:
            await self._client.get_workflow_handle(found.id, run_id=found.run_id).signal(UPGRADE)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise Unavailable("temporal-unavailable", error.message) from error
            return False
        return True


def _sitting(found: WorkflowExecution) -> Sitting:
    attributes = found.typed_search_attributes
    build = (attributes.get(VERSION) or "").partition(":")[2]
    return Sitting(found.workflow_type, found.id, build, attributes.get(search.PHASE) or "", found.start_time)
