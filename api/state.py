"""What the routes share: settings and clients, made once when the API starts. Dependencies of every route come from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from temporalio.client import Client

from api.identity import Caller, Door
from clients.settings import Settings
from clients.vault import Vault


@dataclass
class State:
    """Kept on `app.state.nautes`."""

    settings: Settings
    temporal: Client
    vault: Vault
    door: Door


def state(request: Request) -> State:
    """The state of this API."""
    found: State = request.app.state.nautes
    return found


async def caller(request: Request, shared: Annotated[State, Depends(state)]) -> Caller:
    """Who is at the door; every route but health and webhooks depends on it."""
    return await shared.door.enter(request)


Shared = Annotated[State, Depends(state)]
Who = Annotated[Caller, Depends(caller)]
