"""A reverse proxy that fails chosen calls: before they take effect, after, or by killing the caller."""

from __future__ import annotations

import asyncio
import ssl
import threading
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from yarl import URL

from tests.fault.plan import Plan

HOP_BY_HOP = {"connection", "keep-alive", "te", "trailers", "transfer-encoding", "upgrade", "host", "content-length"}
UNPACKED = {"content-encoding"}  # of requests: their bodies arrive here unpacked


class FaultProxy:
    """Listens on loopback in a thread of its own and forwards to `upstream`; `stop` ends it.

    `certificates`: a directory with serving.crt and serving.key; then it listens with TLS, as the server behind it does.
    """

    def __init__(self, system: str, upstream: str, plan: Plan, certificates: Path | None = None) -> None:
        self.system = system
        self.upstream = upstream.rstrip("/")
        self.plan = plan
        self.url = ""
        self._certificates = certificates
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
            connector=TCPConnector(ssl=_trusting(), limit=0), timeout=ClientTimeout(total=None), auto_decompress=False
        )
        application = web.Application(client_max_size=1 << 30)
        application.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        serving = _serving(self._certificates) if self._certificates else None
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=serving).start()
        self.url = f"{'https' if serving else 'http'}://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path.split("?")[0]
        # On a thread: killing the worker takes a moment, and others' calls must go on meanwhile.
        signature, fault = await asyncio.to_thread(self.plan.enter, self.system, request.method, path)
        try:
            if fault == "before":
                return _cut(request)
            return await self._forward(request, cut=fault == "after")
        except ClientError:  # the server behind us ended the connection: so do we
            return _cut(request)
        finally:
            self.plan.leave(signature)

    async def _forward(self, request: web.Request, *, cut: bool) -> web.StreamResponse:
        headers = [
            (name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP | UNPACKED
        ]
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


def _serving(certificates: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "serving.crt", certificates / "serving.key")
    return context


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
