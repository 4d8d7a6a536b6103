"""Server-sent events of one operation: each change of how it stands, at last how it ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from api.authorization import REPORTER
from api.commands import HIDDEN, result, running
from api.operations import OperationId, require, standing
from api.problems import ALWAYS, documented
from api.state import May, Shared, State
from nautes.messages.errors import NautesError, NotFound

router = APIRouter(prefix="/api/v1", tags=["operations"])
MEDIA_TYPE = "text/event-stream"
LOOK_EVERY = 0.5  # seconds between looks at a running operation
ALIVE_EVERY = 15.0  # seconds of silence after which a comment tells that the line is open
TEXT = "`event: step` with how it stands, `event: end` with how it ended, comments while nothing changes"
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": TEXT, "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}
}


@router.get(
    "/operations/{operation:path}/events",
    operation_id="watch_operation",
    response_class=StreamingResponse,
    responses={**STREAM, **documented(*ALWAYS)},
)
async def watch(operation: OperationId, shared: Shared, may: May) -> StreamingResponse:
    """Follow an operation to its end."""
    await require(shared, may, operation, REPORTER)
    if await standing(shared, operation) is None and await running(shared.temporal, operation) is None:
        raise NotFound("operation-unknown", f"there is no operation {operation}")
    return StreamingResponse(_events(shared, operation), media_type=MEDIA_TYPE)


async def _events(shared: State, operation: str) -> AsyncIterator[str]:
    end = asyncio.ensure_future(result(shared.temporal, operation, None))
    told, last = time.monotonic(), ""
    try:
        while not end.done():
            step = await _step(shared, operation)
            if step and step != last:
                yield _event("step", step)
                told, last = time.monotonic(), step
            elif time.monotonic() - told > ALIVE_EVERY:
                yield ": still running\n\n"
                told = time.monotonic()
            await asyncio.wait([end], timeout=LOOK_EVERY)
        found = end.result()
        if found is not None:
            yield _event("end", found.model_dump_json(exclude=HIDDEN))
    except NautesError as error:
        yield _event("error", f'{{"code":"{error.code}"}}')
    finally:
        end.cancel()


async def _step(shared: State, operation: str) -> str:
    """How it stands; nothing while nobody can say."""
    try:
        status = await standing(shared, operation)
    except NautesError:
        return ""
    return status.model_dump_json() if status else ""


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
