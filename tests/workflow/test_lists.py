"""Lists for people: the status of runtimes and runs is read from memos, no workflow is asked, and how operations ended shows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.client import WorkflowExecutionStatus

from api import lists
from api.state import State
from api.status import listed
from nautes.messages.claims import Grant
from nautes.messages.convergence import HealthReport, ObjectHealth
from nautes.messages.errors import Refused
from nautes.messages.products import ChangeInput
from nautes.messages.runtimes import RunInput, RunReport
from nautes.messages.status import NAMED, DeploymentStatus, ProductStatus, RunStatus, RuntimeLine
from tests.workflow.answers import KUBECONFIG, change, pipeline, push, unique
from tests.workflow.deployments import started, until_phase
from tests.workflow.platform import Handle, Platform, ended_with, until


def _line(product: str, name: str = "web") -> RuntimeLine:
    key = f"deployment/{product}/{name}"
    return RuntimeLine(kind="DeploymentRuntime", name=name, environment="test", workflow=key)


async def _listed(platform: Platform, product_id: str, *lines: RuntimeLine) -> list[DeploymentStatus]:
    """The runtimes as the status of their product shows them."""
    product = ProductStatus(path="shop", id=product_id, environments={"test": "edge"})
    return await listed(
        cast("State", SimpleNamespace(temporal=platform.client)), product, list(lines), DeploymentStatus
    )


async def _of_phase(platform: Platform, product_id: str, line: RuntimeLine, phase: str) -> DeploymentStatus:
    """The line of a runtime once the list knows its phase: visibility lags."""

    async def look() -> DeploymentStatus | None:
        (found,) = await _listed(platform, product_id, line)
        return found if found.phase == phase else None

    found: DeploymentStatus = await until(look, f"{line.workflow} is listed as {phase}")
    return found


async def test_a_runtime_is_listed_with_what_is_wrong_and_the_rest_is_counted(platform: Platform) -> None:
    product, product_id = unique("shop"), unique("product")
    objects = [
        ObjectHealth(kind="Deployment", name=f"web-{each}", status="InProgress", reason="0/1") for each in range(9)
    ]
    sick = HealthReport(healthy=False, total=9, unhealthy=objects)
    platform.fakes.answers |= {"kubernetes.health": sick, "kubernetes.health_changed": sick}
    handle = await started(platform, product, product_id=product_id)
    found = await _of_phase(platform, product_id, _line(product), "Waiting")
    assert [each.name for each in found.unhealthy] == [f"web-{each}" for each in range(NAMED)]
    assert found.unnamed == 9 - NAMED
    well = HealthReport(healthy=True, total=9)
    platform.fakes.answers |= {"kubernetes.health": well, "kubernetes.health_changed": well}
    await handle.signal("observed")
    found = await _of_phase(platform, product_id, _line(product), "Converged")
    status = await until_phase(platform, handle, "Converged")
    assert (found.unhealthy, found.unnamed, found.commit, found.finished) == (
        [],
        0,
        status.commit,
        status.finished,
    )


async def test_a_runtime_that_a_bug_has_stopped_is_listed_as_error_with_what_failed(platform: Platform) -> None:
    product, product_id = unique("shop"), unique("product")
    platform.fakes.fail("kubernetes.converge", KeyError("spec"), times=50)
    platform.hurry(retry_maximum=0.05)
    await started(platform, product, product_id=product_id)
    found = await _of_phase(platform, product_id, _line(product), "Error")
    assert found.retry and "KeyError" in found.retry.error


async def test_what_has_not_begun_and_what_another_product_has_at_this_path_is_a_line_that_says_so(
    platform: Platform,
) -> None:
    product, product_id = unique("shop"), unique("product")
    await started(platform, product, product_id=product_id)
    await _of_phase(platform, product_id, _line(product), "Converged")
    lines = await _listed(platform, product_id, _line(product), _line(product, "new"))
    assert [(each.runtime, each.phase, each.cluster) for each in lines] == [
        ("web", "Converged", "edge"),
        ("new", "Pending", "edge"),
    ]
    (line,) = await _listed(platform, unique("product"), _line(product))
    assert (line.phase, line.commit) == ("Pending", "")


async def _run(platform: Platform, product: str, product_id: str) -> Handle:
    spec, event = pipeline(product, product_id=product_id), push()
    input = RunInput(
        spec=spec, grant=Grant(cluster="edge", kubeconfig=KUBECONFIG), push=event, trigger=spec.triggers[0]
    )
    key = f"run/{product}/build/{event.event}-pushes-ci"
    await platform.start("PipelineRun", key, input)
    return platform.handle(key, RunStatus)


async def test_runs_are_listed_page_by_page_and_only_those_of_the_product(platform: Platform) -> None:
    product, product_id = unique("shop"), unique("product")
    runs = [await _run(platform, product, product_id) for _ in range(5)]
    await _run(platform, product, unique("product"))  # of a product that was at this path before
    for each in runs:
        await ended_with(each)
    query = f"NautesKind = 'PipelineRun' AND NautesProductId = '{product_id}' AND ExecutionStatus = 'Completed'"
    await until(lambda: _count(platform, query, 5), "all are listed")
    found, cursor, pages = dict[str, RunStatus](), "", 0
    while True:
        page = await lists.page(platform.client, query, RunStatus, 2, cursor)
        assert len(page.items) <= 2
        found |= page.items
        pages += 1
        if page.next is None:
            break
        cursor = page.next
    assert found.keys() == {each.id for each in runs}
    assert {each.phase for each in found.values()} == {"Succeeded"}
    assert pages >= 3


async def _count(platform: Platform, query: str, wanted: int) -> bool:
    return (await platform.client.count_workflows(query)).count == wanted


@pytest.mark.parametrize("cursor", ["x", "AAAA", "AAAAAAAA", "é", "e30=", "a" * 400])
async def test_what_is_no_cursor_is_refused_before_temporal_is_asked(cursor: str) -> None:
    with pytest.raises(Refused, match="no cursor"):
        await lists.page(cast("Any", None), "NautesKind = 'PipelineRun'", RunStatus, 10, cursor)


@pytest.mark.parametrize("name", ["x' OR NautesKind = 'Tenant", "", "a b", "a\nb"])
def test_a_name_cannot_be_more_than_a_name_in_a_query(name: str) -> None:
    with pytest.raises(Refused):
        lists.clause("NautesProductId", name)


async def _status(handle: Handle) -> WorkflowExecutionStatus | None:
    return (await handle.describe()).status


async def test_a_run_that_failed_has_failed_and_a_cancelled_one_is_canceled_for_temporal(platform: Platform) -> None:
    product, product_id = unique("shop"), unique("product")
    platform.fakes.answers["tekton.ended"] = RunReport(phase="Failed", message="exit code 1")
    failed = await _run(platform, product, product_id)
    await ended_with(failed)
    hold = platform.fakes.hold("tekton.ended")
    cancelled = await _run(platform, product, product_id)
    await hold.begun.wait()
    await cancelled.cancel()
    await ended_with(cancelled)
    assert await _status(failed) == WorkflowExecutionStatus.FAILED
    assert await _status(cancelled) == WorkflowExecutionStatus.CANCELED


async def test_a_refused_change_has_failed_and_a_cancelled_one_is_canceled_for_temporal(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.fail("products.plan", Refused("rules", "not like this"))
    request = change(product)
    refused = await platform.start("Change", f"change/{product}/{request.operation}", ChangeInput(request=request))
    await until(lambda: _is_over(refused), "the refusal")
    hold = platform.fakes.hold("products.plan")
    request = change(product)
    cancelled = await platform.start("Change", f"change/{product}/{request.operation}", ChangeInput(request=request))
    await hold.begun.wait()
    await cancelled.cancel()
    await until(lambda: _is_over(cancelled), "the cancellation")
    assert await _status(refused) == WorkflowExecutionStatus.FAILED
    assert await _status(cancelled) == WorkflowExecutionStatus.CANCELED


async def _is_over(handle: Handle) -> bool:
    return await _status(handle) != WorkflowExecutionStatus.RUNNING
