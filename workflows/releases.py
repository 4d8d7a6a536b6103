"""How a long-lived workflow goes over to another build: at continue-as-new, woken once by the roll-out (docs/decisions/0028).

Every workflow is pinned to the build that began it. A finite one ends there. A long-lived one stops what it waits for, lets its
handlers end and continues as new, on the build that is current then. Used by effects.py and by the long-lived workflows.
"""

from __future__ import annotations

from typing import NoReturn

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from nautes.messages.releases import UPGRADE
    from nautes.resources.payload import Payload


class LongLived:
    """Base of the workflows that live as long as the thing they stand for."""

    @workflow.signal(name=UPGRADE)
    def upgrade(self) -> None:
        """Another build is current. The signal only makes the workflow run, and see that `due()` is true from now on."""


def due() -> bool:
    """Whether another build is to go on with this workflow. Read from history, so a replay sees the same."""
    return workflow.info().is_target_worker_deployment_version_changed()


def continue_as_new(start: Payload) -> NoReturn:
    """Begin a fresh run from `start`, on the build that is current."""
    behavior = workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE  # of its first task; afterwards it is pinned again
    workflow.continue_as_new(start, initial_versioning_behavior=behavior)
