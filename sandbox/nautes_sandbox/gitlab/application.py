"""One stand-in as an ASGI application: authentication, dispatch to the api_* modules, git, and the sandbox's own routes.

Run by `python -m nautes_sandbox.gitlab serve`. What it does not implement answers 501.
"""

from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from nautes_sandbox.asgi import read_body
from nautes_sandbox.gitlab import (
    access,
    api_groups,
    api_hooks,
    api_keys,
    api_projects,
    api_protection,
    api_repository,
    api_statuses,
    api_tokens,
    api_users,
    tokens,
)
from nautes_sandbox.gitlab.audit import Audit
from nautes_sandbox.gitlab.faults import Faults
from nautes_sandbox.gitlab.http import PREFIX, Reply, Request
from nautes_sandbox.gitlab.instance import Instance
from nautes_sandbox.gitlab.parameters import parameters
from nautes_sandbox.gitlab.problems import Problem, unauthorized
from nautes_sandbox.gitlab.smart_http import SmartHttp

BODY_LIMIT = 32 << 20  # bytes of an API request
ROUTERS = (
    api_users.route,
    api_groups.route,
    api_projects.route,
    api_keys.route,
    api_tokens.route,
    api_protection.route,
    api_hooks.route,
    api_repository.route,
    api_statuses.route,
)
THREADS = 8


class Application:
    """Takes every request of one stand-in: the API's, git's, and the sandbox's own."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._faults = Faults()
        self._audit = Audit(instance.data / "requests.log")
        self._git = SmartHttp(instance, instance.data / "hooks")
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="api")

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        path = scope["raw_path"].decode().split("?")[0]
        if self._git.takes(path):
            await self._git.serve(scope, receive, send)
            return
        reply = await self._reply(scope, path, receive)
        await _send(send, scope["method"], reply)

    async def _reply(self, scope: dict[str, Any], path: str, receive: Any) -> Reply:
        headers = {key.decode().lower(): value.decode("latin-1") for key, value in scope["headers"]}
        try:
            body = await _read(receive)
            query = scope["query_string"].decode()
            work = asyncio.get_running_loop().run_in_executor(
                self._pool, self._handle, scope["method"], path, query, headers, body
            )
            return await work
        except Problem as problem:
            return Reply(problem.body, problem.status, problem.headers)
        except Exception:
            logging.exception("%s %s", scope["method"], path)
            return Reply({"message": "500 Internal Server Error"}, 500)

    def _handle(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Reply:
        pairs, sent = parameters(headers.get("content-type", ""), body, query)
        request = Request(self._instance, method, path, pairs, sent, headers=headers)
        if path.startswith("/-/sandbox/"):
            return self._sandbox(request)
        if not path.startswith(PREFIX):
            return Reply({"error": "404 Not Found"}, 404)
        self._instance.count("reads" if method in ("GET", "HEAD") else "writes")
        below = path[len(PREFIX) :]
        self._identify(request, below)
        fault = self._faults.next(request.user, f"{method} {below}")
        if fault and not fault.after:
            raise fault.problem
        try:
            return self._noted(request, below)
        finally:
            if fault:
                raise fault.problem

    def _noted(self, request: Request, below: str) -> Reply:
        """Carry out a request and note how it ended, whatever a fault makes of the answer."""
        try:
            reply = self._dispatch(request, below)
        except Problem as problem:
            self._audit.note(request, problem.status, None)
            raise
        self._audit.note(request, reply.status, reply.body)
        return reply

    def _dispatch(self, request: Request, below: str) -> Reply:
        method = request.method
        for router in ROUTERS:
            found = router.find(method, below)
            if found:
                handler, values = found
                if request.user is None and method not in ("GET", "HEAD"):
                    raise unauthorized()
                result = handler(request, **values)
                return result if isinstance(result, Reply) else Reply(result)
        return Reply({"message": f"not implemented by the stand-in: {method} {request.path}"}, 501)

    def _identify(self, request: Request, path: str) -> None:
        headers = request.headers
        text = headers.get("private-token") or request.query.get("private_token") or ""
        authorization = headers.get("authorization", "")
        if not text and authorization.lower().startswith("bearer "):
            text = authorization[7:].strip()
        if not text:
            return
        found = tokens.authenticate(self._instance.store, text, api=True)
        if found is None:
            raise unauthorized()
        request.user, request.token = found
        tokens.require_scope(request.token, request.method, path)

    def _sandbox(self, request: Request) -> Reply:
        """Switches and counters of the sandbox, outside GitLab's surface."""
        self._identify(request, request.path)
        access.admin(request)
        if request.path.endswith("/faults") and request.method == "POST":
            return self._set_faults(request.body)
        if request.path.endswith("/calls"):
            return Reply({kind: self._instance.calls[kind] for kind in ("reads", "writes", "git reads", "git writes")})
        return Reply({"error": "404 Not Found"}, 404)

    def _set_faults(self, wanted: dict[str, Any]) -> Reply:
        if "calls" in wanted or "every" in wanted:
            return Reply(self._faults.set(dict(wanted.get("calls", wanted))))
        mode = wanted.get("webhooks", "deliver")
        if mode not in ("deliver", "pause", "drop"):
            raise Problem(400, {"error": "webhooks is deliver, pause or drop"})
        self._instance.webhooks.set_mode(mode)
        return Reply({"webhooks": mode})


async def _read(receive: Any) -> bytes:
    body = await read_body(receive, BODY_LIMIT)
    if body is None:
        raise Problem(413, {"message": "413 Request Entity Too Large"})
    return body


async def _send(send: Any, method: str, reply: Reply) -> None:
    raw = isinstance(reply.body, bytes)
    body = reply.body if raw else b"" if reply.status == 204 else json.dumps(reply.body).encode()
    headers = {"content-type": "application/octet-stream" if raw else "application/json"} | reply.headers
    headers["content-length"] = str(len(body))
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
