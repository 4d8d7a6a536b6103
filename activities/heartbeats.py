"""Every activity heartbeats by itself while it runs, so that a worker's death is noticed in seconds, whatever it was doing.

The worker's second interceptor. Cancellation travels with the answers to heartbeats: this is also how it arrives early. How
long an attempt may take altogether is bounded by its start-to-close timeout.
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
    """To be given to the worker."""

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
        task = asyncio.create_task(self._beat(timeout.total_seconds() / SHARE))
        try:
            return await super().execute_activity(input)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _beat(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            # Not activity.heartbeat(): for an activity on a thread that waits for the very loop this runs on.
            self._last.heartbeat(*self._last.details)


class _Remembering(ActivityOutboundInterceptor):
    """What the activity itself said last is said again: progress stays visible."""

    details: tuple[Any, ...] = ()

    def heartbeat(self, *details: Any) -> None:
        self.details = details
        super().heartbeat(*details)
