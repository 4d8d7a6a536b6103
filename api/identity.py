"""Authentication: GitLab names the owner of a token, before anything else. Authorization is in api/authorization.py.

The owner of a token is cached for half a minute; rights are never cached.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Protocol

from cachetools import TTLCache
from fastapi import Request

from nautes.messages.common import Requester
from nautes.messages.errors import Unauthenticated

KEPT_SECONDS = 30.0  # seconds for which the owner of a token is cached
KEPT = 10_000


class Identities(Protocol):
    """The part of GitLab that authentication uses (clients.gitlab.Caller)."""

    def who(self, token: str) -> Requester:
        """The owner of a token."""


@dataclass(frozen=True)
class Caller:
    """The caller of the API, with their token (never shown)."""

    person: Requester
    token: str

    def __repr__(self) -> str:
        return f"Caller({self.person.username!r})"


class Authentication:
    """Asks GitLab, and caches its answers for a short time by a digest of the token."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities
        self._known: TTLCache[str, Requester] = TTLCache(KEPT, KEPT_SECONDS)

    async def enter(self, request: Request) -> Caller:
        """The caller, or `Unauthenticated`."""
        token = _token(request)
        if not token:
            raise Unauthenticated("token-missing", "send a GitLab token: Authorization: Bearer <token>")
        key = hashlib.sha256(token.encode()).hexdigest()
        person = self._known.get(key)
        if person is None:
            person = self._known[key] = await asyncio.to_thread(self._identities.who, token)
        return Caller(person, token)


def _token(request: Request) -> str:
    private = request.headers.get("private-token", "")
    if private:
        return private.strip()
    authorization = request.headers.get("authorization", "").strip()
    scheme, _, rest = authorization.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else authorization if not rest else ""
