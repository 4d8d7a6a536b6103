"""The pending effect of a workflow, or the one that a bug has stopped: attempt, last error and next retry, from Temporal."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.service import RPCError

from nautes.clients.temporal import message_of
from nautes.messages.operations import BUG, Retry

FIRST_FAILURE = 2  # the attempt from which an effect counts as retried


async def pending(client: Client, workflow_id: str) -> Retry | None:
    """The effect that is being retried, None when none is."""
    try:
        description = await client.get_workflow_handle(workflow_id).describe()
    except RPCError:
        return None
    if stopped := (await description.memo()).get(BUG):
        return Retry.model_validate(stopped)
    for each in description.raw_description.pending_activities:
        if each.attempt >= FIRST_FAILURE and each.HasField("last_failure"):
            return Retry(
                step=each.activity_type.name,
                attempt=each.attempt,
                error=(await message_of(each.last_failure, client.data_converter))[:500],
                next_try=each.scheduled_time.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ"),
            )
    return None
