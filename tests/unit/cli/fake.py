"""A fake API with prepared answers, which records requests. Runs on a port of this machine, in this process."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "glpat-not-to-be-printed"
OPERATION = "change/shop/20261124-1-u7"


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Nautes = Callable[..., Ended]  # the fixture `nautes`


@dataclass(frozen=True)
class Asked:
    """One request; `path` as it came, percent signs and all."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Reply:
    """A status and JSON, or the lines of an event stream, or any text."""

    status: int = 200
    json: Any = None
    events: tuple[str, ...] = ()
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)


Answer = Reply | Callable[[Asked], Reply]


class FakeApi:
    """Routes are (method, path); what is not there is a 404 as the real API's."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._routes: dict[tuple[str, str], list[Answer]] = {}
        self.url = ""

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Answer a route; several answers are given in turn, the last one from then on."""
        self._routes[(method, path)] = list(answers)

    def last(self, method: str) -> Asked:
        """The last request of a method."""
        return next(each for each in reversed(self.asked) if each.method == method)

    def answer(self, asked: Asked) -> Reply:
        """What this request gets."""
        self.asked.append(asked)
        answers = self._routes.get((asked.method, asked.path))
        if not answers:
            return problem(404, "route-unknown", f"there is no {asked.path}")
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return found if isinstance(found, Reply) else found(asked)

    @contextlib.contextmanager
    def running(self) -> Iterator[FakeApi]:
        """Serve while the context lasts."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def problem(status: int, code: str, detail: str, findings: list[dict[str, Any]] | None = None) -> Reply:
    """A problem as the real API answers it."""
    body = {"type": "about:blank", "title": "Refused", "status": status, "code": code, "detail": detail}
    return Reply(status, {**body, "findings": findings or [], "undone": [], "operation": ""})


def finding(rule: str, message: str, **more: Any) -> dict[str, Any]:
    """A finding with every field the API gives it."""
    empty = {"pointer": "", "hint": "", "resource": "", "line": None, "column": None}
    return {"rule": rule, "message": message, **empty, **more}


def operation(state: str = "done", *outcomes: str, **more: Any) -> dict[str, Any]:
    """An operation; outcomes as "Project/web created"."""
    pairs = [each.split(" ") for each in outcomes]
    empty: dict[str, Any] = {"commit": "", "findings": [], "already": [], "warnings": [], "effects": [], "undone": []}
    empty |= {"plan": "", "deletions": 0, "confirm": "", "message": ""}
    told = [{"resource": key, "action": action, "detail": ""} for key, action in pairs]
    return {"operation": OPERATION, "state": state, "outcomes": told, **empty, **more}


def operations(*found: dict[str, Any]) -> Reply:
    """The answer to a command."""
    running = any(each["state"] == "running" for each in found)
    return Reply(202 if running else 200, {"message": "", "operations": list(found)})


def event(name: str, data: Any) -> str:
    """One server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            asked = Asked(self.command, parts.path, parse_qs(parts.query), dict(self.headers), body)
            reply = api.answer(asked)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            content = reply.text if reply.json is None else json.dumps(reply.json)
            if reply.events:
                self.send_header("Content-Type", "text/event-stream")
                content = "".join(reply.events)
            self.send_header("Content-Length", str(len(content.encode())))
            self.end_headers()
            self.wfile.write(content.encode())

        do_GET = do_POST = do_DELETE = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
