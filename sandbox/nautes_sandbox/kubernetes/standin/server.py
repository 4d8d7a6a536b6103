"""The stand-in as one ASGI application: authentication, routing, answers. Run by `python -m nautes_sandbox.kubernetes.standin`.

Everything happens on one thread: a request is carried out between two awaits, so that none sees half of another.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from nautes_sandbox.asgi import read_body
from nautes_sandbox.kubernetes.standin import discovery, openapi, reviews
from nautes_sandbox.kubernetes.standin.accounts import Accounts
from nautes_sandbox.kubernetes.standin.audit import Audit
from nautes_sandbox.kubernetes.standin.controllers import Controllers
from nautes_sandbox.kubernetes.standin.deletion import Deleted, Deleter
from nautes_sandbox.kubernetes.standin.kinds import ACCOUNTS, Kinds
from nautes_sandbox.kubernetes.standin.problems import (
    ApiError,
    bad_request,
    method_not_allowed,
    not_implemented,
    unauthorized,
)
from nautes_sandbox.kubernetes.standin.reading import Reader, Watch, listed
from nautes_sandbox.kubernetes.standin.requests import Request, Target, User, split, target
from nautes_sandbox.kubernetes.standin.store import Event, Store
from nautes_sandbox.kubernetes.standin.tokens import Tokens
from nautes_sandbox.kubernetes.standin.writing import Writer, Written, subresource

Object = dict[str, Any]
BODY_LIMIT = 3 << 20  # bytes, the real server's
PUBLIC = ("healthz", "livez", "readyz", "version")
NOT_PLAYED = ("openapi", "openid", ".well-known", "metrics", "logs", "swagger.json")
HEADER = (b"x-sandbox-stand-in", b"rbac-not-played")
BOOKMARK_EVERY = 5.0  # seconds


class Server:
    """One cluster; `directory` holds certificates, keys and state."""

    def __init__(self, directory: Path, issuer: str) -> None:
        self._store = Store(directory / "state" / "objects.db")
        self._kinds = Kinds()
        self._tokens = Tokens(self._store, directory, issuer)
        self._reader = Reader(self._store)
        self._writer = Writer(self._store, self._kinds)
        self._deleter = Deleter(self._store)
        accounts = Accounts(self._store, self._kinds, self._writer, self._deleter, self._tokens, directory / "ca.crt")
        self._controllers = Controllers(self._store, self._kinds, self._deleter, accounts)
        self._controllers.begin()
        self._audit = Audit(directory / "audit.log")
        self._streams: set[asyncio.Task[Any]] = set()

    def stop(self) -> None:
        """End all watches, so that the process can end."""
        for task in list(self._streams):
            task.cancel()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        path = scope["raw_path"].decode().split("?")[0]
        try:
            answer = self._noted(Request(scope["method"], path, query, headers, await _read(receive)))
        except ApiError as error:
            answer = error.code, error.body
        except Exception:
            logging.exception("%s %s", scope["method"], path)
            answer = 500, ApiError(500, "InternalError", "Internal error occurred: see the log").body
        if isinstance(answer, Watch):
            await self._stream(answer, receive, send)
        else:
            await _send(send, *answer, warning=query.get("fieldValidation") in ("Strict", "Warn"))

    def _noted(self, request: Request) -> tuple[int, Object | bytes | str] | Watch:
        """The answer to a request, which is noted whether or not it was refused."""
        status = 500
        try:
            answer = self._answer(request)
            status = 200 if isinstance(answer, Watch) else answer[0]
        except ApiError as error:
            status = error.code
            raise
        finally:
            self._audit.note(request, status)
        return answer

    def _answer(self, request: Request) -> tuple[int, Object | bytes | str] | Watch:
        parts = split(request.path)
        public = parts[0] in PUBLIC
        user = self._tokens.authenticate(request.headers.get("authorization", ""))
        if user is None and not (public and "authorization" not in request.headers):
            raise unauthorized()
        if public:
            return 200, discovery.VERSION if parts[0] == "version" else "ok"
        if parts[:2] == ["openapi", "v3"]:
            described = openapi.document(self._kinds, parts)
            return (200, described) if described else (404, "404 page not found\n")
        if parts[0] in NOT_PLAYED:
            raise not_implemented(f"/{parts[0]}")
        assert user is not None  # noqa: S101 - refused above
        user = _impersonated(request, user)
        if parts[0] not in ("api", "apis"):
            return 404, "404 page not found\n"
        if len(parts) < 3 or (parts[0] == "apis" and len(parts) == 3):
            found = discovery.document(self._kinds, parts) if request.method == "GET" else None
            return (200, found) if found else (404, "404 page not found\n")
        kind = reviews.named(parts)
        if kind:
            if request.method != "POST":
                raise method_not_allowed()
            return 201, reviews.review(kind, request, user, self._tokens)
        try:
            about = target(self._kinds, parts)
        except LookupError:
            return 404, "404 page not found\n"
        return self._resource(about, request)

    def _resource(self, about: Target, request: Request) -> tuple[int, Object | bytes | str] | Watch:
        if about.kind.resource == ACCOUNTS and about.subresource == "token":
            if request.method != "POST":
                raise method_not_allowed()
            return 201, reviews.token(about, request, self._store, self._tokens)
        subresource(about)
        match request.method, bool(about.name):
            case "GET", _ if request.flag("watch"):
                return self._reader.watch(about, request)
            case "GET", True:
                return 200, self._reader.get(about)
            case "GET", False:
                return 200, self._reader.page(about, request)
            case "POST", False:
                return self._written(about, self._writer.create(about, request))
            case "PUT", True:
                return self._written(about, self._writer.update(about, request))
            case "PATCH", True:
                return self._written(about, self._writer.patch(about, request))
            case "DELETE", True if not about.subresource:
                return 200, self._deleted(about, self._deleter.delete(about, request))
            case "DELETE", False:
                return 200, self._collection(about, request)
        raise method_not_allowed()

    def _written(self, about: Target, done: Written) -> tuple[int, Object]:
        item = self._writer.presented(about, done.object)
        return 201 if done.created else 200, {"kind": about.kind.kind, "apiVersion": about.api_version, **item}

    def _deleted(self, about: Target, done: Deleted) -> Object:
        if not done.gone:
            item = self._writer.presented(about, done.object)
            return {"kind": about.kind.kind, "apiVersion": about.api_version, **item}
        details = {"name": about.name, "group": about.kind.group, "kind": about.kind.plural}
        details["uid"] = done.object["metadata"]["uid"]
        told = {key: value for key, value in details.items() if value}
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": told}

    def _collection(self, about: Target, request: Request) -> bytes:
        if about.kind.namespaced and not about.namespace:
            raise method_not_allowed()
        chosen = self._reader.chosen(about, request)
        for each in chosen:
            one = Target(about.kind, about.version, each.namespace, each.name)
            self._deleter.delete(one, request)
        return listed(about, chosen, {"resourceVersion": str(self._store.version)})

    # Watches

    async def _stream(self, watch: Watch, receive: Any, send: Any) -> None:
        """Lines until the client goes, the time is over, or we are stopped."""
        queue = self._store.subscribe(watch.target.kind.resource)  # nothing happened since the first lines: no await
        gone = asyncio.ensure_future(_gone(receive))
        task = asyncio.ensure_future(self._lines(watch, queue, send))
        self._streams.add(task)
        try:
            await asyncio.wait((gone, task), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._streams.discard(task)
            self._store.unsubscribe(watch.target.kind.resource, queue)
            for each in (gone, task):
                each.cancel()
            await asyncio.gather(gone, task, return_exceptions=True)
        with contextlib.suppress(Exception):  # the client may be gone
            await send({"type": "http.response.body", "body": b""})

    async def _lines(self, watch: Watch, queue: asyncio.Queue[Event], send: Any) -> None:
        version = self._store.version
        headers = [(b"content-type", b"application/json"), HEADER]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        lines = watch.first
        if watch.error:
            lines = [json.dumps({"type": "ERROR", "object": watch.error.body}).encode() + b"\n"]
        await send({"type": "http.response.body", "body": b"".join(lines), "more_body": True})
        while not watch.error:
            left = watch.deadline - time.monotonic()
            if left <= 0:
                break
            try:
                events = [await asyncio.wait_for(queue.get(), min(left, BOOKMARK_EVERY))]
            except TimeoutError:
                body = watch.bookmark(version) if watch.bookmarks else b""
            else:
                events += [queue.get_nowait() for _ in range(queue.qsize())]
                version = events[-1].version
                body = b"".join(filter(None, map(watch.line, events)))
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})


def _impersonated(request: Request, user: User) -> User:
    name = request.headers.get("impersonate-user")
    if not name:
        if "impersonate-group" in request.headers:
            raise bad_request("requested [{Group  }] without impersonating a user")
        return user
    return User(name, "", (request.headers.get("impersonate-group", "system:authenticated"),))


async def _read(receive: Any) -> bytes:
    body = await read_body(receive, BODY_LIMIT)
    if body is None:
        raise ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {BODY_LIMIT}", {})
    return body


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Any, status: int, body: Object | bytes | str, *, warning: bool) -> None:
    sort = b"text/plain; charset=utf-8" if isinstance(body, str) else b"application/json"
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    headers = [(b"content-type", sort), (b"content-length", str(len(data)).encode()), HEADER]
    headers += [(b"warning", openapi.WARNING.encode())] if warning else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
