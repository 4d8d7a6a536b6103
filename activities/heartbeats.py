"""Sends heartbeats while any activity runs, so that the death of a worker is noticed within seconds.

The worker's second interceptor. Cancellation arrives with the answers to heartbeats, therefore early. The
start-to-close timeout bounds how long an attempt may take altogether.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from temporalio import activity
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

SHARE = 4  # heartbeats within one heartbeat timeout


class HeartbeatInterceptor(Interceptor):
    """An interceptor for the worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap every activity."""
        return _Heartbeating(next)


class _Heartbeating(ActivityInboundInterceptor):
    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._last = _Remembering(outbound)
        super().init(self._last)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        timeout = activity.info().heartbeat_timeout
        if not timeout:
            return await super().execute_activity(input)
        task = asyncio.create_task(self._heartbeats(timeout.total_seconds() / SHARE))
        try:
            return await super().execute_activity(input)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _heartbeats(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            # Not activity.heartbeat(): for an activity on a thread it waits for this event loop.
            self._last.heartbeat(*self._last.details)


class _Remembering(ActivityOutboundInterceptor):
    """Keeps the details of the activity's own last heartbeat, to repeat them: progress stays visible."""

    details: tuple[Any, ...] = ()

    def heartbeat(self, *details: Any) -> None:
        self.details = details
        super().heartbeat(*details)
