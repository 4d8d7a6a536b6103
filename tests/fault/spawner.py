"""Workers that are ready in a tenth of a second: a process that has everything imported forks one for each line it reads.

Run as `python -m tests.fault.spawner LOG`; answers each line with the process id of a new worker. The worker itself is the
production one; only the second that its imports take is saved, because the kill cases need a new one a thousand times.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from nautes_sandbox.process import minimal_environment


class Spawner:
    """The client side: requests workers."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.spawner", str(log)],
            env={**minimal_environment(), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def new(self) -> int:
        """The process id of a new worker."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("one\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the spawner; its workers are ended by their ids."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)


def _serve(log: Path) -> None:
    import worker

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # dead workers need no burial
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            with log.open("ab") as output:
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
            os.close(0)
            worker.main([])
            os._exit(0)
        print(child, flush=True)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
