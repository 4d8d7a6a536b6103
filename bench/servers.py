"""A development server of Temporal alone, for measurements that need nothing else. Used by the scripts beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nautes_sandbox import temporal
from nautes_sandbox.process import Supervisor, free_ports


@contextmanager
def temporal_server() -> Iterator[str]:
    """Its address; everything it held is forgotten afterwards."""
    with tempfile.TemporaryDirectory(prefix="nautes-bench-") as name:
        directory = Path(name)
        supervisor, (port, ui) = Supervisor(directory / "run"), free_ports(2)
        supervisor.start(temporal.service(directory / "temporal", port, ui))
        try:
            yield f"127.0.0.1:{port}"
        finally:
            supervisor.stop("temporal", kill=True)
