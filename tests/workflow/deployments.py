"""A deployment runtime under test: started, and waited for by what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nautes.messages.convergence import HealthReport, ObjectHealth
from nautes.messages.runtimes import DeploymentInput
from nautes.messages.status import DeploymentStatus
from tests.workflow.answers import deployment
from tests.workflow.platform import Handle, Platform, until

SICK = HealthReport(
    healthy=False, total=2, unhealthy=[ObjectHealth(kind="Deployment", name="web", status="InProgress", reason="0/1")]
)
NEWER = "c" * 40


async def started(platform: Platform, product: str, **spec: Any) -> Handle:
    """A runtime that was told what to be."""
    start = DeploymentInput(product=product, runtime="web")
    handle = await platform.start("Deployment", f"deployment/{product}/web", start)
    await handle.signal("specified", deployment(product, **spec))
    return handle


async def status_of(platform: Platform, handle: Handle) -> DeploymentStatus:
    """What it says of itself."""
    found: DeploymentStatus = await platform.shown(handle.id, DeploymentStatus)
    return found


async def until_status(
    platform: Platform, handle: Handle, look: Callable[[DeploymentStatus], object]
) -> DeploymentStatus:
    """The status once it is as wanted."""

    async def see() -> DeploymentStatus | None:
        status = await status_of(platform, handle)
        return status if look(status) else None

    found: DeploymentStatus = await until(see, "the status")
    return found


async def until_phase(platform: Platform, handle: Handle, phase: str) -> DeploymentStatus:
    """The status once it is in this phase."""
    return await until_status(platform, handle, lambda status: status.phase == phase)
