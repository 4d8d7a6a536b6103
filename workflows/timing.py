"""Timeouts and intervals of retries: given to the worker by worker.py, read by workflow code through `timing()`.

The worker's interceptor hands its own to every workflow that it runs. A replay does not compare times, so changing them breaks
no running workflow. It does compare where a run ends: `events_kept` must not change under running workflows; only tests do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from temporalio import workflow
from temporalio.worker import (
    ExecuteWorkflowInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)


@dataclass
class Timing:
    """Seconds. `heartbeat`: silence after which an activity's worker counts as dead; `retry_maximum`: longest back-off;
    `refused_retry`: until a refused claim (namespace taken, wrong kind of cluster) is retried.

    `failed_retry`: until objects that were refused or failed are applied again for the first time; it doubles each time.

    `events_kept`: events after which a long-lived workflow continues as new even if the server does not ask.
    """

    heartbeat: float = 10.0
    retry_maximum: float = 30.0
    refused_retry: float = 60.0
    failed_retry: float = 2.0
    events_kept: int = 4_000


_KEPT = "_timing"  # attribute of a running workflow


def timing() -> Timing:
    """What the worker that runs this workflow was given."""
    found: Timing = getattr(workflow.instance(), _KEPT, None) or Timing()  # a replay may come without our interceptor
    return found


class TimingInterceptor(Interceptor):
    """An interceptor for workers and replayers."""

    def __init__(self, given: Timing) -> None:
        self._given = given

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """Called for each workflow."""
        given = self._given

        class Timed(WorkflowInboundInterceptor):
            # Whichever comes first; a context variable would not reach the conditions that a workflow waits for.
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                setattr(workflow.instance(), _KEPT, given)
                return await super().execute_workflow(input)

            async def handle_signal(self, input: HandleSignalInput) -> None:
                setattr(workflow.instance(), _KEPT, given)
                await super().handle_signal(input)

            async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
                setattr(workflow.instance(), _KEPT, given)
                return await super().handle_update_handler(input)

        return Timed
