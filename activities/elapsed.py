"""How long an activity has been tried, all attempts together.

Used where one and the same answer means an outage at first and a refusal later.
"""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio import activity


def elapsed() -> float:
    """Seconds since the running activity was scheduled first; for ever outside of one."""
    if not activity.in_activity():
        return float("inf")
    return (datetime.now(UTC) - activity.info().scheduled_time).total_seconds()
