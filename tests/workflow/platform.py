"""A Temporal server of our own, and a worker with the production workflows on fakes: one per test, on its own queue.

At the end of a test every history it made is replayed: whatever test it is, workflow code that is not deterministic fails it.
"""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer, Worker, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.workflow import _Definition

from activities.control import ControlActivities, Sweeps
from activities.errors import ErrorInterceptor
from activities.heartbeats import HeartbeatInterceptor
from nautes.messages.operations import REFUSED, REPORT
from nautes.messages.status import MEMO
from nautes.messages.tenant import TenantInput
from nautes_sandbox import temporal
from nautes_sandbox.process import Supervisor, free_ports
from tests.workflow.fakes import BEAT, Fakes
from worker import WORKFLOWS, runner
from workflows.queues import ACTIVITIES, named
from workflows.run import FAILED_RUN
from workflows.timing import Timing, TimingInterceptor

WITHIN = 60.0  # seconds a condition may take to come true; a busy machine is slow
LOOK_EVERY = 0.02
TIMING = Timing()  # of every worker and replay in this process

Handle = WorkflowHandle[Any, Any]


@dataclass
class Platform:
    """One test's world."""

    client: Client
    queue: str
    fakes: Fakes
    _hurried: ExitStack

    def hurry(self, **changes: float) -> None:
        """Change times of the platform until this world has ended and was replayed."""
        self._hurried.enter_context(hurried(**changes))

    async def start(self, kind: str, key: str, argument: Any, *more: Any) -> Handle:
        """Start a workflow."""
        return await self.client.start_workflow(kind, args=[argument, *more], id=key, task_queue=self.queue)

    def handle(self, key: str, result: type | None = None) -> Handle:
        """A workflow by its id."""
        return self.client.get_workflow_handle(key, result_type=result)

    async def shown(self, key: str, kind: type) -> Any:
        """What a workflow says of itself."""
        return await self.client.get_workflow_handle(key).query("status", result_type=kind)

    async def called(self, name: str, times: int = 1) -> None:
        """Wait until an activity was asked so often."""
        await until(lambda: len(self.fakes.asked(name)) >= times, f"{name} {times} times; calls: {self.fakes.names()}")

    async def pending(self, key: str) -> list[tuple[str, int, str]]:
        """(activity, attempt, last error) of what Temporal shows as pending."""
        description = await self.client.get_workflow_handle(key).describe()
        found = description.raw_description.pending_activities
        return [(each.activity_type.name, each.attempt, each.last_failure.message) for each in found]

    async def retried(self, key: str) -> tuple[str, int, str] | None:
        """A pending activity that has failed before, if there is one."""
        return next((each for each in await self.pending(key) if each[1] > 1 and each[2]), None)

    async def cancel_heard(self, handle: Handle) -> bool:
        """Whether a workflow has worked on the request to cancel it."""
        kinds = [each.WhichOneof("attributes") async for each in handle.fetch_history_events()]
        asked = "workflow_execution_cancel_requested_event_attributes"
        done = "workflow_task_completed_event_attributes"
        return asked in kinds and done in kinds[kinds.index(asked) :]

    async def worked_on_last(self, handle: Handle) -> bool:
        """Whether a workflow has nothing before it that it has not worked on."""
        kinds = [each.WhichOneof("attributes") async for each in handle.fetch_history_events()]
        messages = ("workflow_execution_signaled_event_attributes", "workflow_execution_started_event_attributes")
        last = max(number for number, kind in enumerate(kinds) if kind in messages)
        return "workflow_task_completed_event_attributes" in kinds[last:]

    async def result(self, key: str, kind: type | None = None) -> Any:
        """How a workflow ended that is started by another one, when its turn comes."""
        await until(lambda: self.exists(key), f"{key} is started")
        return await ended_with(self.handle(key, kind))

    async def exists(self, key: str) -> bool:
        """Whether a workflow was ever started."""
        try:
            await self.client.get_workflow_handle(key).describe()
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True

    async def runs(self, key: str) -> list[Handle]:
        """Every run a workflow id has had, the oldest first."""
        found = [each async for each in self.client.list_workflows(f"WorkflowId = '{key}'")]
        found.sort(key=lambda each: each.start_time)
        return [self.client.get_workflow_handle(each.id, run_id=each.run_id) for each in found]

    async def began_afresh(self, key: str) -> None:
        """Wait until a workflow has continued as new."""
        await until(lambda: self._many_runs(key), f"a second run of {key}")

    async def _many_runs(self, key: str) -> bool:
        return len(await self.runs(key)) > 1

    async def heard(self, key: str, signal: str, kind: type) -> list[Any]:
        """The messages a workflow was sent as this signal, over all of its runs."""
        found = []
        for run in await self.runs(key):
            async for event in run.fetch_history_events():
                message = event.workflow_execution_signaled_event_attributes
                if message.signal_name == signal:
                    found += await self.client.data_converter.decode(message.input.payloads, [kind])
        return found


async def ended_with(handle: Handle) -> Any:
    """The result of a workflow, or the report of an operation that was refused or cancelled."""
    kind: Any = handle._result_type
    try:
        return await handle.result()
    except WorkflowFailureError as error:
        cause = error.cause
        if isinstance(cause, ApplicationError) and cause.type == REFUSED:
            return kind.model_validate(cause.details[0]) if kind else cause.details[0]
        of_run = isinstance(cause, ApplicationError) and cause.type == FAILED_RUN
        if of_run or isinstance(cause, CancelledError):
            memo = await (await handle.describe()).memo()
            found = memo.get(REPORT) or memo.get(MEMO)
            return kind.model_validate(found) if kind and found else found
        raise


async def until(look: Callable[[], Any], what: str) -> Any:
    """Wait until `look` (may be a coroutine function) answers with something true, and give that."""
    deadline = asyncio.get_running_loop().time() + WITHIN
    while True:
        found = look()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {WITHIN:.0f} s: {what}")
        await asyncio.sleep(LOOK_EVERY)


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """A development server of Temporal; its address."""
    supervisor, (port, ui) = Supervisor(directory / "run"), free_ports(2)
    supervisor.start(temporal.service(directory / "temporal", port, ui))
    try:
        yield f"127.0.0.1:{port}"
    finally:
        supervisor.stop("temporal", kill=True)  # asked to end, it takes its time to save what nobody needs


async def connect(address: str, converter: DataConverter = pydantic_data_converter) -> Client:
    """A client that names no machine in what it leaves in histories."""
    return await Client.connect(address, data_converter=converter, identity="tests")


class Runs(WorkflowRunner):
    """The production runner, which notes every run it had: (workflow id, run id)."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()
        self._runner = runner()

    def prepare_workflow(self, defn: _Definition) -> None:
        self._runner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        self.seen.add((det.info.workflow_id, det.info.run_id))
        return self._runner.create_instance(det)

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        self._runner.set_worker_level_failure_exception_types(types)


@asynccontextmanager
async def working(client: Client, *, cached: int = 1000, queue: str = "") -> AsyncIterator[Platform]:
    """The worker of the platform with everything that production gives it, but for the activities.

    What it has run is replayed when it has ended.
    """
    fakes, queue, runs = Fakes(), queue or f"nautes-{uuid.uuid4().hex[:8]}", Runs()
    start = TenantInput(tenant="nautes", hooks_url="https://nautes.example.com/hooks")
    fakes.answers["control.report"] = ControlActivities(client, start, Sweeps(), renew_before=30).report
    worker = Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS,
        activities=fakes.activities(),
        max_cached_workflows=cached,
        workflow_runner=runs,
        interceptors=[ErrorInterceptor(), HeartbeatInterceptor(), TimingInterceptor(TIMING)],
        max_heartbeat_throttle_interval=timedelta(seconds=BEAT),
        identity="tests",
    )
    beside = [
        Worker(
            client,
            task_queue=named(each, queue),
            activities=fakes.activities(),
            interceptors=[ErrorInterceptor(), HeartbeatInterceptor()],
            max_heartbeat_throttle_interval=timedelta(seconds=BEAT),
            identity="tests",
        )
        for each in ACTIVITIES
    ]
    with ExitStack() as changed:
        async with worker, AsyncExitStack() as running:
            for each in beside:
                await running.enter_async_context(each)
            yield Platform(client, queue, fakes, changed)
        await replay(client, runs.seen)


async def replay(client: Client, runs: Iterable[tuple[str, str]]) -> None:
    """Replay the histories of these runs. Raises `NondeterminismError` if one does not come to the same commands."""

    async def histories() -> AsyncIterator[WorkflowHistory]:
        for workflow_id, run_id in runs:
            yield await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()

    async with replayer(client.data_converter).workflow_replay_iterator(histories()) as results:
        async for result in results:
            if result.replay_failure:
                raise result.replay_failure


@functools.cache
def replayer(converter: DataConverter = pydantic_data_converter) -> Replayer:
    """The one of this process for a converter: it never gives its threads back."""
    return Replayer(
        workflows=WORKFLOWS,
        data_converter=converter,
        workflow_runner=runner(),
        interceptors=[TimingInterceptor(TIMING)],
    )


@contextmanager
def hurried(**changes: float) -> Iterator[None]:
    """Times of the platform, changed for a while."""
    before = {name: getattr(TIMING, name) for name in changes}
    for name, value in changes.items():
        setattr(TIMING, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(TIMING, name, value)
