"""The client of the API: requests, pages, event streams; problems become errors with exit codes.

Used by every command; nautes/cli/target.py finds address and token. Nothing secret is printed.
"""

from __future__ import annotations

import functools
import json
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2  # slow to import: only requests need it

REFUSED, USAGE = 1, 2  # exit codes
TIMEOUT = 60.0  # seconds for which a command is retried while the API is unavailable
SILENCE = 40.0  # seconds without data after which a stream of events is given up; the API sends a keep-alive every 15 s
PAGE = 500  # items of one page, the API's maximum
GONE = 410
NOT_FOUND = 404


class CommandError(Exception):
    """A command ends with `exit_code`; findings are shown one per line. `status` is that of the API's answer, 0 without one."""

    def __init__(
        self,
        message: str,
        exit_code: int = REFUSED,
        findings: list[dict[str, Any]] | None = None,
        *,
        status: int = 0,
        code: str = "",
    ) -> None:
        self.exit_code = exit_code
        self.findings = findings or []
        self.status = status
        self.code = code
        super().__init__(message)


@dataclass(frozen=True)
class Api:
    """One server and one caller."""

    server: str
    token: str
    timeout: float | None = (
        None  # seconds for which a request is retried while the server cannot be reached; None: TIMEOUT
    )

    @functools.cached_property
    def _client(self) -> httpx2.Client:
        import httpx2

        return httpx2.Client()

    def get(self, path: str, timeout: float = 0, **query: Any) -> Any:
        """GET; the decoded answer. `timeout` is how many seconds longer than usual the server may take."""
        return self._send("GET", path, query, wait=timeout)

    def post(self, path: str, content: bytes = b"", timeout: float = 0, **query: Any) -> Any:
        """POST; retried with the same idempotency key while the server is unavailable."""
        headers = {"Idempotency-Key": secrets.token_hex(16), "Content-Type": "application/yaml"}
        return self._send("POST", path, query, content, headers, timeout)

    def delete(self, path: str, timeout: float = 0, **query: Any) -> Any:
        """DELETE, as `post`."""
        return self._send("DELETE", path, query, headers={"Idempotency-Key": secrets.token_hex(16)}, wait=timeout)

    def items(self, path: str, limit: int = 0, **query: Any) -> list[dict[str, Any]]:
        """Every item of a list (at most `limit` when given), page by page; begun anew when its cursor has expired."""
        for _ in range(3):
            try:
                return self._pages(path, limit, query)
            except CommandError as error:
                if error.status != GONE:
                    raise
        raise CommandError(f"{path} changes faster than it can be read")

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """Server-sent events as (name, data), ("", None) for a keep-alive; ends when the stream ends or breaks."""
        import httpx2

        headers = {**self._headers(), "Accept": "text/event-stream"}
        timeout = httpx2.Timeout(30, read=SILENCE)
        try:
            with self._client.stream("GET", self.server + path, headers=headers, timeout=timeout) as answer:
                if answer.headers.get("content-type", "").split(";")[0] != "text/event-stream":
                    answer.read()
                    _decoded(answer)
                    raise CommandError(f"{self.server} has no stream of events", status=NOT_FOUND)
                yield from _events(answer.iter_lines())
        except httpx2.TransportError:
            return

    def _pages(self, path: str, limit: int, query: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            size = min(PAGE, limit - len(found)) if limit else PAGE
            answer = self.get(path, limit=size, cursor=cursor, **query)
            found += answer["items"]
            cursor = answer.get("next")
            if not cursor or (limit and len(found) >= limit):
                return found[: limit or None]

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, Any],
        content: bytes = b"",
        headers: dict[str, str] | None = None,
        wait: float = 0,
    ) -> Any:
        import httpx2

        sent = {**self._headers(), **(headers or {})}
        params = {name: value for name, value in query.items() if value is not None}
        deadline = time.monotonic() + (TIMEOUT if self.timeout is None else self.timeout)
        while True:
            try:
                answer = self._client.request(
                    method, self.server + path, params=params, content=content, headers=sent, timeout=30 + wait
                )
            except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
                raise CommandError(f"{self.server} is no http(s) address", USAGE) from None
            except httpx2.TransportError as error:
                if _unknown_host(error) or time.monotonic() > deadline:
                    raise CommandError(f"{self.server} cannot be reached ({type(error).__name__})") from None
                time.sleep(0.5)
                continue
            if answer.status_code == 503 and time.monotonic() < deadline:
                time.sleep(_seconds(answer.headers.get("Retry-After", "")))
                continue
            return _decoded(answer)


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """Parses the lines of a stream into events, as the HTML standard defines them."""
    name, data = "", ""
    for line in lines:
        if line.startswith(":"):
            yield "", None
        elif line.startswith("event:"):
            name = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            data += line.removeprefix("data:").removeprefix(" ") + "\n"
        elif not line:
            if data:
                yield name or "message", json.loads(data)
            name, data = "", ""


def _decoded(answer: httpx2.Response) -> Any:
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if answer.status_code < 300 and problem is not None:
        return problem
    if answer.status_code < 400 or not isinstance(problem, dict) or "status" not in problem:
        text = f"{answer.url.copy_with(query=None)} answers {answer.status_code} in another form than this API"
        raise CommandError(text, status=answer.status_code)
    text = problem.get("detail") or problem.get("title") or f"HTTP {answer.status_code}"
    if problem.get("undone"):
        text += "; undone: " + ", ".join(problem["undone"])
    raise CommandError(
        text, findings=problem.get("findings"), status=answer.status_code, code=str(problem.get("code", ""))
    )


def _unknown_host(error: BaseException | None) -> bool:
    """Whether the host does not exist: a retry does not help."""
    while error is not None and not isinstance(error, socket.gaierror):
        error = error.__cause__ or error.__context__
    return error is not None


def _seconds(wish: str) -> float:
    """Seconds that the server asks us to wait, at most five."""
    return min(5.0, float(wish)) if wish.isdecimal() else 1.0
