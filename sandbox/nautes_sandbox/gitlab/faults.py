"""Faults of the stand-in on demand: the k-th call of an account fails, or every n-th, before or after it took effect. For tests.

Set by `POST /-/sandbox/faults`, outside GitLab's surface; one plan at a time, forgotten at a restart. Which calls fail, and how,
follows from their number alone. Two kinds of plan; all values may be texts:

    {"calls": {"call": 3, "status": 503, "times": 1}}    the third call from now on
    {"every": "10", "status": "429,502"}                 every tenth, the answers by turns; {"every": "0"} ends it

More keys: `user` (whose calls are counted and fail: "nautes" unless told otherwise, "*" everybody's), `only` (a regular
expression that method and path must match from the beginning, such as "POST /projects/[0-9]+/hooks"), `after` (fail once the call
took effect), `retry_after` (seconds; with `every` a 429 asks for 1 unless told otherwise).
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import Any

from nautes_sandbox.gitlab.parameters import truth
from nautes_sandbox.gitlab.problems import Problem
from nautes_sandbox.gitlab.store import Row

TEXTS = {
    400: "400 Bad Request",
    403: "403 Forbidden",
    429: "Retry later",
    500: "500 Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
BEFORE_RAILS = (429, 502)  # what stands before GitLab answers these, in plain text


@dataclass(frozen=True)
class Fault:
    """How one call fails: `after` it took effect or before."""

    problem: Problem
    after: bool


@dataclass(frozen=True)
class Plan:
    """Which calls of `user` fail: every `every`-th, or, where that is 0, `times` in a row from `call` (from 1) on."""

    statuses: tuple[int, ...]
    user: str
    only: re.Pattern[str]
    call: int
    times: int
    every: int
    retry_after: str
    after: bool

    @classmethod
    def of(cls, given: dict[str, Any]) -> Plan | None:
        """As it was sent; None for one without faults. Raises `Problem`."""
        try:
            call, times, every = (
                int(given.get(name, least)) for name, least in (("call", 1), ("times", 1), ("every", 0))
            )
            statuses = tuple(int(each) for each in str(given.get("status", 503)).split(","))
            only = re.compile(str(given.get("only", "")))
        except (ValueError, re.error):
            raise Problem(
                400, {"error": "call, times, every and status are whole numbers, only an expression"}
            ) from None
        if not set(statuses) <= set(TEXTS):
            raise Problem(400, {"error": f"status is one of {sorted(TEXTS)}"})
        if not given or ("every" in given and not every):
            return None
        return cls(
            statuses=statuses,
            user=str(given.get("user", "nautes")),
            only=only,
            call=call,
            times=times,
            every=every,
            retry_after=str(given.get("retry_after", "1" if every else "")),
            after=truth(given.get("after")),
        )

    def fault(self, seen: int) -> Fault | None:
        """How call number `seen` fails."""
        if self.every:
            if seen % self.every:
                return None
            status = self.statuses[(seen // self.every - 1) % len(self.statuses)]
        elif self.call <= seen < self.call + self.times:
            status = self.statuses[0]
        else:
            return None
        asks = self.retry_after and (status == 429 or not self.every)
        headers = {"retry-after": self.retry_after} if asks else {}
        if status in BEFORE_RAILS:
            text = {"content-type": "text/plain"}
            return Fault(Problem(status, f"{TEXTS[status]}\n".encode(), headers | text), self.after)
        return Fault(Problem(status, {"message": TEXTS[status]}, headers), self.after)


class Faults:
    """Calls are counted from when the plan was set."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plan: Plan | None = None
        self._seen = 0

    def set(self, plan: dict[str, Any]) -> Row:
        """A new plan; an empty one ends the faults. Returns how many calls the old one saw. Raises `Problem`."""
        new = Plan.of(plan)
        with self._lock:
            seen, self._seen, self._plan = self._seen, 0, new
        return {"seen": seen}

    def next(self, user: Row | None, call: str) -> Fault | None:
        """Count a call ("POST /groups"); how it fails, None when it does not."""
        with self._lock:
            plan = self._plan
            if plan is None or (plan.user != "*" and (user is None or user["username"] != plan.user)):
                return None
            if not plan.only.match(call):
                return None
            self._seen += 1
            return plan.fault(self._seen)
