"""State that the routes share: settings and clients, made once when the API starts. And the dependencies of every route."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from cachetools import TTLCache
from fastapi import Depends, Request
from temporalio.client import Client

from api.authorization import Rights
from api.identity import Authentication, Caller
from api.reading import Reading
from nautes.clients.gitlab import Caller as GitLabCaller
from nautes.clients.settings import Settings
from nautes.clients.vault import Vault
from nautes.messages.errors import Refused
from nautes.resources.documents import pointer_of
from nautes.resources.findings import Finding
from nautes.telemetry.checks import Checks

RIGHTS_SECONDS = 10.0
RIGHTS_KEPT = 1_000


@dataclass
class State:
    """Kept on `app.state.nautes`."""

    settings: Settings
    temporal: Client
    vault: Vault
    gitlab: GitLabCaller
    authentication: Authentication
    reading: Reading
    checks: Checks
    # Rights by the digest of a token, for the codec endpoint only: Temporal UI asks once per payload of a page.
    decoding: TTLCache[str, Rights] = field(default_factory=lambda: TTLCache(RIGHTS_KEPT, RIGHTS_SECONDS))


def state(request: Request) -> State:
    """The state of this API."""
    found: State = request.app.state.nautes
    return found


async def caller(request: Request, shared: Annotated[State, Depends(state)]) -> Caller:
    """The caller; every route but health and webhooks depends on it. Unknown parameters are refused."""
    found = await shared.authentication.enter(request)
    known = _parameters(request)
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        findings = [
            Finding(
                rule="query-unknown",
                message=f"unknown query parameter {each[:100]!r}",
                pointer=pointer_of("query", each[:100]),
                hint=f"known: {', '.join(sorted(known))}" if known else "this route takes none",
            )
            for each in unknown[:10]
        ]
        raise Refused("query-unknown", findings[0].message, findings=findings)
    return found


async def rights(shared: Annotated[State, Depends(state)], who: Annotated[Caller, Depends(caller)]) -> Rights:
    """The caller's rights during this request."""
    return Rights(shared.gitlab, who)


def _parameters(request: Request) -> set[str]:
    """Query parameters of the requested route."""
    found: set[str] = set()
    waiting = [request.scope["route"].dependant]
    while waiting:
        dependant = waiting.pop()
        found |= {each.alias for each in dependant.query_params}
        waiting += dependant.dependencies
    return found


Shared = Annotated[State, Depends(state)]
May = Annotated[Rights, Depends(rights)]
