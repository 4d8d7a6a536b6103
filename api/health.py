"""`/healthz`: this process runs. `/readyz`: the state of each system it needs. The only routes without a token."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.state import Shared, State

router = APIRouter(tags=["health"])
NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"model": dict[str, str], "description": "Something does not answer"}
}
WITHIN = 5.0  # seconds each system may take to answer


@router.get("/healthz", operation_id="healthz")
async def healthz() -> dict[str, str]:
    """This process answers."""
    return {"status": "ok"}


@router.get("/readyz", operation_id="readyz", response_model=dict[str, str], responses=NOT_READY)
async def readyz(shared: Shared) -> JSONResponse:
    """Temporal, GitLab and Vault answer."""
    checks: dict[str, Callable[[State], Awaitable[None]]] = {"temporal": _temporal, "gitlab": _gitlab, "vault": _vault}
    found = dict(zip(checks, await asyncio.gather(*(_check(check, shared) for check in checks.values())), strict=True))
    ready = all(each == "ok" for each in found.values())
    return JSONResponse({"status": "ok" if ready else "unavailable", **found}, 200 if ready else 503)


async def _check(check: Callable[[State], Awaitable[None]], shared: State) -> str:
    try:
        await asyncio.wait_for(check(shared), WITHIN)
    except Exception as error:
        return type(error).__name__
    return "ok"


async def _temporal(shared: State) -> None:
    await shared.temporal.service_client.check_health()


async def _gitlab(shared: State) -> None:
    async with httpx2.AsyncClient(timeout=WITHIN) as client:
        answer = await client.get(f"{shared.settings.gitlab_url}/api/v4/version")
        if answer.status_code >= 500:
            raise RuntimeError(str(answer.status_code))


async def _vault(shared: State) -> None:
    await asyncio.to_thread(shared.vault.alive)
