"""Lists of workflows for people, out of Temporal's visibility and memos: no workflow is asked. Nothing is decided by them.

Used by the status of a product (api/status.py) and the list of runs (api/operations.py).
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

import pydantic
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError

from nautes.messages.errors import Refused, Unavailable
from nautes.messages.operations import BUG, ERROR, Retry
from nautes.messages.status import MEMO, DeploymentStatus, PipelineStatus, RunStatus

SAFE = re.compile(r"[A-Za-z0-9_./-]+")  # what may stand in a query of visibility
ANSWER_WITHIN = timedelta(seconds=5)
MOST = 1_000  # of one page
Status = TypeVar("Status", DeploymentStatus, PipelineStatus, RunStatus)


@dataclass(frozen=True)
class Page(Generic[Status]):
    """Some items of a list by workflow id, and the cursor of the next page; None on the last one."""

    items: dict[str, Status]
    next: str | None


def clause(attribute: str, value: str) -> str:
    """A condition of a query. Raises Refused for a value that could be more than a value."""
    if not SAFE.fullmatch(value):
        raise Refused("name-malformed", f"{value[:100]} is no name")
    return f"{attribute} = '{value}'"


async def page(client: Client, query: str, status: type[Status], limit: int = MOST, cursor: str = "") -> Page[Status]:
    """One page of the workflows for which a condition holds, the newest first. Raises Refused for a wrong cursor."""
    token = _token(cursor)
    iterator = client.list_workflows(query, page_size=limit, next_page_token=token, rpc_timeout=ANSWER_WITHIN)
    try:
        await iterator.fetch_next_page()
    except RPCError as error:
        raise Unavailable("temporal-unavailable", "Temporal cannot be asked now") from error
    read = [(each.id, await _status(each, status)) for each in iterator.current_page or ()]
    following = _cursor(iterator.next_page_token) if iterator.next_page_token else None
    return Page(items={key: found for key, found in read if found is not None}, next=following)


async def last(client: Client, workflow_id: str, status: type[Status]) -> Status | None:
    """The status that a workflow which has ended had last; None for one that runs, or left none.

    A query would need a worker of the build that it ran on, and that may be switched off.
    """
    try:
        found = await client.get_workflow_handle(workflow_id).describe()
    except RPCError:
        return None
    return None if found.status == WorkflowExecutionStatus.RUNNING else await _status(found, status)


async def _status(execution: WorkflowExecution, status: type[Status]) -> Status | None:
    """The status in a memo; None where there is none yet, or none of this release."""
    memo = await execution.memo()
    try:
        found = status.model_validate(memo.get(MEMO))
    except pydantic.ValidationError:
        return None
    if stopped := memo.get(BUG):
        return found.model_copy(update={"phase": ERROR, "retry": Retry.model_validate(stopped)})
    return found


def _cursor(token: bytes) -> str:
    """Temporal's token with a checksum: it takes ten seconds to find that it cannot read one, and calls that an outage."""
    return base64.urlsafe_b64encode(zlib.crc32(token).to_bytes(4, "big") + token).decode()


def _token(cursor: str) -> bytes | None:
    if not cursor:
        return None
    try:
        content = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        content = b""
    if not content[4:] or content[:4] != zlib.crc32(content[4:]).to_bytes(4, "big"):
        raise Refused("cursor-invalid", "that is no cursor of this list")
    return content[4:]
