"""Watches one cluster, for as long as it is registered. Started and ended by the registration of the cluster."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.observer import ObserverActivities
    from nautes.messages.control import ObserveInput
    from nautes.messages.errors import NautesError
    from workflows import effects
    from workflows.effects import perform
    from workflows.timing import timing


@workflow.defn(name="Observer")
class ObserverWorkflow:
    """Writes nothing. One round after the other; the worker that dies in one is replaced by another."""

    @workflow.run
    async def run(self, input: ObserveInput) -> None:
        known = input
        while not effects.should_continue_as_new():
            try:
                found = await perform(
                    ObserverActivities.watch, known, f"Watch {input.cluster}", within=3_600, only_looks=True
                )
            except NautesError as refusal:  # a token that is no good any more: another may be registered
                workflow.set_current_details(f"cannot watch {input.cluster}: {refusal.message}")
                await workflow.sleep(timing().refused_retry)
            else:
                workflow.set_current_details("")
                known = known.model_copy(update={"fingerprints": found.fingerprints})
        workflow.continue_as_new(known)
