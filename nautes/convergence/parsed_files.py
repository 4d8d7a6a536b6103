"""Files that were parsed before: a push changes few of them, a look for drift none. Kept by the convergence activity.

Known by content, so that nothing has to be forgotten when a repository changes. Whoever gets documents shares them with
everybody else who gets the same file: they are read, never written to.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from nautes.resources.documents import read

LIMIT = 16 << 20  # bytes of the files, some 15,000 objects; what is made of them takes several times as much


class ParsedFiles:
    """Safe for many threads; the longest unused is forgotten first."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._size = 0
        self._known: OrderedDict[bytes, tuple[int, tuple[Any, ...]]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, data: bytes) -> Iterator[Any]:
        """The documents of a YAML file, one by one. Raises Malformed."""
        key = hashlib.sha256(data).digest()
        with self._lock:
            found = self._known.get(key)
            if found:
                self._known.move_to_end(key)
        if found:
            yield from found[1]
            return
        documents = []
        for each in read(data):
            documents.append(each)
            yield each
        self._keep(key, len(data), tuple(documents))

    def _keep(self, key: bytes, size: int, documents: tuple[Any, ...]) -> None:
        with self._lock:
            if key not in self._known:
                self._known[key] = size, documents
                self._size += size
            while self._size > self._limit:
                self._size -= self._known.popitem(last=False)[1][0]
