"""What a workflow does about a bug, which is neither a refusal nor an outage: the step stops and the workflow says `Error`.

It goes on when a person sends `retry`, and by itself once an hour. Until then it answers queries and takes messages as before:
what is newer wins over a step that has stopped as it does over any other wait. Used by workflows/effects.py.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from nautes.messages import search
    from nautes.messages.operations import BUG, ERROR, Retry
    from nautes.telemetry import catalogue
    from workflows import metrics

RETRY = "retry"  # signal
AGAIN_AFTER = timedelta(hours=1)
_STATE = "_stopped_steps"  # attribute of a running workflow


class _Stopped:
    """The steps of a workflow that have stopped, and how often somebody asked for them to be tried again."""

    def __init__(self) -> None:
        self.steps: dict[str, Retry] = {}
        self.asked = 0
        self.phase = ""

    def retry(self) -> None:
        self.asked += 1

    def ended(self, step: str) -> None:
        self.steps.pop(step, None)
        self.publish()

    def publish(self) -> None:
        workflow.upsert_memo({BUG: next(iter(self.steps.values())).model_dump() if self.steps else None})
        phase = ERROR if self.steps else self.phase
        if phase:
            workflow.upsert_search_attributes([search.PHASE.value_set(phase)])


async def stop(step: str, error: str, attempts: int) -> None:
    """Return when the step is to be tried again. Raises CancelledError when it is not."""
    stopped = _of_this_workflow()
    seen, end = stopped.asked, workflow.now() + AGAIN_AFTER
    metrics.count(catalogue.BUGS)
    workflow.logger.error("%s stopped: %s", step, error)
    if not stopped.steps:
        stopped.phase = workflow.info().typed_search_attributes.get(search.PHASE) or ""
    next_try = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    stopped.steps[step] = Retry(step=step, attempt=attempts + 1, error=error, next_try=next_try)
    stopped.publish()
    try:
        await workflow.wait_condition(lambda: stopped.asked > seen, timeout=AGAIN_AFTER)
    except TimeoutError:
        pass
    except asyncio.CancelledError:
        stopped.ended(step)
        raise
    stopped.ended(step)  # not in a `finally`: a workflow that is evicted must not write anything


def _of_this_workflow() -> _Stopped:
    instance = workflow.instance()
    found: _Stopped | None = getattr(instance, _STATE, None)
    if found is None:
        found = _Stopped()
        setattr(instance, _STATE, found)
        workflow.set_signal_handler(RETRY, found.retry)
    return found
