"""Git over HTTP: a bridge to `git http-backend`, with GitLab's refusals. Streams both ways; memory stays constant.

The commands of a push are read before git starts; the verdict reaches a small pre-receive hook by environment, so that the
client sees GitLab's own text. After git has ended, a command counts as done if the ref now has its new value.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import gzip
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from nautes_sandbox.gitlab import permissions, tokens
from nautes_sandbox.gitlab.instance import Instance
from nautes_sandbox.gitlab.repo import ZERO, Update
from nautes_sandbox.gitlab.store import Row

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
SERVICES = ("git-upload-pack", "git-receive-pack")
CHUNK = 1 << 16
PROBE_LIMIT = 1 << 20  # bytes of commands a push may have
HOOK = '#!/bin/sh\nif [ -n "$GL_DENY" ]; then echo "GitLab: $GL_DENY" >&2; exit 1; fi\n'
DENIED = b"HTTP Basic: Access denied. If a password was provided for Git authentication, the password was incorrect.\n"
PROTECTED = "You are not allowed to push code to protected branches on this project."
FORCED = "You are not allowed to force push code to a protected branch on this project."
DELETE_PROTECTED = "You can only delete protected branches using the web interface."
DELETE_DEFAULT = "The default branch of a project cannot be deleted."


class SmartHttp:
    """Serves `/<group>/<project>.git/...`."""

    def __init__(self, instance: Instance, hooks: Path) -> None:
        self._instance = instance
        self._hooks = hooks
        hooks.mkdir(parents=True, exist_ok=True)
        hook = hooks / "pre-receive"
        hook.write_text(HOOK)
        hook.chmod(0o755)

    @staticmethod
    def takes(path: str) -> bool:
        """Whether a path is git's."""
        return ".git/" in path and path.rpartition(".git/")[2] in ("info/refs", *SERVICES)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of a git client."""
        path = unquote(scope["raw_path"].decode())
        full_path, _, tail = path.strip("/").rpartition(".git/")
        query = scope["query_string"].decode()
        service = query.partition("service=")[2] if tail == "info/refs" else tail
        headers = {key.decode().lower(): value.decode() for key, value in scope["headers"]}
        refusal, user, project = await asyncio.to_thread(self._admit, full_path, service, headers)
        if refusal or project is None:
            await _plain(send, *(refusal or (404, b"Not found\n")))
            return
        self._instance.count(f"git {'writes' if service == 'git-receive-pack' else 'reads'}")
        body = _body(receive)
        environment = self._environment(scope, headers, project, tail, query, user)
        updates: list[Update] = []
        if tail == "git-receive-pack":
            updates, body = await _commands(body, headers)
            if updates and user:
                environment["GL_DENY"] = await asyncio.to_thread(self._verdict, project, user, updates)
        await _bridge(environment, body, send)
        if updates and user:
            await asyncio.to_thread(self._done, project, user, updates)

    def _admit(self, path: str, service: str, headers: dict[str, str]) -> tuple[Any, Row | None, Row | None]:
        """(refusal or None, user, project)."""
        user = self._who(headers.get("authorization", ""))
        if user is False:
            return (401, DENIED), None, None
        store = self._instance.store
        project = store.one("select * from projects where full_path = ?", path)
        if project is None or not permissions.visible(store, user, project):
            return (
                ((404, b"The project you were looking for could not be found.\n") if user else (401, DENIED)),
                None,
                None,
            )
        level = permissions.project_level(store, user, project)
        if service == "git-receive-pack":
            if user is None:
                return (401, DENIED), None, None
            if level < permissions.DEVELOPER:
                return (403, b"You are not allowed to push code to this project.\n"), None, None
        elif not permissions.open_to(user, project) and level < permissions.REPORTER:
            return (403, b"You are not allowed to download code from this project.\n"), None, None
        return None, user, project

    def _who(self, authorization: str) -> Any:
        """The user; None = anonymous; False = a wrong password."""
        if not authorization.lower().startswith("basic "):
            return None
        try:
            _, _, password = base64.b64decode(authorization[6:]).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        found = tokens.authenticate(self._instance.store, password, api=False)
        return found[0] if found else False

    def _environment(
        self, scope: Scope, headers: dict[str, str], project: Row, tail: str, query: str, user: Row | None
    ) -> dict[str, str]:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "GIT_PROJECT_ROOT": str(self._instance.repositories.path(project["id"]).parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{project['id']}.git/{tail}",
            "QUERY_STRING": query,
            "REQUEST_METHOD": scope["method"],
            "CONTENT_TYPE": headers.get("content-type", ""),
            "REMOTE_USER": user["username"] if user else "",
            "REMOTE_ADDR": "127.0.0.1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "core.hooksPath",
            "GIT_CONFIG_VALUE_0": str(self._hooks),
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": str(self._hooks),
        }
        if headers.get("git-protocol"):
            environment["GIT_PROTOCOL"] = headers["git-protocol"]
        if headers.get("content-encoding") == "gzip" and tail != "git-receive-pack":
            environment["HTTP_CONTENT_ENCODING"] = "gzip"
        return environment

    def _verdict(self, project: Row, user: Row, updates: list[Update]) -> str:
        """GitLab's reason against a push, or ""."""
        for update in updates:
            if update.tag:
                continue
            branch = update.ref.removeprefix("refs/heads/")
            if update.after == ZERO and branch == project["default_branch"]:
                return DELETE_DEFAULT
            protected = permissions.protections(self._instance.store, project, branch)
            if not protected:
                continue
            if update.after == ZERO:
                return DELETE_PROTECTED
            if not permissions.may_push(self._instance.store, user, project, branch):
                return PROTECTED
            forcible = any(each["allow_force"] for each in protected)
            if update.before != ZERO and not forcible and self._forced(project, update):
                return FORCED
        return ""

    def _forced(self, project: Row, update: Update) -> bool:
        """A new value that is already known here and does not descend from the old one."""
        repository = self._instance.repositories.open(project["id"])
        if update.after not in repository:
            return False
        return not repository.descendant_of(update.after, update.before)

    def _done(self, project: Row, user: Row, updates: list[Update]) -> None:
        repository = self._instance.repositories.open(project["id"])
        done = []
        for update in updates:
            reference = repository.references.get(update.ref)
            value = str(reference.target) if reference else ZERO
            if value == update.after != update.before:
                done.append(update)
        if done:
            fresh = self._instance.store.one("select * from projects where id = ?", project["id"])
            self._instance.webhooks.pushed(fresh or project, user, done)


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


async def _commands(body: AsyncIterator[bytes], headers: dict[str, str]) -> tuple[list[Update], AsyncIterator[bytes]]:
    """The commands of a push (up to the flush), and the whole body to be passed on, unpacked if it was packed."""
    buffer = b""
    if headers.get("content-encoding") == "gzip":
        buffer = gzip.decompress(b"".join([chunk async for chunk in body]))
    updates: list[Update] | None = _parse(buffer)
    while updates is None and len(buffer) < PROBE_LIMIT:
        try:
            buffer += await anext(body)
        except StopAsyncIteration:
            break
        updates = _parse(buffer)

    async def whole() -> AsyncIterator[bytes]:
        yield buffer
        async for chunk in body:
            yield chunk

    return updates or [], whole()


def _parse(buffer: bytes) -> list[Update] | None:
    """Commands of pkt-lines up to the flush, None while they are not all there. A lone flush is git's probe."""
    position = 0
    found: list[Update] = []
    while len(buffer) >= position + 4:
        length = int(buffer[position : position + 4], 16)
        if length == 0:
            return found
        if len(buffer) < position + length:
            return None
        line = buffer[position + 4 : position + length].split(b"\0")[0].decode().strip()
        before, after, ref = line.split(" ", 2)
        found.append(Update(ref, before, after))
        position += length
    return None


async def _bridge(environment: dict[str, str], body: AsyncIterator[bytes], send: Send) -> None:
    process = await asyncio.create_subprocess_exec(
        "git",
        "http-backend",
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None and process.stdout is not None  # noqa: S101 - asked for above
    feeding = asyncio.create_task(_feed(process.stdin, body))
    try:
        await _answer(process.stdout, send)
    finally:
        feeding.cancel()
        await process.wait()


async def _feed(stdin: asyncio.StreamWriter, body: AsyncIterator[bytes]) -> None:
    try:
        async for chunk in body:
            stdin.write(chunk)
            await stdin.drain()
        stdin.close()
    except (ConnectionResetError, BrokenPipeError):
        return


async def _answer(stdout: asyncio.StreamReader, send: Send) -> None:
    """CGI headers, then the body as it comes."""
    status, headers = 200, []
    while (line := (await stdout.readline()).strip()) != b"":
        name, _, value = line.partition(b": ")
        if name.lower() == b"status":
            status = int(value.split()[0])
        else:
            headers.append((name.lower(), value))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    while chunk := await stdout.read(CHUNK):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _plain(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"text/plain")]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="GitLab"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
