"""Progress of a command: on a terminal a spinner with the running step after a second, in a pipe plain lines."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from nautes.cli import show

if TYPE_CHECKING:
    from rich.progress import Progress

QUIET = 1.0  # seconds within which nothing is shown


class Busy:
    """A context manager: `step` shows the running step."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._shown = ""
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._progress: Progress | None = None

    def __enter__(self) -> Busy:
        if sys.stderr.isatty():
            self._timer = threading.Timer(QUIET, self._spin)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer.join()
        if self._progress is not None:
            self._progress.stop()

    def step(self, step: str) -> None:
        """Show the running step; once per step in a pipe."""
        with self._lock:
            if step == self._shown:
                return
            self._shown = step
            if self._timer is None:
                show.err.print(show.plain(step), markup=False)
            elif self._progress is not None:
                self._progress.update(self._progress.task_ids[0], description=show.escape(step))

    def _spin(self) -> None:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # most commands never wait

        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with self._lock:
            self._progress = Progress(*columns, console=show.err, transient=True)
            self._progress.add_task(show.escape(self._shown or self._what), total=None)
            self._progress.start()
