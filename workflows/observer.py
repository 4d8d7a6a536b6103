"""Watches one cluster, for as long as it is registered. Started and ended by the registration of the cluster."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.observer import ObserverActivities
    from nautes.messages.control import ObserveInput
    from nautes.messages.errors import NautesError
    from workflows import effects, releases
    from workflows.effects import perform
    from workflows.timing import timing


@workflow.defn(name="Observer")
class ObserverWorkflow(releases.LongLived):
    """Writes nothing. One round after the other; the worker that dies in one is replaced by another."""

    @workflow.init
    def __init__(self, input: ObserveInput) -> None:
        self._known = input

    @workflow.run
    async def run(self, input: ObserveInput) -> None:
        while not effects.should_continue_as_new():
            # A round that a release cuts off leaves no fingerprints: the next one compares with those of the round before,
            # and finds all that has changed since.
            await effects.unless(self._round(), releases.due)
        releases.continue_as_new(self._known)

    async def _round(self) -> None:
        cluster = self._known.cluster
        try:
            found = await perform(
                ObserverActivities.watch, self._known, f"Watch {cluster}", within=3_600, only_looks=True
            )
        except NautesError as refusal:  # a token that is no good any more: another may be registered
            workflow.set_current_details(f"cannot watch {cluster}: {refusal.message}")
            await workflow.sleep(timing().refused_retry)
        else:
            workflow.set_current_details("")
            self._known = self._known.model_copy(update={"fingerprints": found.fingerprints})
