"""How an operation ends in Temporal's own eyes: what was refused has Failed, what was cancelled is Canceled.

Either way its report can be read: from the failure, or from the memo. Used by the finite workflows and by those that start them.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError, ChildWorkflowError

with workflow.unsafe.imports_passed_through():
    from activities.control import ControlActivities
    from nautes.messages.operations import REFUSED, REPORT, SUCCEEDED, OperationResult
    from workflows import effects
    from workflows.effects import perform

Report = TypeVar("Report", bound=OperationResult)


def ended(report: Report) -> Report:
    """Return a report of success. Raises what makes Temporal call the workflow Failed or Canceled."""
    if report.state in SUCCEEDED:
        return report
    content = report.model_dump(mode="json")
    if report.state == "refused":
        raise ApplicationError(report.message, content, type=REFUSED, non_retryable=True)
    workflow.upsert_memo({REPORT: content})
    raise asyncio.CancelledError


async def report_of(error: ChildWorkflowError, kind: type[Report]) -> Report | None:
    """The report of an operation that did not succeed; None where a bug ended it without one."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == REFUSED and cause.details:
        return kind.model_validate(cause.details[0])
    if effects.cancelled(error):
        found = await perform(ControlActivities.report, error.workflow_id, "Report of the cancelled operation")
        return kind.model_validate(found) if found else None
    return None
