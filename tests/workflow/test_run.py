"""One pipeline run: what becomes of it stands on the commit in GitLab, whatever happens."""

from __future__ import annotations

import pytest

from nautes.messages.claims import Grant
from nautes.messages.errors import Forbidden, NotFound, Refused, Unavailable
from nautes.messages.runtimes import RunInput, RunReport
from nautes.messages.status import RunStatus
from tests.workflow.answers import KUBECONFIG, PROJECT, pipeline, push, unique
from tests.workflow.platform import Handle, Platform, ended_with, until


async def _start(platform: Platform) -> Handle:
    product = unique("shop")
    spec, event = pipeline(product), push()
    input = RunInput(
        spec=spec, grant=Grant(cluster="edge", kubeconfig=KUBECONFIG), push=event, trigger=spec.triggers[0]
    )
    key = f"run/{product}/build/{event.event}-pushes-ci"
    await platform.start("PipelineRun", key, input)
    return platform.handle(key, RunStatus)


def _said(platform: Platform) -> list[tuple[str, str]]:
    """(state, description) of the commit statuses that were set."""
    return [(each.state, each.description) for each in platform.fakes.asked("gitlab.set_commit_status")]


async def test_a_run_is_followed_to_its_end_and_said_on_the_commit(platform: Platform) -> None:
    report = RunReport(phase="Succeeded", message="1 task", finished="2026-01-01T00:00:00Z", steps=["ci/test: ok (0)"])
    platform.fakes.answers["tekton.ended"] = report
    handle = await _start(platform)
    status = await ended_with(handle)
    assert (status.phase, status.steps, status.finished) == ("Succeeded", report.steps, report.finished)
    assert _said(platform) == [("pending", "Pending"), ("running", "Running"), ("success", "1 task")]
    assert platform.fakes.names("gitlab.set_commit_status") == ["git.fetch", "tekton.create_run", "tekton.ended"]
    input = platform.fakes.asked("gitlab.set_commit_status")[0]
    assert (input.project_id, input.commit, input.ref) == (PROJECT, status.commit, "main")
    assert input.name == "nautes/build/ci"
    assert platform.fakes.asked("tekton.create_run")[0].file == "ci.yaml"


async def test_a_failed_run_is_a_failed_status(platform: Platform) -> None:
    platform.fakes.answers["tekton.ended"] = RunReport(phase="Failed", message="exit code 1", finished="then")
    assert (await ended_with(await _start(platform))).phase == "Failed"
    assert _said(platform)[-1] == ("failed", "exit code 1")


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("git.fetch", NotFound("revision-unknown", "there is no branch main")),
        ("tekton.create_run", Refused("pipeline-file", "ci.yaml must hold exactly one PipelineRun")),
    ],
)
async def test_a_run_that_cannot_be_made_is_a_failed_run_that_says_why(
    platform: Platform, where: str, error: Refused | NotFound
) -> None:
    platform.fakes.fail(where, error)
    status = await ended_with(await _start(platform))
    assert (status.phase, status.message) == ("Failed", error.message)
    assert _said(platform)[-1] == ("failed", error.message)


async def test_a_cancelled_run_cancels_its_pipeline_run_and_says_so(platform: Platform) -> None:
    hold = platform.fakes.hold("tekton.ended")
    handle = await _start(platform)
    await hold.begun.wait()
    await handle.cancel()
    status = await ended_with(handle)
    assert (status.phase, status.message) == ("Cancelled", "cancelled")
    assert platform.fakes.asked("tekton.cancel_run")[0].name == status.name
    assert _said(platform)[-1] == ("canceled", "cancelled")


@pytest.mark.parametrize("where", ["git.fetch", "tekton.create_run", "gitlab.set_commit_status"])
@pytest.mark.parametrize("deaf", [False, True], ids=["stopped", "too late"])
async def test_a_run_is_cancelled_wherever_it_is(platform: Platform, where: str, deaf: bool) -> None:
    hold = platform.fakes.hold(where, deaf=deaf)
    handle = await _start(platform)
    await hold.begun.wait()
    await handle.cancel()
    if deaf:
        await until(lambda: platform.cancel_heard(handle), "the cancellation in history")
        hold.release()
    assert (await ended_with(handle)).phase == "Cancelled"
    assert _said(platform)[-1] == ("canceled", "cancelled")
    assert "tekton.ended" not in platform.fakes.names()


async def test_an_outage_is_shown_and_retried_until_it_ends(platform: Platform) -> None:
    platform.fakes.fail("tekton.create_run", Unavailable("cluster-unavailable", "edge timed out"), times=10_000)
    handle = await _start(platform)
    assert (await until(lambda: platform.retried(handle.id), "an attempt that failed"))[2] == "edge timed out"
    platform.fakes.mend("tekton.create_run")
    assert (await ended_with(handle)).phase == "Succeeded"


async def test_a_commit_whose_status_is_refused_does_not_keep_a_run_from_its_end(platform: Platform) -> None:
    platform.fakes.fail("gitlab.set_commit_status", NotFound("gitlab-404", "there is no such commit"), times=10)
    handle = await _start(platform)
    status = await ended_with(handle)
    assert status.phase == "Succeeded"
    assert "no commit status: there is no such commit" in status.message


async def test_a_cancellation_that_the_cluster_refuses_still_ends_the_run(platform: Platform) -> None:
    platform.fakes.fail("tekton.cancel_run", Forbidden("kubernetes-forbidden", "not yours"))
    hold = platform.fakes.hold("tekton.ended")
    handle = await _start(platform)
    await hold.begun.wait()
    await handle.cancel()
    status = await ended_with(handle)
    assert (status.phase, status.message) == ("Cancelled", "cancelled, but the PipelineRun may go on: not yours")
