"""Keeps the platform's calls below GitLab's own rate limits, and lets all of them wait when GitLab asks for it.

GitLab counts some endpoints per user and minute (`LIMITS`: its defaults since 18.0). The platform acts as one user, so a
sweep that used them up would stop everybody's changes. A call beyond our share fails at once with the time when it may be
repeated: Temporal repeats it then, and no worker slot waits. Used by nautes/clients/gitlab.py.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from nautes.messages.errors import Unavailable

LIMITED = "gitlab-rate-limited"
LIMITS: tuple[tuple[str, re.Pattern[str], int, float], ...] = (  # method, path, calls, in so many seconds
    ("GET", re.compile(r"/projects"), 2_000, 600.0),
    ("GET", re.compile(r"/projects/[^/]+"), 400, 60.0),
    ("GET", re.compile(r"/groups"), 200, 60.0),
    ("GET", re.compile(r"/groups/[^/]+"), 400, 60.0),
    ("GET", re.compile(r"/groups/[^/]+/projects"), 600, 60.0),
    ("GET", re.compile(r"/users/[^/]+"), 300, 600.0),
)
UNKNOWN = 0.5  # seconds to wait after a 429 that names no time; twice as long after each one that follows at once
UNKNOWN_LONGEST = 30.0
LONGEST = 3_600.0  # a longer wait than this is a limit per day: said, not slept through


class Pace:
    """Of one account at one GitLab, for many threads. `share` of the limits may be used; 0 sets none of our own."""

    def __init__(self, share: float = 0.9, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._clock = clock
        self._made: dict[int, deque[float]] = {}
        self._until = 0.0
        self._unnamed = 0  # answers 429 in a row that named no time
        self._lock = threading.Lock()

    def before(self, method: str, path: str) -> None:
        """Before a call is made. Raises Unavailable with the time after which it may be repeated."""
        with self._lock:
            now = self._clock()
            if self._until > now:
                raise limited(self._until - now, "GitLab asks to wait")
            for index, (verb, pattern, calls, seconds) in enumerate(LIMITS):
                if self._share and verb == method and pattern.fullmatch(path):
                    self._count(index, int(calls * self._share), seconds, now)

    def _count(self, index: int, calls: int, seconds: float, now: float) -> None:
        made = self._made.setdefault(index, deque())
        while made and made[0] <= now - seconds:
            made.popleft()
        if len(made) >= max(calls, 1):
            raise limited(made[0] + seconds - now, "the platform's calls are used up")
        made.append(now)

    def refused(self, seconds: float | None) -> float:
        """After an answer 429: nobody calls before its time. Answers with how long that is."""
        with self._lock:
            if seconds is None:
                wait = min(UNKNOWN * 2.0 ** min(self._unnamed, 10), UNKNOWN_LONGEST)
                self._unnamed += 1
            else:
                wait = seconds
            self._until = max(self._until, self._clock() + min(wait, LONGEST))
        return wait

    def answered(self) -> None:
        """After an answer that was none of that kind."""
        self._unnamed = 0


def limited(seconds: float, why: str) -> Unavailable:
    """The error of a call that is not made, or was refused, because of a limit."""
    when = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Unavailable(LIMITED, f"{why} until {when} (rate limit)", retry_after=max(seconds, 0.1))
