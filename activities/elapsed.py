"""The time since the first attempt of an activity.

Used where the same answer means an outage at first and a refusal later.
"""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio import activity


def elapsed() -> float:
    """Seconds since the running activity was scheduled first; infinite outside of an activity."""
    if not activity.in_activity():
        return float("inf")
    return (datetime.now(UTC) - activity.info().scheduled_time).total_seconds()
