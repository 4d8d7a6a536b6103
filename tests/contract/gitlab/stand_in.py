"""The stand-in as a process of its own: started, killed, started again. Also used by tests/integration/activities."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from nautes_sandbox import gitlab
from nautes_sandbox.process import Supervisor, free_port
from tests.contract.gitlab.support import Api, unique


class StandIn:
    """A context manager: the process lives as long as the context. `platform` is the platform's own account."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self._supervisor = Supervisor(directory / "run")
        tokens = {}
        for role in ("root", "platform"):
            tokens[role] = directory / f"{role}.token"
            tokens[role].write_text(unique("glpat"))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._service = gitlab.service(
            data=self.data, port=port, root_token_file=tokens["root"], platform_token_file=tokens["platform"]
        )
        self.root = Api(self.url, tokens["root"].read_text())
        self.platform = Api(self.url, tokens["platform"].read_text())

    def __enter__(self) -> StandIn:
        self._supervisor.start(self._service)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._supervisor.stop(self._service.name, kill=True)  # nobody needs its data any more

    def crash(self) -> None:
        """kill -9, and start again with the same data."""
        self._supervisor.stop(self._service.name, kill=True)
        self._supervisor.start(self._service)
