"""A bug stops one step: its workflow shows the error, answers, and goes on when asked to, or with something newer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nautes.messages.operations import BUG, ERROR
from nautes.messages.search import PHASE
from nautes.messages.status import TenantStatus
from nautes.messages.tenant import TenantInput
from tests.workflow.answers import deployment, unique
from tests.workflow.deployments import started, status_of, until_phase
from tests.workflow.platform import Handle, Platform, hurried, until
from workflows.effects import BUG_ATTEMPTS


@pytest.fixture(autouse=True)
def _soon() -> Iterator[None]:
    with hurried(retry_maximum=0.02):
        yield


async def _stopped(handle: Handle) -> str:
    """The error of the step that has stopped, "" when none has."""
    description = await handle.describe()
    found = (await description.memo()).get(BUG)
    assert (description.typed_search_attributes.get(PHASE) == ERROR) is bool(found)
    return str(found["error"]) if found else ""


async def _until_stopped(handle: Handle) -> str:
    return str(await until(lambda: _stopped(handle), "a step has stopped"))


async def test_a_step_with_a_bug_stops_after_some_attempts_and_goes_on_when_it_is_asked_to(platform: Platform) -> None:
    platform.fakes.fail("git.fetch", KeyError("oops"), times=BUG_ATTEMPTS)
    handle = await started(platform, unique("shop"))
    assert await _until_stopped(handle) == "Unexpected: KeyError: 'oops'"
    assert len(platform.fakes.asked("git.fetch")) == BUG_ATTEMPTS
    assert (await status_of(platform, handle)).runtime == "web", "it answers"
    await handle.signal("retry")
    await until_phase(platform, handle, "Converged")
    assert await _stopped(handle) == ""


async def test_what_is_newer_wins_over_a_step_that_has_stopped(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.fail("kubernetes.converge", ZeroDivisionError("oops"), times=BUG_ATTEMPTS)
    handle = await started(platform, product)
    await _until_stopped(handle)
    await handle.signal("specified", deployment(product, revision="other"))
    await until_phase(platform, handle, "Converged")
    assert await _stopped(handle) == ""


async def test_an_answer_that_does_not_fit_fails_no_workflow_for_good(platform: Platform) -> None:
    right = platform.fakes.answers["gitlab.product_paths"]
    platform.fakes.answers["gitlab.product_paths"] = {"paths": 7}
    key = unique("tenant")
    handle = await platform.start("Tenant", key, TenantInput(tenant="nautes", hooks_url="http://h"))
    assert "the answer of gitlab.product_paths is not what it should be" in await _until_stopped(handle)
    platform.fakes.answers["gitlab.product_paths"] = right
    await handle.signal("retry")
    await until(lambda: _ready(platform, key), "the tenant is ready")


async def _ready(platform: Platform, key: str) -> bool:
    return bool((await platform.shown(key, TenantStatus)).phase == "Ready")


async def test_a_step_that_has_stopped_ends_with_a_removal(platform: Platform) -> None:
    platform.fakes.fail("kubernetes.converge", ZeroDivisionError("oops"), times=BUG_ATTEMPTS)
    handle = await started(platform, unique("shop"))
    await _until_stopped(handle)
    await handle.signal("remove")
    await handle.result()
