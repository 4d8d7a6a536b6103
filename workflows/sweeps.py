"""The sweeps: workflows that Temporal Schedules start. They look for what no event reported and wake only what changed.

What the last sweep saw travels in its result to the next one (last completion result), so nothing is stored anywhere. The
sweep for pushes looks many times in one execution: a schedule that fires every few seconds would bury everything else in
Temporal UI.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.control import ControlActivities
    from activities.feed import FeedActivities
    from activities.vault import VaultActivities
    from nautes.messages.control import PushesInput
    from nautes.messages.gitlab import FeedCursor, FeedInput, SweepInput
    from workflows import releases
    from workflows.effects import perform, should_continue_as_new

STAGED_HOURS = 24  # until a command whose secret is still staged counts as never taken
RECENT = 1_000  # ids of announced events that are remembered


@workflow.defn(name="BranchSweep")
class BranchSweepWorkflow:
    """Reads the newest push events of GitLab: one call a look when nothing happened, however many repositories there are.

    After an outage it walks back page by page, however many there are, to where the last walk had begun.
    """

    @workflow.run
    async def run(self, input: SweepInput) -> FeedCursor:
        """Result: how far the feed was read; the next sweep starts there."""
        cursor = input.cursor or FeedCursor()
        if input.cursor is None and workflow.has_last_completion_result():
            cursor = workflow.get_last_completion_result(FeedCursor) or cursor
        for left in reversed(range(max(input.looks, 1))):
            cursor = await self._walk(cursor)
            if left:
                await workflow.sleep(input.seconds)
            if (
                left and should_continue_as_new()
            ):  # not left to the schedule: it may be minutes until it starts the next one
                releases.continue_as_new(SweepInput(looks=left, seconds=input.seconds, cursor=cursor))
        return cursor

    async def _walk(self, cursor: FeedCursor) -> FeedCursor:
        newest, at, recent, page = cursor.newest, cursor.at, list(cursor.recent), 1
        while page:
            found = await perform(
                FeedActivities.feed, FeedInput(cursor=cursor, page=page), "Pushes since the last look"
            )
            if found.newest > newest:
                newest, at = found.newest, found.at
            if found.pushes:
                input = PushesInput(pushes=found.pushes)
                await perform(ControlActivities.deliver_pushes, input, f"Pass on {len(found.pushes)} pushes")
            recent += found.events
            page = found.following
        floor = cursor.floor if cursor.read else newest
        return FeedCursor(read=True, floor=floor, newest=newest, at=at, recent=sorted(set(recent))[-RECENT:])


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
