"""Objects that the server stores in another form than declared. Kept per cluster by its client.

Without it an object that never compares equal would be applied at every convergence. After a loss it is applied once more.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from cachetools import LRUCache

from nautes.convergence.objects import Object, metadata
from nautes.convergence.plan import digest, live_digest

ENTRIES = 20_000


class Memory:
    """Safe for many threads; the longest unused is forgotten first."""

    def __init__(self, entries: int = ENTRIES) -> None:
        self._known: LRUCache[str, tuple[str, str]] = LRUCache(entries)
        self._lock = threading.Lock()

    def remember(self, desired: Object, live: Mapping[str, Any]) -> None:
        """`live` is what applying `desired` left."""
        uid = str(metadata(live).get("uid"))
        entry = (digest(desired), live_digest(live))
        with self._lock:
            self._known[uid] = entry

    def knows(self, desired: Object, live: Mapping[str, Any]) -> bool:
        """Whether `live` still is what applying this very `desired` left."""
        uid = str(metadata(live).get("uid"))
        with self._lock:
            entry = self._known.get(uid)
        return entry is not None and entry == (digest(desired), live_digest(live))
