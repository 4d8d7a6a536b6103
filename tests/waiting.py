"""The one place where tests poll, for what other processes do without any event.

What is waited for is always a condition; the pause only leaves the processor to the processes that are waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

DEADLINE = 60.0  # seconds; a busy machine is slow
POLL_EVERY = 0.02


def until(look: Callable[[], Found | None], what: str, within: float = DEADLINE) -> Found:
    """The first true answer of `look`. Fails after `within` seconds and names what was waited for."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:.0f} s: {what}")
        time.sleep(
            POLL_EVERY
        )  # between two checks of other processes, which send no event: the condition ends the wait, not the time
