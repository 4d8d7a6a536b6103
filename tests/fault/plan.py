"""Which calls fail, how, and which have: shared by the proxies before GitLab, Vault and the clusters.

A call is known by system, method, path with everything that differs between runs taken out, and how often it was seen.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Call = tuple[str, str, str]  # system, method, path
Signature = tuple[str, str, str, int]  # the same and its occurrence
Mode = str  # before: it never arrives; after: it takes effect, the answer is lost; kill: so it is, and the worker dies

NUMBERS = re.compile(r"(?<=[/-])\d+(?=[/?-]|$)")
DIGESTS = re.compile(r"[0-9a-f]{12,64}")
TIMES = re.compile(r"\d{8}-\d{6}-[0-9a-f]+")


def normal(path: str) -> str:
    """A path without ids, digests and times."""
    return NUMBERS.sub("0", DIGESTS.sub("#", TIMES.sub("@", path)))


@dataclass
class Plan:
    """What is to fail in this run, and what has. The same call never fails twice in a row, so that a retry succeeds."""

    kill: Callable[[], bool] = lambda: False
    wanted: dict[Signature, Mode] = field(default_factory=dict)
    seen: list[Signature] = field(default_factory=list)
    hit: set[Signature] = field(default_factory=set)
    _flying: set[Signature] = field(default_factory=set)
    _count: Counter[Call] = field(default_factory=Counter)
    _failed_last: set[Call] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def begin(self, wanted: Mapping[Signature, Mode]) -> None:
        """Start a run: forget what was counted."""
        with self._lock:
            self.wanted = dict(wanted)
            self.seen, self.hit = [], set()
            self._flying.clear()
            self._failed_last.clear()
            self._count.clear()

    def end(self) -> None:
        """Nothing fails any more; what was counted stays."""
        with self._lock:
            self.wanted = {}

    def enter(self, system: str, method: str, path: str) -> tuple[Signature, Mode]:
        """A call begins; answers who it is and how it is to fail ("" = not at all)."""
        call = (system, method, normal(path))
        with self._lock:
            self._count[call] += 1
            signature = (*call, self._count[call])
            self.seen.append(signature)
            self._flying.add(signature)
            mode = self.wanted.get(signature, "")
            if not mode or signature in self.hit or call in self._failed_last:
                self._failed_last.discard(call)
                return signature, ""
            if mode == "kill":
                if not self.kill():  # it is dead already: this is the call of somebody else
                    return signature, ""
                # Whatever else the worker had under way, it died in the middle of that.
                self.hit |= {each for each in self._flying if self.wanted.get(each) == "kill"}
            self._failed_last.add(call)
            self.hit.add(signature)
            return signature, mode

    def leave(self, signature: Signature) -> None:
        """A call has ended."""
        with self._lock:
            self._flying.discard(signature)
