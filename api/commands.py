"""Commands to workflows: an update that starts them if need be, then waiting for the operation's end.

Used by every route that changes something. Workflows are addressed by name; their code is not imported.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import Priority, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.service import RPCError, RPCStatusCode

from api.identity import Caller
from api.problems import Problem, answer
from nautes.messages import errors, ids
from nautes.messages.clusters import ClusterInput
from nautes.messages.operations import (
    REFUSED,
    REPORT,
    SUCCEEDED,
    Accepted,
    ChangeRequest,
    ClusterRequest,
    OperationResult,
)
from nautes.messages.products import ProductInput
from nautes.telemetry import logs

_log = logging.getLogger("nautes.api")

ANSWER_WITHIN = timedelta(seconds=10)  # seconds for a worker to accept a command
POLL_EVERY = 0.05  # seconds between two checks for an operation that has not begun yet
OPERATIONS = ("change", "registration")


HIDDEN = {"sync", "registered"}  # fields of a result that only workflows need
STATUSES = {"precondition-failed": 412, "plan-stale": 409}  # findings that have a status of their own


class Operations(BaseModel):
    """The answer to a command: the result of each operation, or its address."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    message: str
    operations: list[OperationResult]


async def operation_id(request: Request, caller: Caller) -> str:
    """Sortable and unique; the same when the same person repeats the same request under an Idempotency-Key.

    Its end names the requester, who may see the operation even when what it changes no longer exists.
    """
    mine = of_person(caller)
    key = request.headers.get("idempotency-key")
    if not key:
        return datetime.now(UTC).strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(3) + mine
    # The same key on another request is another operation: the result of a plan does not answer the change after it.
    query = sorted((name, value) for name, value in request.query_params.multi_items() if name != "wait")
    known = repr((caller.person.id, key, request.method, request.url.path, query)).encode() + await request.body()
    return f"key-{hashlib.sha256(known).hexdigest()[:24]}{mine}"


def of_person(caller: Caller) -> str:
    """The end of the ids of a person's operations."""
    return f"-u{caller.person.id}"


async def submit(client: Client, command: ChangeRequest | ClusterRequest) -> str:
    """Queue a command with the workflow that owns what it changes; return the operation's workflow id."""
    if isinstance(command, ChangeRequest):
        kind, key, start, fair = (
            "Product",
            ids.product(command.product),
            ProductInput(path=command.product),
            command.product,
        )
    else:
        kind, key = "Cluster", ids.cluster(command.cluster)
        start, fair = ClusterInput(name=command.cluster), command.cluster  # type: ignore[assignment]
    operation: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        kind,
        start,
        id=key,
        task_queue=ids.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=key,
        priority=Priority(priority_key=1, fairness_key=fair[:64]),
    )
    try:
        accepted: Accepted = await client.execute_update_with_start_workflow(
            "submit",
            command,
            start_workflow_operation=operation,
            id=command.operation,
            result_type=Accepted,
            rpc_timeout=ANSWER_WITHIN,
        )
    except (WorkflowUpdateRPCTimeoutOrCancelledError, RPCError) as error:
        raise errors.Unavailable("worker-unavailable", "no worker took the command; send it again") from error
    except WorkflowUpdateFailedError as error:
        raise refusal(error) from error
    with logs.given(**ids.about(accepted.operation)):
        _log.info("%s is accepted", accepted.operation)
    return accepted.operation


async def result(client: Client, operation: str, wait: float | None) -> OperationResult | None:
    """The result of an operation, None when it has not ended within `wait` seconds (None: wait for the end)."""
    try:
        return await asyncio.wait_for(_result(client, operation), wait)
    except TimeoutError:
        return None


async def _result(client: Client, operation: str) -> OperationResult:
    handle: Any = client.get_workflow_handle(operation, result_type=OperationResult)
    while True:
        try:
            found: OperationResult = await handle.result(rpc_timeout=timedelta(seconds=150))
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:  # queued: its turn has not come yet
                raise errors.Unavailable("temporal-unavailable", "Temporal cannot be asked now") from error
        except WorkflowFailureError as error:
            return await _unsuccessful(client, operation, error)
        else:
            return found
        await asyncio.sleep(POLL_EVERY)


async def _unsuccessful(client: Client, operation: str, error: WorkflowFailureError) -> OperationResult:
    """The result of an operation that was refused or cancelled. Raises for one that a bug has ended."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == REFUSED and cause.details:
        return OperationResult.model_validate(cause.details[0])
    if isinstance(cause, CancelledError):
        description = await client.get_workflow_handle(operation).describe()
        if report := (await description.memo()).get(REPORT):
            return OperationResult.model_validate(report)
        return OperationResult(operation=operation, state="cancelled", message="cancelled before it began")
    raise errors.NautesError("operation-failed", f"{operation} failed: {cause}"[:500]) from error


def respond(results: list[tuple[str, OperationResult | None]], message: str = "") -> JSONResponse:
    """200 when all is done, 202 while something runs, a problem when something was refused or cancelled."""
    refused = next((found for _, found in results if found and found.state not in SUCCEEDED), None)
    if refused:
        return answer(_problem(refused))
    pending = next((key for key, found in results if found is None), None)
    shown = [found or OperationResult(operation=key, state="running") for key, found in results]
    text = f"it is running: see /api/v1/operations/{pending}" if pending else message or "done"
    body = {"message": text, "operations": [each.model_dump(exclude=HIDDEN) for each in shown]}
    if pending:
        return JSONResponse(body, 202, {"Location": f"/api/v1/operations/{pending}"})
    return JSONResponse(body, 200)


def _problem(refused: OperationResult) -> Problem:
    rules = [each.rule for each in refused.findings]
    own = next((STATUSES[each] for each in rules if each in STATUSES), 422)
    code = next((each for each in rules if each in STATUSES), rules[0] if rules else refused.state)
    return Problem(
        title="Refused" if refused.state == "refused" else "Cancelled",
        status=own if refused.state == "refused" else 409,
        code=code,
        detail=refused.message,
        findings=refused.findings,
        undone=refused.undone,
        operation=refused.operation,
    )


async def running(client: Client, workflow_id: str) -> bool | None:
    """Whether a workflow runs; None when there is none."""
    try:
        description = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT):  # not a possible id
            return None
        raise errors.Unavailable("temporal-unavailable", "Temporal cannot be asked now") from error
    return description.status == WorkflowExecutionStatus.RUNNING


def refusal(error: WorkflowUpdateFailedError) -> errors.NautesError:
    """Our own error behind a refused update."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type and cause.details and isinstance(cause.details[0], dict):
        kind = getattr(errors, cause.type, errors.Refused)
        details = cause.details[0]
        return kind(str(details.get("code", "")), str(details.get("message", "")))
    return errors.Refused("update-refused", str(cause)[:500])
