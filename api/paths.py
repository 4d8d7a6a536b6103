"""Nested groups in one path part: `products/a%2Fb/environments` reaches the routes with `a/b` as the product.

ASGI servers decode the path before routing, which makes one part two; here the encoded slash survives as a character that no
GitLab path can hold, and is turned back into a slash in the route's parameters.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Path
from pydantic import AfterValidator

SLASH = "\u2215"  # DIVISION SLASH

Slashed = Annotated[str, AfterValidator(lambda text: text.replace(SLASH, "/"))]  # a part that may hold slashes
ProductName = Annotated[Slashed, Path(alias="product_name", description="Full path of the group; / as %2F.")]

Message = MutableMapping[str, Any]


class EncodedPaths:
    """Pure ASGI; for everything below /api/v1."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """ASGI."""
        raw = scope.get("raw_path", b"").split(b"?")[0].decode("ascii", "replace")
        if scope["type"] == "http" and "%2f" in raw.lower():
            path = unquote(raw.replace("%2F", "%E2%88%95").replace("%2f", "%E2%88%95"))
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)
