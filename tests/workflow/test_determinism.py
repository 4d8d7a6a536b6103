"""What the end of every test of this directory notices: a history that today's code does not come to."""

from __future__ import annotations

import pytest
from temporalio import workflow

from nautes.messages.runtimes import PipelineInput
from nautes.messages.status import PipelineStatus
from tests.workflow.answers import pipeline, unique
from tests.workflow.platform import Platform, hurried, replay, until


async def test_a_history_that_the_code_does_not_come_to_is_noticed(platform: Platform) -> None:
    product = unique("shop")
    key = f"pipeline/{product}/build"
    handle = await platform.start("Pipeline", key, PipelineInput(product=product, runtime="build"))
    await handle.signal("specified", pipeline(product))
    await until(lambda: _ready(platform, key), "a pipeline that is ready")
    run = (key, str(handle.result_run_id))
    await replay(platform.client, [run])
    with hurried(events_kept=1), pytest.raises(workflow.NondeterminismError):  # it would have begun afresh long ago
        await replay(platform.client, [run])


async def _ready(platform: Platform, key: str) -> bool:
    return bool((await platform.shown(key, PipelineStatus)).phase == "Ready")
