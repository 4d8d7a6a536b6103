"""The outermost layer, pure ASGI: a cap on bodies before they are read, headers of security on every answer, HEAD as GET."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from api.problems import MEDIA_TYPE, Problem

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
DIGITS = 18  # digits of a Content-Length that is read
POLICY = b"content-security-policy"
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
NOTHING = (POLICY, b"default-src 'none'; frame-ancestors 'none'")  # of answers that are no page


class _TooLargeError(Exception):
    pass


class Limits:
    """Refuses a body over `limit` bytes with 413: by its length header, or as soon as more has come in."""

    def __init__(self, app: Any, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not length.isdigit() or len(length) > DIGITS or int(length) > self._limit:
            await self._refuse(send)
            return
        started = False
        read = 0
        head = scope["method"] == "HEAD"

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limit:
                raise _TooLargeError
            return message

        async def secured(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = _with_security(message.get("headers", []))
            elif head:
                message["body"] = b""
            await send(message)

        try:
            await self._app({**scope, "method": "GET"} if head else scope, limited, secured)
        except _TooLargeError:
            if not started:
                await self._refuse(send)

    async def _refuse(self, send: Send) -> None:
        text = f"a request may have at most {self._limit} bytes"
        problem = Problem(title="TooLarge", status=413, code="body-too-large", detail=text)
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close"), *HEADERS, NOTHING]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": problem.model_dump_json().encode()})


def _with_security(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    own = {name for name, _ in headers}
    return [*headers, *(each for each in [*HEADERS, NOTHING] if each[0] not in own)]
