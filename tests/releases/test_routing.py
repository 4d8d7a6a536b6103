"""Where Temporal sends the activities of a workflow that is pinned to a build: what decision 0028 rests on."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from nautes.clients.builds import deployment_config
from tests.releases.builds import Fleet

WITHIN = timedelta(seconds=60)


@workflow.defn(name="Where")
class Where:
    """Answers which builds ran its activities on its own queue and on another one, and which build ran its child."""

    def __init__(self) -> None:
        self._go = False

    @workflow.signal
    def go(self) -> None:
        self._go = True

    @workflow.run
    async def run(self, other: str) -> list[str]:
        await workflow.wait_condition(lambda: self._go)
        near = await workflow.execute_activity("where", start_to_close_timeout=WITHIN, result_type=str)
        far = await workflow.execute_activity("where", start_to_close_timeout=WITHIN, task_queue=other, result_type=str)
        child: str = await workflow.execute_child_workflow(Child.run, id=f"{workflow.info().workflow_id}/child")
        return [near, far, child]


@workflow.defn(name="Child")
class Child:
    @workflow.run
    async def run(self) -> str:
        version = workflow.info().get_current_deployment_version()
        return version.build_id if version else ""


def _worker(fleet: Fleet, build: str, queue: str) -> Worker:
    @activity.defn(name="where")
    async def where() -> str:
        return build

    return Worker(
        fleet.client,
        task_queue=queue,
        workflows=[Where, Child] if queue == fleet.queue else [],
        activities=[where],
        workflow_runner=UnsandboxedWorkflowRunner(),
        deployment_config=deployment_config(fleet.name, build),
    )


async def _started(fleet: Fleet, key: str) -> WorkflowHandle[Where, list[str]]:
    handle = await fleet.client.start_workflow(
        Where.run, f"{fleet.queue}/x", id=f"{key}-{fleet.name}", task_queue=fleet.queue
    )
    await handle.query("__stack_trace")  # it is begun, and so pinned
    return handle


async def test_activities_and_children_stay_on_the_build_of_their_workflow_where_it_polls_their_queue(
    fleet: Fleet,
) -> None:
    async with AsyncExitStack() as running:
        for queue in (fleet.queue, f"{fleet.queue}/x"):
            await running.enter_async_context(_worker(fleet, "A", queue))
        await fleet.deployment.begin("A")
        old = await _started(fleet, "old")
        for queue in (fleet.queue, f"{fleet.queue}/x"):
            await running.enter_async_context(_worker(fleet, "B", queue))
        await fleet.deployment.switch("B")
        new = await _started(fleet, "new")
        for handle in (old, new):
            await handle.signal("go")
        async with asyncio.timeout(60):
            assert (await old.result(), await new.result()) == (["A"] * 3, ["B"] * 3)


async def test_an_activity_on_a_queue_that_its_build_never_polled_goes_to_the_current_build(fleet: Fleet) -> None:
    async with _worker(fleet, "A", fleet.queue):
        await fleet.deployment.begin("A")
        old = await _started(fleet, "old")
        async with _worker(fleet, "B", fleet.queue), _worker(fleet, "B", f"{fleet.queue}/x"):
            await fleet.deployment.switch("B")
            await old.signal("go")
            async with asyncio.timeout(60):
                assert await old.result() == ["A", "B", "A"]


async def test_a_queue_whose_workers_come_later_than_the_work_is_served(fleet: Fleet) -> None:
    async with _worker(fleet, "A", fleet.queue):
        await fleet.deployment.begin("A")
        old = await _started(fleet, "old")
        await old.signal("go")
        async with asyncio.timeout(60):
            while not (await old.describe()).raw_description.pending_activities:
                pass
            async with _worker(fleet, "A", f"{fleet.queue}/x"):
                assert await old.result() == ["A", "A", "A"]
