"""The histories of a world's workflows: all of them, as text to search and as input to replay."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.client import Client, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from worker import WORKFLOWS, runner


@dataclass(frozen=True)
class Recorded:
    """One run of a workflow; `text` holds every payload decoded."""

    id: str
    kind: str
    history: WorkflowHistory
    text: str


async def of(address: str) -> list[Recorded]:
    """Every run the server still knows."""
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    found = []
    async for each in client.list_workflows():
        history = await client.get_workflow_handle(each.id, run_id=each.run_id).fetch_history()
        text = "\n".join(_texts(history))
        found.append(Recorded(each.id, each.workflow_type, history, text))
    return found


async def replay(recorded: list[Recorded]) -> None:
    """Run today's code over them. Raises when it would have done something else."""
    replayer = Replayer(workflows=list(WORKFLOWS), data_converter=pydantic_data_converter, workflow_runner=runner())
    for each in recorded:
        await replayer.replay_workflow(each.history)


def _texts(history: WorkflowHistory) -> list[str]:
    return [event.SerializeToString().decode("utf-8", errors="replace") for event in history.events]
