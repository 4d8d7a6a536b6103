"""A reverse proxy that fails chosen calls: before they take effect, after, or by killing whoever made them.

One `FaultProxy` stands before each outside system; they share a `Plan`, which knows which calls are to fail. A call is known
by its signature: system, method and path with everything that differs between runs taken out, and how often it was seen.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web
from yarl import URL

HOP_BY_HOP = {"connection", "keep-alive", "te", "trailers", "transfer-encoding", "upgrade", "host", "content-length"}
CHUNK = 1 << 16

Signature = tuple[str, str, str, int]  # system, method, path, occurrence


@dataclass
class Plan:
    """Which calls fail and how. `mode` is before, after or kill; `normal` takes out what differs between runs."""

    mode: str = ""
    chosen: frozenset[Signature] = frozenset()
    kill: Callable[[], None] = lambda: None
    normal: Callable[[str], str] = lambda path: path
    seen: list[Signature] = field(default_factory=list)
    hit: list[Signature] = field(default_factory=list)
    _count: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, mode: str, chosen: frozenset[Signature]) -> None:
        """Start a run: forget what was counted."""
        with self._lock:
            self.mode, self.chosen = mode, chosen
            self.seen, self.hit = [], []
            self._count.clear()

    def ask(self, system: str, method: str, path: str) -> str:
        """Count a call; answers how it is to fail ("" = not at all). Each chosen call fails once."""
        key = (system, method, self.normal(path))
        with self._lock:
            self._count[key] += 1
            signature = (*key, self._count[key])
            self.seen.append(signature)
            if not self.mode or signature not in self.chosen or signature in self.hit:
                return ""
            self.hit.append(signature)
            return self.mode


class FaultProxy:
    """Listens on loopback in a thread of its own and forwards to `upstream`; `stop` ends it."""

    def __init__(self, system: str, upstream: str, plan: Plan, *, verify: bool = True) -> None:
        self.system = system
        self.upstream = upstream.rstrip("/")
        self.plan = plan
        self.url = ""
        self._ssl = True if verify else _trusting()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True, name=f"proxy-{system}")

    def start(self) -> FaultProxy:
        """Listen; returns itself."""
        self._thread.start()
        if not self._ready.wait(10):
            raise TimeoutError(f"proxy before {self.system} did not start")
        return self

    def stop(self) -> None:
        """Stop listening and end the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._close())
        self._loop.close()

    async def _listen(self) -> None:
        self._client = ClientSession(
            connector=TCPConnector(ssl=self._ssl, limit=0), timeout=ClientTimeout(total=None), auto_decompress=False
        )
        application = web.Application(client_max_size=1 << 30)
        application.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        fault = self.plan.ask(self.system, request.method, request.raw_path.split("?")[0])
        if fault == "before":
            return _cut(request)
        if fault == "kill":
            await asyncio.to_thread(self.plan.kill)
        return await self._forward(request, cut=fault == "after")

    async def _forward(self, request: web.Request, *, cut: bool) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP]
        body: Any = await request.read() if request.can_read_body else None
        target = URL(self.upstream + request.raw_path, encoded=True)
        async with self._client.request(
            request.method, target, headers=headers, data=body, allow_redirects=False
        ) as answer:
            if cut:
                await answer.read()
                return _cut(request)
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response


def _cut(request: web.Request) -> web.Response:
    """End the connection without an answer, as an outage does."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


NUMBERS = re.compile(r"(?<=[/-])\d+(?=[/?-]|$)")
DIGESTS = re.compile(r"[0-9a-f]{12,64}")


def normalizer(*words: str) -> Callable[[str], str]:
    """Takes ids, digests and the given words (a run's own names) out of a path."""

    def normal(path: str) -> str:
        for word in words:
            path = path.replace(word, "*")
        return NUMBERS.sub("0", DIGESTS.sub("#", path))

    return normal
