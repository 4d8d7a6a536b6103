"""`/healthz`: this process runs. `/readyz`: the state of each system it needs. The only routes without a token."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from temporalio.client import Client

from api.problems import documented
from api.state import Shared
from nautes.clients.health import dependencies
from nautes.clients.settings import Settings
from nautes.clients.vault import Vault
from nautes.messages import queues
from nautes.telemetry.checks import Check, Checks, NotReadyError
from nautes.telemetry.queues import TaskQueues

router = APIRouter(tags=["health"])
NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"model": dict[str, str], "description": "Something does not answer"}
}
Excludable = Literal["gitlab", "vault", "queues"]


@router.get("/healthz", operation_id="healthz")
async def healthz() -> dict[str, str]:
    """This process answers. It asks no other system."""
    return {"status": "ok"}


@router.get("/readyz", operation_id="readyz", response_model=dict[str, str], responses={**NOT_READY, **documented(422)})
async def readyz(
    shared: Shared,
    exclude: Annotated[list[Excludable], Query(description="What is named, and does not count.")] = [],  # noqa: B006
) -> JSONResponse:
    """Temporal, GitLab and Vault answer, and somebody works on every task queue.

    A probe that routes traffic excludes what this process cannot help: during an outage its answers are better than none.
    """
    ready, found = await shared.checks.report(exclude)
    return JSONResponse(found, 200 if ready else 503)


def checks(settings: Settings, temporal: Client, vault: Vault) -> Checks:
    """What the API needs to be of use."""
    polled = {f"queue {name}": _polled(temporal, name) for name in queues.ALL}
    return Checks({**dependencies(settings, temporal, vault), **polled})


def _polled(temporal: Client, queue: str) -> Check:
    async def look() -> None:
        for each in await TaskQueues(temporal, [queue]).look():
            if not each.pollers:
                raise NotReadyError(f"no worker polls for {each.tasks.type} tasks")

    return look
