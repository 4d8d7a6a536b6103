"""Whether the systems that the platform needs answer. Used by the readiness of the API and of the worker."""

from __future__ import annotations

import asyncio

import httpx2
from temporalio.client import Client

from nautes.clients.settings import Settings
from nautes.clients.vault import Vault
from nautes.telemetry.checks import Check, NotReadyError

WITHIN = 5.0  # seconds GitLab may take


def dependencies(settings: Settings, temporal: Client, vault: Vault) -> dict[str, Check]:
    """One check per system."""

    async def _temporal() -> None:
        await temporal.service_client.check_health()

    async def _gitlab() -> None:
        async with httpx2.AsyncClient(timeout=WITHIN) as client:
            answer = await client.get(f"{settings.gitlab_url}/api/v4/version")
            if answer.status_code >= 500:
                raise NotReadyError(f"HTTP {answer.status_code}")

    async def _vault() -> None:
        await asyncio.to_thread(vault.alive)

    return {"temporal": _temporal, "gitlab": _gitlab, "vault": _vault}
