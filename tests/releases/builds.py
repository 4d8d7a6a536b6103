"""Two builds of the platform side by side, on fakes: `A` as it is, `B` with another order of commands in every workflow."""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    Worker,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from activities.errors import ErrorInterceptor
from activities.heartbeats import HeartbeatInterceptor
from nautes.clients.builds import Deployment, deployment_config
from nautes.rollout.workflows import Workflows
from tests.workflow.fakes import BEAT, Fakes
from tests.workflow.platform import TIMING, Platform, Runs
from worker import WORKFLOWS, runner
from workflows.queues import ACTIVITIES, named
from workflows.timing import TimingInterceptor

# A message came just when the workflow was to end or to continue as new: Temporal has it handled first.
MESSAGE_CAME = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND


class OtherOrder(Interceptor):
    """The code of build B: a timer comes before what every workflow of build A begins with."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        class Changed(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                await asyncio.sleep(0.001)
                return await super().execute_workflow(input)

        return Changed


CODE: dict[str, list[Interceptor]] = {"A": [], "B": [OtherOrder()]}


@dataclass
class Fleet:
    """One deployment on its own task queue: a `platform` to play with, whose workers are of the builds that were started."""

    client: Client
    name: str
    queue: str
    platform: Platform
    ran: dict[str, Runs] = field(default_factory=dict)  # build -> what its workers worked on

    def __post_init__(self) -> None:
        self.deployment = Deployment(self.client, self.name)
        self.workflows = Workflows(self.client, self.name, self.queue)

    @asynccontextmanager
    async def build(self, build: str, *queues: str) -> AsyncIterator[None]:
        """The workers of a build, on all queues of activities or on these."""
        runs = self.ran.setdefault(build, Runs())
        async with AsyncExitStack() as running:
            await running.enter_async_context(self._worker(build, self.queue, runs))
            for each in queues or ACTIVITIES:
                await running.enter_async_context(self._worker(build, named(each, self.queue), None))
            yield

    def _worker(self, build: str, queue: str, runs: Runs | None) -> Worker:
        interceptors = [ErrorInterceptor(), HeartbeatInterceptor(), TimingInterceptor(TIMING), *CODE[build]]
        return Worker(
            self.client,
            task_queue=queue,
            workflows=WORKFLOWS if runs else (),
            activities=self.platform.fakes.activities(),
            workflow_runner=runs or runner(),
            interceptors=interceptors,
            max_heartbeat_throttle_interval=timedelta(seconds=BEAT),
            max_concurrent_activities=500,
            deployment_config=deployment_config(self.name, build),
            identity="tests",
        )

    async def sits(self, build: str) -> dict[str, int]:
        """How many workflows of each kind run on other builds than this one."""
        found = dict[str, int]()
        for each in await self.workflows.sitting(build):
            found[each.kind] = found.get(each.kind, 0) + 1
        return found

    async def build_of(self, key: str) -> str:
        """The build that the newest run of a workflow is pinned to."""
        described = await self.client.get_workflow_handle(key).describe()
        info = described.raw_description.workflow_execution_info.versioning_info
        return info.deployment_version.build_id or info.version_transition.deployment_version.build_id

    async def failed_tasks(self) -> list[str]:
        """Workflow tasks that failed, in whatever run: code that does not come to what is in the history, or a bug."""
        found = []
        for key, run in set[tuple[str, str]]().union(*(each.seen for each in self.ran.values())):
            async for event in self.client.get_workflow_handle(key, run_id=run).fetch_history_events():
                failed = event.workflow_task_failed_event_attributes
                if event.HasField("workflow_task_failed_event_attributes") and failed.cause != MESSAGE_CAME:
                    found.append(f"{key}: {failed.failure.message}")
        return found


@asynccontextmanager
async def fleet(client: Client) -> AsyncIterator[Fleet]:
    """A deployment of its own, without workers yet."""
    name = uuid.uuid4().hex[:8]
    with ExitStack() as changed:
        platform = Platform(client, f"nautes-{name}", Fakes(), changed)
        yield Fleet(client, f"deployment-{name}", platform.queue, platform)


@functools.cache
def replayer(build: str) -> Replayer:
    """Replays with the code of a build."""
    return Replayer(
        workflows=WORKFLOWS,
        data_converter=pydantic_data_converter,
        workflow_runner=runner(),
        interceptors=[TimingInterceptor(TIMING), *CODE[build]],
    )
