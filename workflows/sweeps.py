"""The sweeps: short workflows that Temporal Schedules start. They look for what no event reported and wake only what changed.

What the last sweep saw travels in its result to the next one (last completion result), so nothing is stored anywhere.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.control import ControlActivities
    from activities.gitlab import GitLabActivities
    from activities.vault import VaultActivities
    from nautes.messages.control import PushesInput
    from workflows.effects import perform

STAGED_HOURS = 24  # until a command whose secret is still staged counts as never taken


@workflow.defn(name="BranchSweep")
class BranchSweepWorkflow:
    """Reads the newest push events of GitLab: one call when nothing happened, however many repositories there are."""

    @workflow.run
    async def run(self) -> int:
        """Result: id of the newest event seen; the next sweep starts after it."""
        cursor = int(workflow.get_last_completion_result(int) or 0) if workflow.has_last_completion_result() else 0
        page = await perform(GitLabActivities.recent_pushes, cursor, "Pushes since the last sweep")
        if page.pushes:
            input = PushesInput(pushes=page.pushes)
            await perform(ControlActivities.deliver_pushes, input, f"Pass on {len(page.pushes)} pushes")
        return page.cursor


@workflow.defn(name="CredentialSweep")
class CredentialSweepWorkflow:
    """Wakes the products whose deploy keys or access tokens run out soon: one listing, however many products there are.

    Kubeconfigs that were staged for a command which no worker ever took are forgotten.
    """

    @workflow.run
    async def run(self) -> int:
        """Result: how many products were woken."""
        await perform(VaultActivities.discard_forgotten, STAGED_HOURS, "Staged kubeconfigs that nobody took")
        return (await perform(ControlActivities.renew_due, 0, "Products whose keys or tokens run out soon")).count
