"""When a secret ends and when it is time for the next one. Days as GitLab has them: YYYY-MM-DD, ended at their 00:00 UTC.

Pure but for today's date; used by the keys and tokens of repositories.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def ahead(days: int) -> str:
    """The day so many days from today."""
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def over(end: str) -> bool:
    """Whether what ends that day has ended; "" never ends."""
    return bool(end) and end <= ahead(0)


def due(end: str, days: int, renew_before: int) -> bool:
    """Whether it is time for a new one: that one lives `days` (0: for ever), and is never due at once.

    What has no end is due when it should have one.
    """
    if not end:
        return days > 0
    return end <= ahead(min(renew_before, days - 1) if days else renew_before)
