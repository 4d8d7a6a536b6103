"""How an activity says that what it looked for is not so yet: it returns at once and Temporal has it look again later.

Nothing waits in a worker: between two looks there is no slot taken, no thread and no event in history.
"""

from __future__ import annotations

from temporalio import activity

from nautes.messages.errors import NotYet

FIRST, LAST = 0.05, 10.0  # seconds until the next look; each time half as much again
GROWTH = 1.5
LONGEST = 40  # attempts after which the time does not grow any more


def not_yet(message: str, *, last: float = LAST) -> NotYet:
    """To be raised by an activity that found something still under way; `last` seconds is the longest time between looks."""
    attempt = activity.info().attempt if activity.in_activity() else 1
    return NotYet("not-yet", message, retry_after=min(last, FIRST * GROWTH ** min(attempt, LONGEST)))
