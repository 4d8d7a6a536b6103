"""The one place where tests look again and again, for what other processes do without telling anybody.

What is waited for is always a condition; the pause only leaves the processor to those who are to bring it about.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

DEADLINE = 60.0  # seconds; a busy machine is slow
POLL_EVERY = 0.02


def until(look: Callable[[], Found | None], what: str, within: float = DEADLINE) -> Found:
    """The first answer of `look` that is true. Fails after `within` seconds, saying what was waited for."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:.0f} s: {what}")
        time.sleep(
            POLL_EVERY
        )  # between looks at other processes, which tell nobody: the condition ends the wait, not the time
