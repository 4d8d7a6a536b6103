"""Server-sent events of one operation: each change of its state, then its result. FastAPI sends the keep-alives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.authorization import REPORTER
from api.commands import HIDDEN, result, running
from api.operations import OperationId, require, standing
from api.problems import ALWAYS, documented
from api.state import May, Shared, State
from nautes.messages.errors import NautesError, NotFound
from nautes.messages.operations import OperationStatus

router = APIRouter(prefix="/api/v1", tags=["operations"])
POLL_EVERY = 0.5  # seconds between two reads of a running operation
TEXT = "`event: step` with the state, `event: end` with the result, comments while nothing changes"


async def followed(operation: OperationId, shared: Shared, may: May) -> str:
    """An operation that the caller may follow. Raises before the answer begins."""
    await require(shared, may, operation, REPORTER)
    if await standing(shared, operation) is None and await running(shared.temporal, operation) is None:
        raise NotFound("operation-unknown", f"there is no operation {operation}")
    return operation


@router.get(
    "/operations/{operation:path}/events",
    operation_id="watch_operation",
    response_class=EventSourceResponse,
    responses={200: {"description": TEXT}, **documented(*ALWAYS)},
)
async def watch(operation: Annotated[str, Depends(followed)], shared: Shared) -> AsyncIterator[ServerSentEvent]:
    """Follow an operation to its end."""
    end = asyncio.ensure_future(result(shared.temporal, operation, None))
    last = None
    try:
        while not end.done():
            step = await _step(shared, operation)
            if step and step != last:
                yield ServerSentEvent(event="step", data=step)
                last = step
            await asyncio.wait([end], timeout=POLL_EVERY)
        found = end.result()
        if found is not None:
            yield ServerSentEvent(event="end", data=found.model_dump(mode="json", exclude=HIDDEN))
    except NautesError as error:
        yield ServerSentEvent(event="error", data={"code": error.code})
    finally:
        end.cancel()


async def _step(shared: State, operation: str) -> OperationStatus | None:
    """Its state; None while no worker answers."""
    try:
        return await standing(shared, operation)
    except NautesError:
        return None
