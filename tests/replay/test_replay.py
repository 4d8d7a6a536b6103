"""Histories that were recorded once replay with today's code: workflows that run now survive the next version.

A failure here means that running workflows would get stuck: keep the old order of commands behind `workflow.patched`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from tests.integration.secrets import SHAPES
from worker import WORKFLOWS, runner

HERE = Path(__file__).parent / "histories"
FILES = sorted(HERE.glob("*.json"))
NAMES = [each.stem for each in FILES]


@pytest.fixture(scope="module")
def replayer() -> Replayer:
    return Replayer(workflows=list(WORKFLOWS), data_converter=pydantic_data_converter, workflow_runner=runner())


def _history(file: Path) -> WorkflowHistory:
    recorded = json.loads(file.read_text())
    return WorkflowHistory.from_json(recorded.pop("id"), recorded)


@pytest.mark.parametrize("file", FILES, ids=NAMES)
async def test_a_recorded_history_replays(replayer: Replayer, file: Path) -> None:
    await replayer.replay_workflow(_history(file))


async def test_a_changed_order_of_commands_is_noticed(replayer: Replayer) -> None:
    recorded = json.loads((HERE / "Change.json").read_text().replace("products.plan", "products.other"))
    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(WorkflowHistory.from_json(recorded.pop("id"), recorded))


@pytest.mark.parametrize("kind", [workflow._Definition.must_from_class(each).name for each in WORKFLOWS])
def test_every_workflow_has_a_recorded_history(kind: str | None) -> None:
    assert kind in NAMES, "record one: python -m tests.replay.record"


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_a_recorded_history_tells_nothing_of_the_machine_and_holds_no_secret(file: Path) -> None:
    history = _history(file)
    text = "\n".join(event.SerializeToString().decode("utf-8", "replace") for event in history.events)
    assert not re.search(r"/(work|home|root|tmp|usr|Users)/|\.py\b", text)
    assert {event.workflow_task_started_event_attributes.identity for event in history.events} <= {"", "recorder"}
    assert [name for name, shape in SHAPES.items() if shape.search(text)] == []
    assert len(history.events) < 400
