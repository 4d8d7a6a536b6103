"""The door as an application: routes, errors, limits. `create_app` is the factory; `python -m api` serves it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api import changes, health, hooks, kinds, operations, problems, status
from api.identity import Door
from api.limits import Limits
from api.paths import EncodedPaths
from api.state import State
from clients.gitlab import Caller
from clients.settings import Settings
from clients.temporal import connect
from clients.vault import Vault


def create_app(settings: Settings | None = None) -> FastAPI:
    """The API; connects when it starts."""
    found = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        vault = Vault(found.vault_addr, found.vault_role_id, found.vault_secret_id, found.request_seconds)
        door = Door(Caller(found.gitlab_url, found.request_seconds))
        app.state.nautes = State(found, await connect(found), vault, door)
        yield

    app = FastAPI(title="Nautes on Temporal", version="1", lifespan=lifespan, docs_url="/docs", redoc_url=None)
    problems.install(app)
    # More precise paths first: `{kind}` of the kinds would take theirs.
    for router in (health.router, hooks.router, operations.router, status.router, kinds.router, changes.router):
        app.include_router(router)
    app.add_middleware(EncodedPaths)
    app.add_middleware(Limits, limit=found.body_limit)
    return app
