"""A cache of parsed files: a push changes few of them, a check for drift none. Kept by the convergence activity.

The key is the content, so that a change of a repository invalidates nothing. All callers that read the same file share its
documents and must not change them.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from cachetools import LRUCache

from nautes.resources.documents import read

LIMIT = 16 << 20  # bytes of the files, some 15,000 objects; what is made of them takes several times as much


class ParsedFiles:
    """Safe for many threads; the longest unused is forgotten first."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._known: LRUCache[bytes, tuple[int, tuple[Any, ...]]] = LRUCache(limit, getsizeof=lambda each: each[0])
        self._lock = threading.Lock()

    def read(self, data: bytes) -> Iterator[Any]:
        """The documents of a YAML file, one by one. Raises Malformed."""
        key = hashlib.sha256(data).digest()
        with self._lock:
            found = self._known.get(key)
        if found:
            yield from found[1]
            return
        documents = []
        for each in read(data):
            documents.append(each)
            yield each
        with self._lock, suppress(ValueError):  # larger than all that is kept
            self._known[key] = len(data), tuple(documents)
