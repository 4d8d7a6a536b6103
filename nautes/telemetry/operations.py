"""A process' own port for those who operate it: `/metrics`, and for the worker `/healthz` and `/readyz`.

It is on loopback unless the settings say otherwise, and never the port of the API: metrics name clusters and tell how busy they
are, which is nobody's business outside. `/healthz` answers as long as the event loop does, and asks no other system.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx2
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import REGISTRY
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nautes.telemetry.checks import Checks
from nautes.telemetry.sdk import SdkMetrics
from nautes.telemetry.survey import Survey

_log = logging.getLogger("nautes.telemetry")


class Operations:
    """`sdk`: the metrics of Temporal's SDK; `checks`: readiness, where it is asked for here."""

    def __init__(self, sdk: SdkMetrics, survey: Survey, checks: Checks | None = None) -> None:
        self._sdk, self._survey, self._checks = sdk, survey, checks

    def app(self) -> Starlette:
        """The routes."""
        routes = [Route("/metrics", self._metrics), Route("/healthz", self._healthz)]
        return Starlette(routes=[*routes, *([Route("/readyz", self._readyz)] if self._checks else [])])

    async def _metrics(self, _: Request) -> Response:
        theirs, _nothing = await asyncio.gather(self._of_sdk(), self._survey.refresh())
        return Response(generate_latest(REGISTRY) + theirs.encode(), media_type=CONTENT_TYPE_LATEST)

    async def _of_sdk(self) -> str:
        try:
            return await self._sdk.text()
        except httpx2.HTTPError as error:
            _log.warning("the metrics of Temporal's SDK are left out: %s", type(error).__name__)
            return ""

    async def _healthz(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _readyz(self, request: Request) -> Response:
        assert self._checks  # noqa: S101 - the route is there only with them
        exclude = request.query_params.getlist("exclude")
        if unknown := sorted(set(exclude) - self._checks.kinds):
            return JSONResponse({"status": f"nothing here is named {unknown[0][:100]}"}, 400)
        ready, found = await self._checks.report(exclude)
        return JSONResponse(found, 200 if ready else 503)

    @asynccontextmanager
    async def served(self, host: str, port: int) -> AsyncIterator[None]:
        """Serve within this block. Raises OSError when the address cannot be had: a process that nobody can watch is no use."""
        with socket.create_server((host, port)) as listening, _registered(self._survey):
            server = _Server(uvicorn.Config(self.app(), log_config=None, access_log=False, lifespan="off"))
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                yield
            finally:
                server.should_exit = True
                await serving


@contextlib.contextmanager
def _registered(survey: Survey) -> Iterator[None]:
    REGISTRY.register(survey)
    try:
        yield
    finally:
        REGISTRY.unregister(survey)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process' own."""
        yield
