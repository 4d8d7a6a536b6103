"""Faults of the stand-in on demand: the k-th call of an account fails, before or after it took effect. For tests.

Set by `POST /-/sandbox/faults`, outside GitLab's surface; one plan at a time, forgotten at a restart.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from sandbox.gitlab.http import Problem, Row

TEXTS = {429: "Retry later", 500: "500 Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}


@dataclass(frozen=True)
class Fault:
    """How one call fails: `after` it took effect or before."""

    problem: Problem
    after: bool


class Faults:
    """Calls of `user` are counted from when the plan was set; call `call` (from 1) fails, `times` calls in a row."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plan: dict[str, Any] = {}
        self._seen = 0

    def set(self, plan: dict[str, Any]) -> Row:
        """A new plan; an empty one ends the faults. Returns how many calls the old one saw. Raises `Problem`."""
        status = plan.get("status", 503)
        if plan and status not in TEXTS:
            raise Problem(400, {"error": f"status is one of {sorted(TEXTS)}"})
        with self._lock:
            seen, self._seen, self._plan = self._seen, 0, dict(plan)
        return {"seen": seen}

    def next(self, user: Row | None) -> Fault | None:
        """Count a call; how it fails, None when it does not."""
        with self._lock:
            plan = self._plan
            if not plan or user is None or user["username"] != plan.get("user", "nautes"):
                return None
            self._seen += 1
            first = int(plan.get("call", 1))
            if not first <= self._seen < first + int(plan.get("times", 1)):
                return None
        status = int(plan.get("status", 503))
        headers = {"Retry-After": str(plan["retry_after"])} if "retry_after" in plan else {}
        return Fault(Problem(status, {"message": TEXTS[status]}, headers), bool(plan.get("after")))
