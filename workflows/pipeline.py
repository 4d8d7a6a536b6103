"""A pipeline runtime: its place in its cluster, and a run for every event that one of its triggers matches.

Specified by its product (`specified`), woken by pushes. Each event and trigger becomes one `PipelineRun` workflow;
its id is the guarantee that it never runs twice.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.claims import ClaimActivities
    from activities.control import ControlActivities
    from nautes.messages import ids
    from nautes.messages.claims import ClaimInput, Grant
    from nautes.messages.errors import NautesError
    from nautes.messages.gitlab import Push
    from nautes.messages.runtimes import RunInput
    from nautes.messages.status import PipelineStatus
    from nautes.planning.runtimes import PipelineSpec, Trigger
    from workflows import effects, inputs, progress, releases
    from workflows.destination import drop_accounts, give_back, prepare, unclaim
    from workflows.effects import perform
    from workflows.events import matching
    from workflows.run import PipelineRunWorkflow
    from workflows.runtime_states import PipelineStart, PipelineState
    from workflows.timing import timing

RUNS_KEPT = 100


@workflow.defn(name="Pipeline")
class PipelineWorkflow(releases.LongLived):
    """Sole writer of the runtime's place in its cluster; starts its runs."""

    @workflow.init
    def __init__(self, input: PipelineStart) -> None:
        self._id = ids.pipeline(input.product, input.runtime)
        self._state = input.state or PipelineState()
        self._handled = list(self._state.handled)
        self._pushes = list(self._state.pushes)
        self._status = self._state.status or PipelineStatus(
            product=input.product, runtime=input.runtime, cluster="", phase="Pending"
        )
        self._due = self._state.removing or (self._state.spec is not None and self._state.prepared != self._state.spec)

    @workflow.signal
    def specified(self, spec: PipelineSpec) -> None:
        """The declaration says what this runtime is to be."""
        self._set(spec=spec, removing=False)
        self._due = True

    @workflow.signal
    def pushed(self, push: Push) -> None:
        """A repository one of our event sources names has moved."""
        if effects.remember(self._handled, push.event):
            self._pushes.append(push)

    @workflow.signal
    def reconcile(self) -> None:
        """The cluster differs from what it was: prepare the place again."""
        self._set(prepared=None)
        self._due = True

    @workflow.signal
    def remove(self) -> None:
        """The declaration holds this runtime no more."""
        self._set(removing=True)
        self._due = True

    @workflow.query
    def status(self) -> PipelineStatus:
        """How the runtime stands, and its runs."""
        return self._status

    @workflow.run
    async def run(self, input: PipelineStart) -> None:
        while True:
            await workflow.wait_condition(lambda: self._due or self._runnable() or effects.should_continue_as_new())
            if effects.should_continue_as_new():  # also while something is asked for again and again in vain
                await workflow.wait_condition(workflow.all_handlers_finished)
                releases.continue_as_new(
                    PipelineStart(product=input.product, runtime=input.runtime, state=self._carried())
                )
            if self._due:
                self._due = False
                if self._state.removing:
                    removed = await effects.unless(self._remove(), releases.due)
                    if removed and self._state.removing and not self._due:
                        return
                elif self._state.spec:
                    await effects.unless(self._prepare(self._state.spec), lambda: self._due or releases.due())
            else:
                await self._start_runs(self._pushes.pop(0))

    def _runnable(self) -> bool:
        return bool(self._pushes) and self._state.prepared is not None and not self._state.removing

    async def _prepare(self, spec: PipelineSpec) -> None:
        prepared, claimed = self._state.prepared, self._state.claimed
        if prepared and self._state.grant and spec.model_copy(update={"commit": prepared.commit}) == prepared:
            return
        self._change(phase="Preparing", cluster=spec.cluster, namespace=spec.namespace, message="")
        try:
            if claimed and inputs.moved(claimed, spec):
                await self._leave(claimed)
            elif claimed and claimed.account != spec.account:
                self._set(former_accounts=inputs.former_accounts(self._state.former_accounts, claimed, spec))
            self._set(claimed=spec)  # before the claim: the cluster may have taken a claim whose answer never comes
            input = ClaimInput(cluster=spec.cluster, claim=inputs.claim(spec, self._id))
            grant = await perform(ClaimActivities.claim, input, f"Claim {spec.namespace} of {spec.cluster}")
            self._set(grant=grant)
            await prepare(spec, grant)
            await drop_accounts(spec, grant, self._state.former_accounts)
            self._set(former_accounts=[])
        except NautesError as refusal:
            self._change(phase="Refused", message=refusal.message)
            await workflow.sleep(timing().refused_retry)
            self._due = True
            return
        self._set(prepared=spec)
        self._change(phase="Ready")

    async def _leave(self, spec: PipelineSpec) -> None:
        """Give the place back, or only the claim when it was never answered."""
        if self._state.grant is None:
            await unclaim(spec, self._id)
        else:
            await give_back(spec, self._state.grant, self._id, accounts=self._state.former_accounts)
        self._set(claimed=None, prepared=None, grant=None, former_accounts=[])

    async def _start_runs(self, push: Push) -> None:
        spec, grant = self._state.prepared, self._state.grant
        assert spec is not None and grant is not None  # noqa: S101 - asked by the loop
        for trigger in matching(spec, push):
            await self._start_run(spec, grant, push, trigger)

    async def _start_run(self, spec: PipelineSpec, grant: Grant, push: Push, trigger: Trigger) -> None:
        name = f"{trigger.event_source}-{trigger.pipeline}"
        run_id = ids.run(spec.product, spec.runtime, push.event, name)
        try:
            await workflow.start_child_workflow(
                PipelineRunWorkflow.run,
                RunInput(spec=spec, grant=grant, push=push, trigger=trigger),
                id=run_id,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                static_summary=f"{trigger.pipeline} for {push.ref} at {push.after[:12]} of {push.repository}",
                priority=effects.fairness(spec.product),
            )
        except WorkflowAlreadyStartedError:
            return
        self._change(runs=[run_id, *self._status.runs][:RUNS_KEPT])

    async def _remove(self) -> None:
        self._change(phase="Removing", message="")
        if claimed := self._state.claimed:
            if runs := list(self._status.runs):
                await perform(ControlActivities.cancel_runs, runs, "Cancel runs that are under way")
            try:
                await self._leave(claimed)
            except NautesError as refusal:  # the removal stays pending and says why
                self._change(message=refusal.message)
                await workflow.sleep(timing().refused_retry)
                self._due = True
                return
        self._change(phase="Removed", message="")

    def _set(self, **changes: object) -> None:
        self._state = self._state.model_copy(update=changes)

    def _change(self, **changes: object) -> None:
        self._status = self._status.model_copy(update=changes)
        status = self._status
        details = "\n".join([status.message, *(f"- {each}" for each in status.runs[:10])]).strip()
        progress.describe(
            "Pipeline",
            status.phase,
            product=status.product,
            product_id=self._state.spec.product_id if self._state.spec else "",
            cluster=status.cluster,
            details=details,
        )
        progress.listed(status.listed())

    def _carried(self) -> PipelineState:
        return self._state.model_copy(update={"status": self._status, "handled": self._handled, "pushes": self._pushes})
