"""The API as the command line sees it: address, token, problems turned into errors with exit codes. Used by every command.

Address and token come from flags, then the environment, then the sandbox of the current directory. Nothing secret is printed.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

REFUSED, USAGE = 1, 2  # exit codes
SANDBOX = Path(".sandbox")
PATIENCE = 60.0  # seconds a command is sent again while the API says that it cannot now


class CommandError(Exception):
    """A command ends with `exit_code`; findings are shown one per line."""

    def __init__(self, message: str, exit_code: int = REFUSED, findings: list[dict[str, Any]] | None = None) -> None:
        self.exit_code = exit_code
        self.findings = findings or []
        super().__init__(message)


@dataclass(frozen=True)
class Api:
    """One server and one caller."""

    server: str
    token: str

    def get(self, path: str, patience: float = 0, **query: Any) -> Any:
        """GET; the decoded answer. `patience` is how many seconds longer than usual the server may take."""
        return self._send("GET", path, query, wait=patience)

    def post(self, path: str, content: bytes = b"", patience: float = 0, **query: Any) -> Any:
        """POST; a server that cannot now is asked again with the same idempotency key."""
        headers = {"Idempotency-Key": secrets.token_hex(16), "Content-Type": "application/yaml"}
        return self._send("POST", path, query, content, headers, patience)

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, Any],
        content: bytes = b"",
        headers: dict[str, str] | None = None,
        wait: float = 0,
    ) -> Any:
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = httpx.request(
                    method, self.server + path, params=query, content=content, headers=sent, timeout=30 + wait
                )
            except (httpx.InvalidURL, httpx.UnsupportedProtocol):
                raise CommandError(f"{self.server} is no http(s) address", USAGE) from None
            except httpx.TransportError as error:
                if _unknown_host(error) or time.monotonic() > deadline:
                    raise CommandError(f"{self.server} cannot be reached ({type(error).__name__})") from None
                time.sleep(0.5)
                continue
            if answer.status_code == 503 and time.monotonic() < deadline:
                time.sleep(_seconds(answer.headers.get("Retry-After", "")))
                continue
            return _decoded(answer)


def _decoded(answer: httpx.Response) -> Any:
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if answer.status_code < 300 and problem is not None:
        return problem
    if answer.status_code < 400 or not isinstance(problem, dict) or "status" not in problem:
        raise CommandError(f"{answer.url.copy_with(query=None)} answers {answer.status_code}, not as this API does")
    text = problem.get("detail") or problem.get("title") or f"HTTP {answer.status_code}"
    if problem.get("undone"):
        text += "; undone: " + ", ".join(problem["undone"])
    raise CommandError(text, findings=problem.get("findings"))


def _unknown_host(error: BaseException | None) -> bool:
    """Whether there is no such host: asking again does not help."""
    while error is not None and not isinstance(error, socket.gaierror):
        error = error.__cause__ or error.__context__
    return error is not None


def _seconds(wish: str) -> float:
    """How long the server asks us to wait, at most five seconds."""
    return min(5.0, float(wish)) if wish.isdecimal() else 1.0


def connect(server: str, token: str) -> Api:
    """The API named by flags, environment or the sandbox here. Raises `CommandError` when nothing names one."""
    server = server or os.environ.get("API_SERVER", "") or _sandbox_server()
    if not server:
        raise CommandError("no API server: use -s, API_SERVER, or start a sandbox here", USAGE)
    token = (token or os.environ.get("GIT_TOKEN", "") or _file_token()).strip()
    if not (token.isascii() and token.isprintable()):
        raise CommandError("the token holds characters that no token has", USAGE)
    if not token:
        raise CommandError("no token: use -t, GIT_TOKEN or NAUTES_TOKEN_FILE", USAGE)
    return Api(server.rstrip("/"), token)


def _sandbox_server() -> str:
    ports = SANDBOX / "ports.json"
    return f"http://127.0.0.1:{json.loads(ports.read_text())['api']}" if ports.exists() else ""


def _file_token() -> str:
    named = os.environ.get("NAUTES_TOKEN_FILE")
    path = Path(named) if named else SANDBOX / "secrets" / "gitlab-root"
    try:
        return path.read_text() if named or path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"the token file {path} cannot be read ({type(error).__name__})", USAGE) from None
