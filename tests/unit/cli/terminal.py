"""`nautes` on a terminal: a process of its own behind a pseudo terminal, questions answered as they come."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
WITHIN = 30.0  # seconds a command may take
Reaction = tuple[str, str | Callable[[], None]]


def on_terminal(*arguments: str, answers: tuple[Reaction, ...] = ()) -> tuple[int, str]:
    """The exit code and everything shown; each answer is (what is waited for, what is typed or done then)."""
    mine, theirs = pty.openpty()
    command = [sys.executable, "-m", "nautes.cli.main", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "200"}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    try:
        shown = _converse(mine, list(answers))
        return process.wait(WITHIN), shown
    finally:
        process.kill()
        process.wait()
        os.close(mine)


def _converse(mine: int, answers: list[Reaction]) -> str:
    shown, seen, deadline = "", 0, time.monotonic() + WITHIN
    while True:
        ready, _, _ = select.select([mine], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing more within {WITHIN:.0f} s; shown so far: {shown}"
        try:
            got = os.read(mine, 4096)
        except OSError:  # the other side is closed
            got = b""
        if not got:
            assert not answers, f"ended without asking {answers[0][0]!r}: {shown}"
            return shown
        shown += got.decode(errors="replace")
        if answers and answers[0][0] in shown[seen:]:
            seen = len(shown)
            reaction = answers.pop(0)[1]
            if isinstance(reaction, str):
                os.write(mine, f"{reaction}\n".encode())
            else:
                reaction()
