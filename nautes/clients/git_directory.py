"""The directory of the repository cache: locks for writers and readers, and removal of what is over the limit.

Called by git.py. Locks are files, so they hold among the threads of a process and among processes. What is being read
is never removed; everything else may go at any time.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PACKS = 64  # of a repository: each fetch adds one, and each slows the following fetches and reads down
CLEANED = "cleaned"  # touched when the directory was last cleaned
PAUSE = 3600.0  # seconds from one cleaning to the next


class GitDirectory:
    """Bare repositories as `<name>.git` below `root`, `limit` bytes in all."""

    def __init__(self, root: Path, limit: int) -> None:
        self._root = root
        self._limit = limit

    def path(self, name: str) -> Path:
        """Where the repository of that name is, or would be."""
        return self._root / f"{name}.git"

    @contextmanager
    def writing(self, path: Path) -> Iterator[None]:
        """One writer per repository."""
        with self._lock(path, "lock", fcntl.LOCK_EX):
            yield

    @contextmanager
    def reading(self, path: Path) -> Iterator[None]:
        """Several readers; what they read is not removed."""
        with self._lock(path, "use", fcntl.LOCK_SH):
            yield

    def crowded(self, path: Path) -> bool:
        """Whether a repository holds so many packs that it should be begun anew, with its newest commit only."""
        return sum(1 for _ in path.glob("objects/pack/*.pack")) >= PACKS

    def remove(self, path: Path) -> bool:
        """Called by its writer. False: it is being read."""
        try:
            with self._lock(path, "use", fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            return False
        return True

    def clean_in_time(self) -> None:
        """Called after a fetch: `clean`, once an hour among all processes."""
        mark = self._root / CLEANED
        with suppress(FileNotFoundError):
            if time.time() - mark.stat().st_mtime < PAUSE:
                return
        mark.touch()
        self.clean()

    def clean(self) -> int:
        """Remove repositories, the longest unused first, until the rest fits into the limit; return how many were removed.

        One that is being fetched or read stays: this method does not wait.
        """
        found = sorted((_used(each), _size(each), each) for each in self._root.glob("*.git"))
        total, removed = sum(size for _, size, _ in found), 0
        for _, size, path in found:
            if total <= self._limit:
                break
            with suppress(BlockingIOError), self._lock(path, "lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
                if self.remove(path):
                    total, removed = total - size, removed + 1
        return removed

    @contextmanager
    def _lock(self, path: Path, suffix: str, how: int) -> Iterator[None]:
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.with_suffix(f".{suffix}").open("w") as file:
            fcntl.flock(file, how)
            yield


def _used(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def _size(path: Path) -> int:
    """Bytes of what is still there: a fetch or another cleaning may be at work."""
    total = 0
    for directory, _, files in os.walk(path):
        for name in files:
            with suppress(FileNotFoundError):
                total += (Path(directory) / name).stat().st_size
    return total
