"""Who are you, may you: the token is asked of GitLab, the level of the thing that is to change. Before any effect.

What the caller may not know of is 404; what they know but may not do is 403 and names the permission that is missing.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from fastapi import Request

from contracts.common import Requester
from contracts.errors import Forbidden, NotFound, Unauthenticated

KEPT_SECONDS = 30.0  # how long GitLab's word on a token is believed
KEPT = 10_000
LEVELS = {
    0: "no access",
    5: "Minimal",
    10: "Guest",
    15: "Planner",
    20: "Reporter",
    30: "Developer",
    40: "Maintainer",
    50: "Owner",
}
REPORTER, MAINTAINER = 20, 40
NO_PARTS = ("", ".", "..")  # of a path in GitLab


class Directory(Protocol):
    """What is asked of GitLab (clients.gitlab.Caller)."""

    def who(self, token: str) -> Requester:
        """Who is behind a token."""

    def level(self, token: str, user_id: int, path: str, kind: str) -> int | None:
        """Effective level, None when hidden."""

    def can_create_group(self, token: str) -> bool:
        """Whether they may create top-level groups."""


@dataclass(frozen=True)
class Caller:
    """Who is at the door, with the token they came with (never shown)."""

    person: Requester
    token: str

    def __repr__(self) -> str:
        return f"Caller({self.person.username!r})"


class Door:
    """Asks GitLab, and remembers its answers for a short while by a digest of the token."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._known: OrderedDict[str, tuple[float, Requester]] = OrderedDict()

    async def enter(self, request: Request) -> Caller:
        """The caller, or `Unauthenticated`."""
        token = _token(request)
        if not token:
            raise Unauthenticated("token-missing", "send a GitLab token: Authorization: Bearer <token>")
        key = hashlib.sha256(token.encode()).hexdigest()
        known = self._known.get(key)
        if known and known[0] > time.monotonic():
            return Caller(known[1], token)
        person = await asyncio.to_thread(self._directory.who, token)
        self._known[key] = (time.monotonic() + KEPT_SECONDS, person)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return Caller(person, token)

    async def require(self, caller: Caller, path: str, kind: str, level: int) -> None:
        """Raise unless the caller has `level` in a "groups" or "projects" path."""
        found = await self.level(caller, path, kind)
        if found is None:
            raise NotFound("not-found", f"there is no {path}, or you may not know of it")
        if found < level:
            raise Forbidden(
                "permission-missing",
                f"this needs {LEVELS[level]} ({level}) on {path}; you have {LEVELS.get(found, '?')} ({found})",
            )

    async def level(self, caller: Caller, path: str, kind: str) -> int | None:
        """Effective level, None when hidden or not there. Never asks for what an address would resolve to another one."""
        if not set(path.split("/")).isdisjoint(NO_PARTS):
            return None
        return await asyncio.to_thread(self._directory.level, caller.token, caller.person.id, path, kind)

    async def may_change_product(self, caller: Caller, product: str, *, creates: bool) -> None:
        """Changing a product needs what pushing to its declaration needs; creating one, the right to create groups."""
        declaration = f"{product}/default.project"
        if await self.level(caller, declaration, "projects") is not None:
            await self.require(caller, declaration, "projects", MAINTAINER)
        elif not creates:
            raise NotFound("not-found", f"there is no product {product}, or you may not know of it")
        elif await self.level(caller, product, "groups") is not None:
            await self.require(caller, product, "groups", 50)
        elif (
            "/" in product
        ):  # the platform's account would make it anywhere: what GitLab asks of the caller is asked here
            await self.require(caller, product.rpartition("/")[0], "groups", MAINTAINER)
        elif not await asyncio.to_thread(self._directory.can_create_group, caller.token):
            raise Forbidden("permission-missing", "this needs the right to create top-level groups in GitLab")


def _token(request: Request) -> str:
    private = request.headers.get("private-token", "")
    if private:
        return private.strip()
    authorization = request.headers.get("authorization", "").strip()
    scheme, _, rest = authorization.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else authorization if not rest else ""
