"""What ended on a build whose workers were switched off is still told, and nobody waits for them in vain."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api import operations
from api.state import State
from nautes.messages.errors import NotFound
from nautes.messages.runtimes import DeploymentInput, RunInput
from nautes.messages.status import DeploymentStatus
from tests.releases.builds import Fleet
from tests.workflow import answers


@pytest.fixture
def shared(fleet: Fleet) -> State:
    """As much of the API's state as its reading of workflows takes."""
    return cast(State, SimpleNamespace(temporal=fleet.client))


async def test_a_run_that_ended_tells_its_status_without_a_worker(fleet: Fleet, shared: State) -> None:
    spec = answers.pipeline("shop")
    push, trigger = answers.push(), spec.triggers[0]
    key = f"run/shop/build/{push.event}-pushes-ci"
    grant = {"cluster": "edge", "kubeconfig": answers.KUBECONFIG}
    async with fleet.build("A"):
        await fleet.deployment.begin("A")
        input = RunInput.model_validate({"spec": spec, "grant": grant, "push": push, "trigger": trigger})
        asked: Any = await (await fleet.platform.start("PipelineRun", key, input)).result()
    found = await operations.run_status(shared, key)
    assert (found.phase, found.commit) == ("Succeeded", push.after)
    assert found.model_dump() == asked


async def test_a_runtime_that_ended_is_gone_when_no_worker_can_tell(
    fleet: Fleet, shared: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = answers.unique("shop")
    key = f"deployment/{product}/web"
    async with fleet.build("A"):
        await fleet.deployment.begin("A")
        handle = await fleet.platform.start("Deployment", key, DeploymentInput(product=product, runtime="web"))
        await handle.signal("remove")
        await handle.result()
        assert (await operations.query(shared, key, DeploymentStatus)).phase == "Removed"
    monkeypatch.setattr(operations, "ANSWER_WITHIN", timedelta(seconds=0.5))
    with pytest.raises(NotFound, match="has ended"):
        await operations.query(shared, key, DeploymentStatus)
