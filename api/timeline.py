"""The history of a product or a cluster, newest first: requester, action, commit, calls, attempts and result.

Read from Temporal: visibility lists the operations (for people only), and one history tells all of one. No database of our own.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution
from temporalio.converter import DataConverter
from temporalio.service import RPCError

from api import authorization
from api.parameters import FewAtOnce
from api.paths import ProductName
from api.problems import ALWAYS, documented
from api.state import May, Shared, State
from api.status import ui_of
from nautes.clients.temporal import message_of
from nautes.messages.clusters import RegistrationInput
from nautes.messages.errors import Refused, Unavailable
from nautes.messages.operations import REFUSED, REPORT, ChangeRequest, ClusterRequest, OperationResult
from nautes.messages.products import ChangeInput
from nautes.planning.steps import Effect, Outcome
from nautes.resources.findings import Finding

router = APIRouter(prefix="/api/v1", tags=["status"])
PROBLEMS = documented(*ALWAYS)
AT_ONCE = 8  # histories that are read side by side
SAFE = re.compile(r"[A-Za-z0-9_./-]+")  # what may stand in a query of visibility
ENDS = {
    f"workflow_execution_{each}_event_attributes"
    for each in ("completed", "failed", "canceled", "terminated", "timed_out")
}
CLOSED = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "activity_task_timed_out_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "activity_task_canceled_event_attributes",
}


class Person(BaseModel):
    """The requester."""

    username: str
    name: str


class Call(BaseModel):
    """One step: the activity, its object, the number of attempts, the time taken, the last error."""

    step: str
    summary: str = ""
    attempts: int = 0
    seconds: float | None = None
    error: str = ""


class TimelineEntry(BaseModel):
    """One operation, from request to end."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    operation: str
    source: str = "api"  # or git
    action: str = ""
    requester: Person = Person(username="", name="")
    skip_check: bool = False
    dry_run: bool = False
    started: str = ""
    finished: str = ""
    state: str = "running"
    commit: str = ""
    message: str = ""
    outcomes: list[Outcome] = []
    effects: list[Effect] = []
    findings: list[Finding] = []
    undone: list[str] = []
    calls: list[Call] = []
    retries: int = 0
    ui: str = ""


class Timeline(BaseModel):
    """A page of it."""

    items: list[TimelineEntry]
    next: str | None


Size = Annotated[FewAtOnce, Query(description="Entries of a page.")]
From = Annotated[str, Query(max_length=200, description="`next` of the page before.")]


@router.get("/products/{product_name}/timeline", operation_id="get_product_timeline", responses=PROBLEMS)
async def product_timeline(
    product: ProductName, shared: Shared, may: May, limit: Size = 20, cursor: From = ""
) -> Timeline:
    """What happened to a product."""
    await authorization.may_read(may, product)
    return await _page(shared, "Change", "NautesProduct", product, limit, cursor)


@router.get("/clusters/{cluster_name}/timeline", operation_id="get_cluster_timeline", responses=PROBLEMS)
async def cluster_timeline(
    cluster: Annotated[str, Path(alias="cluster_name", max_length=255)],
    shared: Shared,
    may: May,
    limit: Size = 20,
    cursor: From = "",
) -> Timeline:
    """What happened to a cluster."""
    await authorization.may_read_clusters(may, shared.reading.tenant_repository)
    return await _page(shared, "Registration", "NautesCluster", cluster, limit, cursor)


async def _page(shared: State, kind: str, attribute: str, name: str, limit: int, cursor: str) -> Timeline:
    before = _before(cursor)
    if not SAFE.fullmatch(name):
        return Timeline(items=[], next=None)
    query = f"NautesKind = '{kind}' AND {attribute} = '{name}'"
    query += f" AND StartTime < '{before}'" if before else ""
    try:
        found = [each async for each in shared.temporal.list_workflows(query, page_size=limit + 1, limit=limit + 1)]
    except RPCError as error:
        raise Unavailable("temporal-unavailable", "Temporal cannot be asked now") from error
    found.sort(key=lambda each: each.start_time, reverse=True)
    turns = asyncio.Semaphore(AT_ONCE)

    async def entry(execution: WorkflowExecution) -> TimelineEntry:
        async with turns:
            entry = await _entry(shared.temporal, execution)
        return entry.model_copy(update={"ui": ui_of(shared, execution.id)})

    items = await asyncio.gather(*(entry(each) for each in found[:limit]))
    following = _cursor(found[limit - 1].start_time) if len(found) > limit else None
    return Timeline(items=list(items), next=following)


async def _entry(client: Client, execution: WorkflowExecution) -> TimelineEntry:
    handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    try:
        history = await handle.fetch_history()
    except RPCError as error:
        raise Unavailable("temporal-unavailable", "Temporal cannot be asked now") from error
    return await entry_of(execution.id, list(history.events), client.data_converter)


async def entry_of(operation: str, events: list[HistoryEvent], converter: DataConverter) -> TimelineEntry:
    """One operation, from its history."""
    first, last = events[0], events[-1]
    request = await _request(operation, first, converter)
    person = Person(username=request.requester.username, name=request.requester.name)
    calls = await _calls(events, converter)
    found: dict[str, Any] = {
        "operation": operation,
        "source": "git" if request.action == "push" or operation.rpartition("/")[2].startswith("git-") else "api",
        "action": request.action,
        "requester": person,
        "skip_check": bool(getattr(request, "skip_check", False)),
        "dry_run": request.dry_run,
        "started": _time(first),
        "calls": calls,
        "retries": sum(max(0, each.attempts - 1) for each in calls),
    }
    if last.WhichOneof("attributes") in ENDS:
        found["finished"] = _time(last)
        if payload := _report(events):
            (result,) = await converter.decode([payload], [OperationResult])
            own = ("state", "commit", "message", "outcomes", "effects", "findings", "undone")
            found |= {each: getattr(result, each) for each in own}
        else:
            text = await message_of(last.workflow_execution_failed_event_attributes.failure, converter)
            found |= {"state": "failed", "message": text[:500]}
    return TimelineEntry(**found)


def _report(events: list[HistoryEvent]) -> Payload | None:
    """How an operation ended: its result, the detail of a refusal, or what a cancelled one left in its memo."""
    last = events[-1]
    if last.HasField("workflow_execution_completed_event_attributes"):
        return last.workflow_execution_completed_event_attributes.result.payloads[0]
    if last.HasField("workflow_execution_failed_event_attributes"):
        failure = last.workflow_execution_failed_event_attributes.failure.application_failure_info
        return failure.details.payloads[0] if failure.type == REFUSED and failure.details.payloads else None
    for event in reversed(events):
        memo = event.workflow_properties_modified_event_attributes.upserted_memo.fields
        if REPORT in memo:
            return memo[REPORT]
    return None


async def _request(operation: str, first: HistoryEvent, converter: DataConverter) -> ChangeRequest | ClusterRequest:
    payloads = list(first.workflow_execution_started_event_attributes.input.payloads[:1])
    kind = RegistrationInput if operation.startswith("registration/") else ChangeInput
    (order,) = await converter.decode(payloads, [kind])
    request: ChangeRequest | ClusterRequest = order.request
    return request


async def _calls(events: list[HistoryEvent], converter: DataConverter) -> list[Call]:
    calls: dict[int, Call] = {}
    begun: dict[int, datetime] = {}
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            scheduled = event.activity_task_scheduled_event_attributes
            calls[event.event_id] = Call(step=scheduled.activity_type.name, summary=await _summary(event, converter))
            begun[event.event_id] = event.event_time.ToDatetime()
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            started = event.activity_task_started_event_attributes
            call = calls[started.scheduled_event_id]
            call.attempts, call.error = started.attempt, (await message_of(started.last_failure, converter))[:500]
        elif event.event_type in CLOSED:
            closed = getattr(event, CLOSED[event.event_type])
            call = calls[closed.scheduled_event_id]
            took = event.event_time.ToDatetime() - begun[closed.scheduled_event_id]
            call.seconds = round(took.total_seconds(), 3)
            failure = getattr(closed, "failure", None)
            call.error = (await message_of(failure, converter))[:500] if failure and failure.message else call.error
    return list(calls.values())


async def _summary(event: HistoryEvent, converter: DataConverter) -> str:
    if not event.user_metadata.HasField("summary"):
        return ""
    (text,) = await converter.decode([event.user_metadata.summary], [str])
    return str(text)


def _time(event: HistoryEvent) -> str:
    return event.event_time.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ")


def _cursor(start: datetime) -> str:
    return base64.urlsafe_b64encode(start.isoformat().encode()).decode().rstrip("=")


def _before(cursor: str) -> str:
    """The time a page ends before. Raises Refused for an invalid cursor."""
    if not cursor:
        return ""
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
        return datetime.fromisoformat(text).isoformat()
    except (ValueError, binascii.Error):
        raise Refused("cursor-invalid", "that is no cursor of this list") from None
