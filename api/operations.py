"""Operations: how one stands, how it ended, cancelling it; and runs of pipelines. Reads workflows, changes nothing else."""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from api.commands import OPERATIONS, of_person, result, running
from api.identity import MAINTAINER, REPORTER, Caller
from api.paths import ProductName
from api.pending import pending
from api.problems import documented
from api.state import Shared, State, Who
from contracts import ids
from contracts.errors import NotFound, Unavailable
from contracts.operations import OperationStatus
from contracts.status import ClusterStatus, PipelineStatus, ProductStatus, RunStatus

Answer = TypeVar("Answer")
router = APIRouter(prefix="/api/v1", tags=["operations"])
PROBLEMS = documented(401, 403, 404, 503)
Wait = Annotated[float, Query(ge=0, le=120, description="seconds to wait for the end")]


@router.get("/operations/{operation:path}", responses=PROBLEMS)
async def operation_status(operation: str, shared: Shared, who: Who, wait: Wait = 0) -> JSONResponse:
    """How an operation ended; after `wait` seconds without an end, how it stands (`state` running)."""
    await _require(shared, who, operation, REPORTER)
    if await _queued(shared, operation):
        return JSONResponse({"operation": operation, "state": "running", "step": "queued"})
    if wait and (ended := await result(shared.temporal, operation, wait)):
        return JSONResponse(ended.model_dump(exclude={"sync", "registered"}))
    if await _running(shared, operation):
        status = await query(shared, operation, OperationStatus)
        status = status.model_copy(update={"retry": await pending(shared.temporal, operation)})
        return JSONResponse({"state": "running", **status.model_dump()})
    found = await result(shared.temporal, operation, 5)
    if found is None:
        raise NotFound("operation-unknown", f"there is no operation {operation}")
    return JSONResponse(found.model_dump(exclude={"sync", "registered"}))


@router.post("/operations/{operation:path}/cancel", status_code=202, responses=PROBLEMS)
async def cancel(operation: str, shared: Shared, who: Who) -> JSONResponse:
    """Cancel an operation: what it did is undone."""
    await _require(shared, who, operation, MAINTAINER)
    if await _running(shared, operation):
        await shared.temporal.get_workflow_handle(operation).cancel()
    return JSONResponse({"operation": operation, "state": "cancelling"}, 202)


@router.get("/products/{product}/runs", responses=PROBLEMS)
async def runs(product: ProductName, shared: Shared, who: Who) -> list[RunStatus]:
    """The runs of every pipeline runtime of a product, newest first."""
    await shared.door.require(who, f"{product}/default.project", "projects", REPORTER)
    status = await product_status(shared, product)
    found: list[RunStatus] = []
    for line in status.runtimes:
        if line.kind == "ProjectPipelineRuntime":
            pipeline = await query(shared, line.workflow, PipelineStatus)
            found += [await run_status(shared, each) for each in pipeline.runs]
    return sorted(found, key=lambda each: each.started, reverse=True)


@router.get("/runs/{run:path}", responses=PROBLEMS)
async def one_run(run: str, shared: Shared, who: Who) -> RunStatus:
    """One run, by the id that `get runs` shows."""
    key = run if run.startswith("run/") else f"run/{run}"
    product = key.removeprefix("run/").rpartition("/")[0].rpartition("/")[0]
    await shared.door.require(who, f"{product}/default.project", "projects", REPORTER)
    return await run_status(shared, key)


async def run_status(shared: State, run: str) -> RunStatus:
    """How a run stands; a run that ended is asked all the same."""
    return await query(shared, run, RunStatus)


async def product_status(shared: State, product: str) -> ProductStatus:
    """The product's own view. Raises NotFound."""
    return await query(shared, ids.product(product), ProductStatus)


async def query(shared: State, workflow_id: str, answer: type[Answer]) -> Answer:
    """The query `status` of a workflow. Raises NotFound and Unavailable."""
    if await running(shared.temporal, workflow_id) is None:
        raise NotFound("workflow-unknown", f"there is no {workflow_id}")
    try:
        found: Answer = await shared.temporal.get_workflow_handle(workflow_id).query("status", result_type=answer)
    except (RPCError, WorkflowQueryFailedError) as error:
        raise Unavailable("worker-unavailable", f"no worker answers for {workflow_id}") from error
    return found


async def _queued(shared: State, operation: str) -> bool:
    """Whether its turn has not come: nothing runs under its id yet, but its owner knows of it."""
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


async def _require(shared: State, who: Caller, operation: str, level: int) -> None:
    """An operation is seen by who may see what it changes."""
    kind, _, rest = operation.partition("/")
    if kind not in OPERATIONS or "/" not in rest:
        raise NotFound("operation-unknown", f"there is no operation {operation}")
    if kind == "registration":
        await shared.door.require(who, f"{shared.settings.tenant}/management", "projects", level)
        return
    product = rest.rpartition("/")[0]
    if await shared.door.level(who, product, "groups") is not None:
        await shared.door.require(who, product, "groups", level)
    elif not operation.endswith(of_person(who)):  # not there (any more), or hidden: only who asked for it may know
        raise NotFound("operation-unknown", f"there is no operation {operation}")
