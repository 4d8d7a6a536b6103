"""Whether a worker gets work done, on a real server: a worker that polls, one that does not, one whose only slot is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from nautes.telemetry import work
from nautes.telemetry.checks import Checks
from nautes.telemetry.sdk import SdkMetrics
from nautes_sandbox.world import World

QUEUE, NOBODYS = "nautes/drill", "nautes/nobodys"
_release = asyncio.Event()


@activity.defn
async def hold() -> None:
    """Takes a slot until it is released."""
    await _release.wait()


@workflow.defn
class Drill:
    """Performs it once."""

    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(hold, start_to_close_timeout=timedelta(minutes=5))


@pytest.fixture
def sdk() -> Iterator[SdkMetrics]:
    """The metrics of clients that are made from here on."""
    before = Runtime.default()
    yield SdkMetrics()
    Runtime.set_default(before, error_if_already_set=False)


async def test_a_queue_is_ready_while_work_gets_done(
    world: World, sdk: SdkMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await Client.connect(world.temporal_address)
    checks = Checks(work.Work(client, sdk, [QUEUE, NOBODYS]).checks(), kept=0.0)

    async def state(queue: str = QUEUE) -> str:
        return (await checks.report())[1][f"queue {queue}"]

    async def becomes(wanted: str) -> None:
        async with asyncio.timeout(60):
            while wanted not in await state():  # each look asks the server, and lets the worker go on
                pass

    assert await state() == "this worker has not polled for activity tasks lately"
    runner = UnsandboxedWorkflowRunner()
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Drill],
        activities=[hold],
        max_concurrent_activities=1,
        workflow_runner=runner,
    ):
        await becomes("ok")
        assert await state(NOBODYS) == "this worker has not polled for activity tasks lately"
        running = await client.start_workflow(Drill.run, id="drill", task_queue=QUEUE)
        monkeypatch.setattr(work, "STUCK", 0.0)
        await becomes("no slot is free for activity tasks")
        monkeypatch.setattr(work, "STUCK", 3_600.0)
        assert await state() == "ok", "it is busy, and not stuck for long yet"
        monkeypatch.setattr(work, "STUCK", 0.0)
        _release.set()
        await running.result()
        await becomes("ok")
