"""When a secret expires and when to renew it. Days as in GitLab: YYYY-MM-DD, expired from 00:00 UTC of that day.

Pure except for today's date; used by the activities for keys and tokens of repositories.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def ahead(days: int) -> str:
    """The day that is `days` from today."""
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def over(end: str) -> bool:
    """Whether a secret with this end has expired; "" never does."""
    return bool(end) and end <= ahead(0)


def due(end: str, days: int, renew_before: int) -> bool:
    """Whether to renew: the new one is valid for `days` (0: for ever), and is never due at once.

    A secret without an end is due when it should have one.
    """
    if not end:
        return days > 0
    return end <= ahead(min(renew_before, days - 1) if days else renew_before)
