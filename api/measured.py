"""Counts, times and logs requests by route template. Pure ASGI, the outermost layer; `Noted` is the innermost.

The route is known only where a request has been routed, and layers in between may give it another scope: the two share a note.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from api.limits import Message, Receive, Send
from nautes.telemetry import logs, metrics

UNKNOWN = "unknown"  # routes are known, paths are whatever somebody sends
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LEFT = 499  # the client left before there was an answer, as proxies count it
READS = frozenset({"GET", "HEAD", "OPTIONS"})
NOTE = "nautes.note"  # in the scope
ABOUT = {"product_name": "product", "product": "product", "cluster_name": "cluster", "operation": "operation"}

_log = logging.getLogger("nautes.api")


class Note(dict[str, Any]):
    """What became of a request: route, path_params, status."""


class Measured:
    """Every request is one in the metrics; one that changes something, or that fails here, is a line in the log."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        note, began = Note(status=LEFT), time.perf_counter()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                note["status"] = message["status"]
            await send(message)

        with metrics.in_flight.track_inprogress():
            try:
                await self._app({**scope, NOTE: note}, receive, noted)
            except Exception:
                note["status"] = 500 if note["status"] == LEFT else note["status"]
                raise
            finally:
                _ended(str(scope["method"]), note, time.perf_counter() - began)


class Noted:
    """Writes down the route of a request, wherever its answer comes from."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            await self._app(scope, receive, send)
        finally:
            if NOTE in scope and "route" in scope:
                scope[NOTE].update(route=scope["route"].path, path_params=scope.get("path_params", {}))


def _ended(given: str, note: Note, seconds: float) -> None:
    method, route, status = given if given in METHODS else UNKNOWN, note.get("route", UNKNOWN), note["status"]
    metrics.requests.labels(method, route, status).inc()
    metrics.request_seconds.labels(method, route).observe(seconds)
    if method in READS and status < 500:
        return
    found = {ABOUT[name]: str(value) for name, value in note.get("path_params", {}).items() if name in ABOUT}
    with logs.given(**found):
        fields = {"method": method, "route": route, "status": status, "seconds": round(seconds, 4)}
        _log.info("%s %s: %d in %.3f s", method, route, status, seconds, extra={"fields": fields})
