"""Lets the log say which cluster an activity is about, which only its argument tells. An interceptor of every worker."""

from __future__ import annotations

from typing import Any

from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.bulkheads import cluster_of
from nautes.telemetry import logs


class ContextInterceptor(Interceptor):
    """An interceptor for the worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap every activity."""
        return _Telling(next)


class _Telling(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        # An activity has a task of its own, and the library logs its failure after us.
        logs.keep(cluster=cluster_of(input.args[0] if input.args else None))
        return await super().execute_activity(input)
