"""Which calls fail, how, and which have: shared by the proxies before GitLab, Vault and the clusters.

A call is known by system, method, path with everything that differs between runs taken out, and how often it was seen.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

Signature = tuple[str, str, str, int]  # system, method, path, occurrence

NUMBERS = re.compile(r"(?<=[/-])\d+(?=[/?-]|$)")
DIGESTS = re.compile(r"[0-9a-f]{12,64}")
TIMES = re.compile(r"\d{8}-\d{6}-[0-9a-f]+")


def normal(path: str) -> str:
    """A path without ids, digests and times."""
    return NUMBERS.sub("0", DIGESTS.sub("#", TIMES.sub("@", path)))


@dataclass
class Plan:
    """`mode` is "" (only count), before, after or kill; `wanted` are the calls that are to fail, each once.

    `gap` is how many calls pass between two that fail: what failed last can heal.
    """

    kill: Callable[[], None] = lambda: None
    mode: str = ""
    gap: int = 0
    wanted: set[Signature] = field(default_factory=set)
    seen: list[Signature] = field(default_factory=list)
    hit: set[Signature] = field(default_factory=set)
    flying: set[Signature] = field(default_factory=set)
    _count: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _since: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def begin(self, mode: str, wanted: set[Signature], gap: int) -> None:
        """Start a run: forget what was counted."""
        with self._lock:
            self.mode, self.wanted, self.gap = mode, set(wanted), gap
            self.seen, self.hit, self.flying = [], set(), set()
            self._count.clear()
            self._since = 0

    def enter(self, system: str, method: str, path: str) -> tuple[Signature, str]:
        """A call begins; answers who it is and how it is to fail ("" = not at all)."""
        key = (system, method, normal(path))
        with self._lock:
            self._count[key] += 1
            signature = (*key, self._count[key])
            self.seen.append(signature)
            self.flying.add(signature)
            self._since += 1
            if not self.mode or signature not in self.wanted - self.hit or self._since <= self.gap:
                return signature, ""
            self._since = 0
            self.hit.add(signature)
            if self.mode == "kill":
                self.hit |= self.flying & self.wanted  # their caller dies at this moment as well
                self.kill()
            return signature, self.mode

    def leave(self, signature: Signature) -> None:
        """A call has ended."""
        with self._lock:
            self.flying.discard(signature)
