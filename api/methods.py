"""Answers methods that a path does not support: 405 with the supported ones, OPTIONS the same with 204. Pure ASGI.

FastAPI has one route per method and would name only the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.routing import Match

from api.limits import Message, Receive, Send
from api.problems import Problem, answer


class Methods:
    """Innermost, behind the layer that makes HEAD a GET."""

    def __init__(self, app: Any, routers: Iterable[APIRouter]) -> None:
        self._app = app
        self._routes = [each for router in routers for each in router.routes if isinstance(each, APIRoute)]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """ASGI."""
        allowed = self._allowed(scope) if scope["type"] == "http" else set()
        if not allowed or scope["method"] in allowed:
            await self._app(scope, receive, send)
            return
        headers = {"Allow": ", ".join(sorted(allowed | {"OPTIONS"} | ({"HEAD"} if "GET" in allowed else set())))}
        if scope["method"] == "OPTIONS":
            await Response(status_code=204, headers=headers)(scope, receive, send)
            return
        text = "this path does not support the method; Allow names those it supports"
        problem = Problem(title="Method Not Allowed", status=405, code="method-not-allowed", detail=text)
        await answer(problem, headers)(scope, receive, send)

    def _allowed(self, scope: Message) -> set[str]:
        """The methods of all routes with the path of the first matching one: later routes may match anything below theirs."""
        first = next((each.path for each in self._routes if each.matches(scope)[0] != Match.NONE), None)
        return {method for each in self._routes if each.path == first for method in each.methods or ()}
