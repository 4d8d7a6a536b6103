"""The API as an application: routes, errors, limits. `create_app` is the factory; `python -m api` serves it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import APIRouter, FastAPI

from api import changes, codec, docs, events, health, hooks, operations, problems, status, timeline
from api.identity import Authentication
from api.kinds import clusters, products, resources
from api.limits import Limits
from api.measured import Measured, Noted
from api.methods import Methods
from api.openapi import describe
from api.paths import EncodedPaths
from api.reading import Reading
from api.state import State
from nautes.clients.gitlab import Caller
from nautes.clients.settings import Settings
from nautes.clients.temporal import connect
from nautes.clients.vault import Vault
from nautes.messages import queues
from nautes.telemetry import tracing
from nautes.telemetry.operations import Operations
from nautes.telemetry.queues import TaskQueues
from nautes.telemetry.sdk import SdkMetrics
from nautes.telemetry.survey import Survey

THREADS = 64  # concurrent calls to GitLab and Vault
# `{operation:path}` matches everything below it: routes with a suffix of their own come before.
ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    docs.router,
    hooks.router,
    codec.router,
    events.router,
    operations.router,
    status.router,
    timeline.router,
    clusters.router,
    products.router,
    *resources.routers,
    changes.router,
)
ABOUT = """Declare clusters, products and their resources, and read their status. Errors are problems (RFC 9457) with a stable
`code` and all findings at once. Requests that change something take `dry_run`, the seconds to `wait`, and an
`Idempotency-Key`, under which they can be repeated."""


def create_app(settings: Settings | None = None, sdk: SdkMetrics | None = None) -> FastAPI:
    """The API; connects when it starts. `sdk`: the metrics of Temporal's SDK, where metrics are served beside it."""
    found = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "api"))
        vault = Vault(found.vault_addr, found.vault_role_id, found.vault_secret_id, found.request_seconds)
        gitlab = Caller(found.gitlab_url, found.request_seconds)
        temporal = await connect(found)
        checks = health.checks(found, temporal, vault)
        app.state.nautes = State(found, temporal, vault, gitlab, Authentication(gitlab), Reading(found, gitlab), checks)
        async with AsyncExitStack() as beside:
            if sdk:
                survey = Survey(temporal, TaskQueues(temporal, queues.ALL))
                served = Operations(sdk, survey).served(found.metrics_host, found.api_metrics_port)
                await beside.enter_async_context(served)
            yield

    app = FastAPI(
        title="Nautes on Temporal",
        version="1",
        description=ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    describe(app)
    app.add_middleware(Noted)  # the innermost layer first
    app.add_middleware(Methods, routers=ROUTERS)
    app.add_middleware(codec.Origins, ui_url=found.temporal_ui_url)
    app.add_middleware(EncodedPaths)
    app.add_middleware(Limits, limit=found.body_limit)
    app.add_middleware(Measured)
    tracing.instrument(app)
    return app
