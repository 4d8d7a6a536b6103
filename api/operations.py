"""Operations: state, result and cancellation; and runs of pipelines. Reads workflows, and changes only by cancelling."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from api import authorization, lists
from api.authorization import GROUPS, MAINTAINER, REPORTER, Rights
from api.commands import HIDDEN, OPERATIONS, of_person, result, running
from api.parameters import Wait
from api.paths import ProductName, Slashed
from api.pending import pending
from api.problems import ALWAYS, documented
from api.state import May, Shared, State
from nautes.messages import ids
from nautes.messages.errors import NotFound, Unavailable
from nautes.messages.operations import OperationResult, OperationStatus
from nautes.messages.status import ClusterStatus, ProductStatus, RunStatus
from nautes.resources.payload import Payload

Answer = TypeVar("Answer")

router = APIRouter(prefix="/api/v1", tags=["operations"])
PROBLEMS = documented(*ALWAYS)
ANSWER_WITHIN = timedelta(seconds=5)  # of a workflow that has ended
OperationId = Annotated[Slashed, Path(max_length=2000, description="As an answer named it; / as it is or as %2F.")]
RunId = Annotated[Slashed, Path(max_length=2000, description="As `runs` shows it; / as it is or as %2F.")]


class Running(OperationStatus):
    """An operation that has not ended: what it does now, what it has done, what it is retrying."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    state: str = "running"


class Runs(BaseModel):
    """A page of the runs of a product."""

    items: list[RunStatus]
    next: str | None


WorkflowId = Annotated[Slashed, Path(max_length=2000, description="As Temporal UI names it; / as it is or as %2F.")]


class Cancelling(BaseModel):
    """A cancellation was requested."""

    operation: str
    state: str = "cancelling"


@router.post(
    "/operations/{operation:path}/cancel",
    operation_id="cancel_operation",
    status_code=202,
    response_model=Cancelling,
    responses=PROBLEMS,
)
async def cancel(operation: OperationId, shared: Shared, may: May) -> JSONResponse:
    """Cancel an operation and undo what it did."""
    await require(shared, may, operation, MAINTAINER)
    if await _running(shared, operation):
        await shared.temporal.get_workflow_handle(operation).cancel()
    return JSONResponse({"operation": operation, "state": "cancelling"}, 202)


class Retrying(BaseModel):
    """What a bug had stopped was asked to try again."""

    workflow: str
    state: str = "retrying"


@router.post(
    "/retry/{workflow:path}", operation_id="retry", status_code=202, response_model=Retrying, responses=PROBLEMS
)
async def retry(workflow: WorkflowId, shared: Shared, may: May) -> JSONResponse:
    """Try again what a bug has stopped (phase `Error`) in a workflow. Without such a step nothing happens."""
    await _require_workflow(shared, may, workflow)
    if not await _running(shared, workflow):
        raise NotFound("workflow-ended", f"{workflow} does not run")
    await shared.temporal.get_workflow_handle(workflow).signal("retry")
    return JSONResponse({"workflow": workflow, "state": "retrying"}, 202)


@router.get("/products/{product_name}/runs", operation_id="list_runs", responses=PROBLEMS)
async def runs(
    product: ProductName,
    shared: Shared,
    may: May,
    limit: Annotated[int, Query(ge=1, le=1000, description="Runs of a page.")] = 100,
    cursor: Annotated[str, Query(max_length=4000, description="`next` of the page before.")] = "",
) -> Runs:
    """The runs of every pipeline runtime of a product, newest first."""
    await authorization.may_read(may, product)
    status = await product_status(shared, product)
    if not status.id:
        return Runs(items=[], next=None)
    # By id: at the same path there may have been another product.
    wanted = f"NautesKind = 'PipelineRun' AND {lists.clause('NautesProductId', status.id)}"
    page = await lists.page(shared.temporal, wanted, RunStatus, limit, cursor)
    return Runs(items=list(page.items.values()), next=page.next)


@router.get("/runs/{run:path}", operation_id="get_run", responses=PROBLEMS)
async def one_run(run: RunId, shared: Shared, may: May) -> RunStatus:
    """One run, by the id that `runs` shows."""
    key = run if run.startswith("run/") else f"run/{run}"
    product = key.removeprefix("run/").rpartition("/")[0].rpartition("/")[0]
    await authorization.may_read(may, product)
    return await run_status(shared, key)


# The last route: {operation:path} matches everything below it.
@router.get(
    "/operations/{operation:path}",
    operation_id="get_operation",
    response_model=OperationResult | Running,
    responses=PROBLEMS,
)
async def operation_status(operation: OperationId, shared: Shared, may: May, wait: Wait = 0) -> JSONResponse:
    """The result of an operation; without an end within `wait` seconds, its state (`state` running)."""
    await require(shared, may, operation, REPORTER)
    if wait and (ended := await result(shared.temporal, operation, wait)):
        return JSONResponse(ended.model_dump(exclude=HIDDEN))
    if status := await standing(shared, operation):
        return JSONResponse(status.model_dump())
    found = await result(shared.temporal, operation, 5)
    if found is None:
        raise NotFound("operation-unknown", f"there is no operation {operation}")
    return JSONResponse(found.model_dump(exclude=HIDDEN))


async def standing(shared: State, operation: str) -> Running | None:
    """The state of an operation, None when it has ended. Raises NotFound and Unavailable."""
    if await _queued(shared, operation):
        return Running(operation=operation, step="queued")
    if not await _running(shared, operation):
        return None
    status = await query(shared, operation, OperationStatus)
    retry = await pending(shared.temporal, operation)
    return Running.model_validate({**status.model_dump(), "retry": retry.model_dump() if retry else None})


async def run_status(shared: State, run: str) -> RunStatus:
    """The status of a run."""
    last: RunStatus | None = await lists.last(shared.temporal, run, RunStatus)
    return last if last is not None else await query(shared, run, RunStatus)


async def product_status(shared: State, product: str) -> ProductStatus:
    """The status of the product's workflow. Raises NotFound."""
    return await query(shared, ids.product(product), ProductStatus)


async def query(
    shared: State, workflow_id: str, answer: type[Answer], name: str = "status", *arguments: Payload
) -> Answer:
    """A query of a workflow. Raises NotFound and Unavailable.

    One that has ended may have run on a build that was switched off since: then nobody can tell, and it counts as gone.
    """
    runs = await running(shared.temporal, workflow_id)
    if runs is None:
        raise NotFound("workflow-unknown", f"there is no {workflow_id}")
    handle = shared.temporal.get_workflow_handle(workflow_id)
    try:
        found: Answer = await handle.query(
            name, args=list(arguments), result_type=answer, rpc_timeout=None if runs else ANSWER_WITHIN
        )
    except (RPCError, WorkflowQueryFailedError) as error:
        if not runs:
            raise NotFound("workflow-ended", f"{workflow_id} has ended") from error
        raise Unavailable("worker-unavailable", f"no worker answers for {workflow_id}") from error
    return found


async def require(shared: State, may: Rights, operation: str, level: int) -> None:
    """To see an operation, the right to see what it changes is required; to cancel it, being the requester or a Maintainer."""
    kind, _, rest = operation.partition("/")
    if kind not in OPERATIONS or "/" not in rest:
        raise NotFound("operation-unknown", f"there is no operation {operation}")
    if kind == "registration":
        await may.require(shared.reading.tenant_repository, level)
        return
    mine, product = operation.endswith(of_person(may.caller)), rest.rpartition("/")[0]
    if await may.level(product, GROUPS) is not None:
        await may.require(product, REPORTER if mine else level, GROUPS)
    elif not mine:  # missing or hidden: only the requester may see it
        raise NotFound("operation-unknown", f"there is no operation {operation}")


async def _require_workflow(shared: State, may: Rights, workflow: str) -> None:
    """What belongs to a product is for who may command its runtimes, what belongs to the platform for who may change clusters."""
    product = ids.product_of(workflow)
    if product is None:
        raise NotFound("workflow-unknown", f"there is no workflow {workflow}")
    if product:
        await authorization.may_command(may, product)
    else:
        await authorization.may_change_clusters(may, shared.reading.tenant_repository)


async def _queued(shared: State, operation: str) -> bool:
    """Whether it is queued: nothing runs under its id yet, but the owning workflow has it in its queue."""
    if await running(shared.temporal, operation) is not None:
        return False
    kind, _, rest = operation.partition("/")
    name = rest.rpartition("/")[0]
    if kind == "registration":
        return operation in (await query(shared, ids.cluster(name), ClusterStatus)).queued
    return operation in (await product_status(shared, name)).queued


async def _running(shared: State, operation: str) -> bool:
    found = await running(shared.temporal, operation)
    if found is None:
        raise NotFound("operation-unknown", f"there is no operation {operation}")
    return found
