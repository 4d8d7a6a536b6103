"""A deployment runtime: keeps its objects in its cluster equal to a path of a repository at a revision.

Specified by its product (`specified`), woken by pushes (`pushed`), by the sweep for drift (`reconcile`) and by people (pause,
resume, sync, rollback). One convergence at a time; a newer commit or specification cancels the older one wherever it waits.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.claims import ClaimActivities
    from activities.kubernetes import KubernetesActivities
    from nautes.messages import ids
    from nautes.messages.claims import ClaimInput, Grant
    from nautes.messages.convergence import ConvergeReport, OwnedInput
    from nautes.messages.errors import NautesError, Refused
    from nautes.messages.gitlab import Push
    from nautes.messages.operations import Retry
    from nautes.messages.status import DeploymentStatus
    from nautes.planning.runtimes import DeploymentSpec
    from nautes.telemetry import catalogue
    from workflows import effects, inputs, metrics, progress, releases
    from workflows.convergence import Convergence, News, blame
    from workflows.destination import drop_accounts, give_back, prepare, release, unclaim
    from workflows.effects import perform
    from workflows.runtime_states import DeploymentStart, DeploymentState
    from workflows.timing import timing


LONGEST_RETRY = 600.0  # seconds between two attempts to apply what was refused
VOLATILE = ("started", "seconds", "applied", "unchanged", "pruned", "writes")  # published when a convergence has ended
MOST_FAILURES = 16  # counted: more make no retry later


@workflow.defn(name="Deployment")
class DeploymentWorkflow(releases.LongLived):
    """Sole writer of the runtime's objects in its cluster."""

    @workflow.init
    def __init__(self, input: DeploymentStart) -> None:
        self._id = ids.deployment(input.product, input.runtime)
        self._state = input.state or DeploymentState()
        self._handled = list(self._state.handled)
        self._status = self._state.status or DeploymentStatus(
            product=input.product, runtime=input.runtime, cluster="", phase="Pending"
        )
        self._due = self._state.due
        self._news = News()
        self._news.there = self._state.observed
        self._newer = False  # something newer than what is being converged
        self._asked: tuple[metrics.Cause, float] | None = None  # why, and since when, the objects are to be converged
        self._retry: asyncio.Task[None] | None = None  # of objects that were refused or failed

    # Messages

    @workflow.signal
    def specified(self, spec: DeploymentSpec) -> None:
        """The declaration says what this runtime is to be."""
        news = self._state.spec is None or spec.model_copy(update={"commit": ""}) != self._state.spec.model_copy(
            update={"commit": ""}
        )
        self._set(spec=spec, removing=False)
        self._wake(newer=news)

    @workflow.signal
    def pushed(self, push: Push) -> None:
        """A branch of the manifest repository moved."""
        spec = self._state.spec
        if spec and effects.remember(self._handled, push.event) and _concerns(spec, push):
            self._wake(newer=True)

    @workflow.signal
    def reconcile(self) -> None:
        """The cluster differs from what it was: look, and correct drift."""
        self._asked = self._asked or ("drift", workflow.time())
        self._wake(newer=False)

    @workflow.signal
    def observed(self) -> None:
        """Something about the runtime's objects is new, but no field of ours: look at their health."""
        self._news.there = True

    @workflow.signal
    def remove(self) -> None:
        """The declaration holds this runtime no more."""
        self._set(removing=True)
        self._wake(newer=True)

    @workflow.update
    async def pause(self) -> DeploymentStatus:
        """Stop correcting; pushes and drift are still seen."""
        self._set(paused=True)
        self._change(phase="Paused")
        self._wake(newer=True)
        return self._status

    @workflow.update
    async def resume(self) -> DeploymentStatus:
        """Correct again, and follow the revision again after a rollback."""
        self._set(paused=False, pinned="")
        self._wake(newer=True)
        return self._status

    @workflow.update
    async def sync(self) -> DeploymentStatus:
        """Look now, even when nothing moved."""
        self._wake(newer=True)
        return self._status

    @workflow.update
    async def rollback(self, commit: str) -> DeploymentStatus:
        """Pin an earlier commit until `resume`."""
        self._set(pinned=commit, paused=False)
        self._wake(newer=True)
        return self._status

    @rollback.validator
    def _check_commit(self, commit: str) -> None:
        if not (7 <= len(commit) <= 64 and all(each in "0123456789abcdef" for each in commit)):
            raise effects.as_failure(Refused("commit-malformed", "a commit is 7 to 64 hexadecimal digits"))

    @workflow.query
    def status(self) -> DeploymentStatus:
        """How the runtime stands."""
        return self._status

    # Life

    @workflow.run
    async def run(self, input: DeploymentStart) -> None:
        while True:
            await workflow.wait_condition(
                lambda: self._due or (self._news.there and self._corrects) or effects.should_continue_as_new()
            )
            if effects.should_continue_as_new():  # also while something is asked for again and again in vain
                self._due = self._due or (self._retry is not None and not self._retry.done())
                await workflow.wait_condition(workflow.all_handlers_finished)
                releases.continue_as_new(
                    DeploymentStart(product=input.product, runtime=input.runtime, state=self._carried())
                )
            if not self._due:
                ended = await effects.unless(self._look(), lambda: self._due or effects.should_continue_as_new())
                self._news.there = self._news.there or not ended
                continue
            self._forget_retry()
            self._due = self._newer = False
            if self._state.removing:
                tried = await effects.unless(self._remove(), releases.due)
                self._due = self._due or not tried
                if not tried or self._state.claimed:  # refused: tried again after a while, unless something newer comes
                    continue
                if self._state.removing:  # a new specification may have come while it was being removed
                    return
            elif self._state.paused:
                self._change(phase="Paused", retry=None)
            elif self._state.spec:
                converging = self._converge(self._state.spec)
                ended = await effects.unless(converging, lambda: self._newer or releases.due())
                self._due = self._due or not ended

    @property
    def _corrects(self) -> bool:
        """Whether the runtime has objects that are to be as they are declared."""
        return self._state.prepared is not None and not (self._state.paused or self._state.removing)

    async def _look(self) -> None:
        """What was healthy may be so no more, long after the last convergence."""
        spec, grant, phase = self._state.prepared, self._state.grant, self._status.phase
        if spec is None or grant is None:
            return
        try:
            await Convergence(self._change, lambda: self._status).health(spec, grant, self._news)
        except NautesError as refusal:  # a token that is no good any more, a right that was taken
            self._change(phase="Refused", message=refusal.message)
            await workflow.sleep(timing().refused_retry)
            self._due = True
            return
        if self._status.phase == "Waiting":
            refused = any(each.action in ("refused", "failed") for each in self._status.outcomes)
            self._change(phase="Degraded" if refused else "Converged" if phase == "Waiting" else phase, unhealthy=[])

    async def _converge(self, spec: DeploymentSpec) -> None:
        try:
            await self._prepare(spec)
            assert self._state.grant is not None  # noqa: S101 - prepared above
            convergence = Convergence(self._change, lambda: self._status)
            report = await convergence.apply(spec, self._state.grant, self._state.pinned, self._former(spec))
            await self._leave_former(spec, self._state.grant, report)
            # A hand edit is put back, and a long history ends, however long the objects take to get healthy.
            self._count_drift(spec, report)
            healthy = convergence.until_healthy(spec, self._state.grant, report, self._news)
            self._retry_later(report)
            ended = await effects.unless(healthy, lambda: self._due or effects.should_continue_as_new())
            self._due = self._due or not ended  # the next run goes on waiting
            if ended:
                self._count(self._status.phase.lower())
        except NautesError as refusal:
            self._change(phase="Refused", message=refusal.message, finished=effects.now(), retry=None)
            self._count("refused")
            await workflow.sleep(timing().refused_retry)
            self._due = True

    def _retry_later(self, report: ConvergeReport) -> None:
        """Objects that were refused or failed are applied again after a while, longer each time, whatever else happens.

        What the cluster refuses today it may take tomorrow: a quota grows, a webhook answers again, a right is given.
        """
        if not (error := blame(report)):
            self._set(failures=0)
            self._change(retry=None)
            return
        delay = min(timing().failed_retry * 2**self._state.failures, LONGEST_RETRY)
        self._set(failures=min(self._state.failures + 1, MOST_FAILURES))
        next_try = (workflow.now() + timedelta(seconds=delay)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._change(retry=Retry(step="Converge", attempt=self._state.failures + 1, error=error, next_try=next_try))
        self._retry = asyncio.ensure_future(self._due_after(delay))

    async def _due_after(self, seconds: float) -> None:
        await workflow.sleep(seconds)
        self._due = True

    def _forget_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    async def _prepare(self, spec: DeploymentSpec) -> None:
        """Claim the namespaces and prepare the destination, unless that was done for this very specification.

        What the runtime has in its cluster already stays: namespaces that are added are claimed beside those it has, and those
        that are gone from the specification are given back only when its objects have left them.
        """
        prepared, claimed = self._state.prepared, self._state.claimed
        if prepared and self._state.grant and spec.model_copy(update={"commit": prepared.commit}) == prepared:
            return
        self._change(phase="Claiming", cluster=spec.cluster, revision=spec.revision, started=effects.now(), message="")
        if claimed and inputs.moved(claimed, spec):
            await self._leave(claimed, self._state.grant)
        elif claimed and claimed.account != spec.account:
            self._set(former_accounts=inputs.former_accounts(self._state.former_accounts, claimed, spec))
        self._set(claimed=spec)  # before the claim: the cluster may have taken a claim whose answer never comes
        names = [*spec.namespaces, *self._former(spec)]
        input = ClaimInput(cluster=spec.cluster, claim=inputs.claim(spec, self._id, names))
        grant = await perform(ClaimActivities.claim, input, f"Claim {', '.join(names)} of {spec.cluster}")
        self._set(grant=grant, granted=names, prepared=None)
        await prepare(spec, grant, self._former(spec))
        self._set(prepared=spec)

    def _former(self, spec: DeploymentSpec) -> list[str]:
        """Namespaces that the runtime has and its specification does not name any more."""
        return [each for each in self._state.granted if each not in spec.namespaces]

    async def _leave_former(self, spec: DeploymentSpec, grant: Grant, report: ConvergeReport) -> None:
        """Give back the namespaces and accounts of before, when nothing of the runtime is left in them."""
        former = self._former(spec)
        if former and not report.left:
            await release(spec, grant, self._id, former, self._state.former_accounts)
            self._set(granted=list(spec.namespaces))
        if self._state.former_accounts:
            await drop_accounts(spec, grant, self._state.former_accounts)
            self._set(former_accounts=[])

    async def _remove(self) -> None:
        """Prune the objects, give back Vault role and namespaces. An unreachable cluster leaves this pending."""
        self._change(phase="Removing", message="", retry=None)
        claimed, grant = self._state.claimed, self._state.grant
        if claimed:
            try:
                await self._leave(claimed, grant)
            except NautesError as refusal:  # the removal stays pending and says why
                self._change(message=refusal.message)
                await self._rest(timing().refused_retry)
                return
        self._change(phase="Removed")

    async def _rest(self, seconds: float) -> None:
        """Be due again after a while, or at once for something newer."""
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._newer or effects.should_continue_as_new(), timeout=seconds)
        self._due = True

    async def _leave(self, spec: DeploymentSpec, grant: Grant | None) -> None:
        """Prune the inventory, then give the destination back: in this order, so that nothing is orphaned."""
        former = self._former(spec)
        if grant is None:
            await unclaim(spec, self._id)
        else:
            await self._delete(inputs.owned(spec, grant, former))
            await give_back(spec, grant, self._id, former, self._state.former_accounts)
        self._set(claimed=None, prepared=None, grant=None, granted=[], former_accounts=[])

    async def _delete(self, owned: OwnedInput) -> None:
        """Delete the objects. While some do not go, the runtime keeps its namespaces, role and claim, and says which."""
        found = await perform(KubernetesActivities.delete_owned, owned, "Delete the runtime's objects", within=600)
        while found.remaining:
            self._change(unhealthy=found.remaining, message=f"{len(found.remaining)} objects are still being deleted")
            known = owned.model_copy(update={"known": found.remaining})
            found = await perform(
                KubernetesActivities.delete_owned, known, "Objects that are being deleted", within=600
            )
        self._change(unhealthy=[], message="")

    # State

    def _count(self, outcome: str) -> None:
        """A convergence has come to an end; only one that somebody or something asked for has taken its time."""
        metrics.count(catalogue.CONVERGENCES, outcome=outcome)
        if outcome == "converged" and self._asked:
            cause, since = self._asked
            metrics.converged(cause, workflow.time() - since)
            self._asked = None

    def _count_drift(self, spec: DeploymentSpec, report: ConvergeReport) -> None:
        if self._asked and self._asked[0] == "drift" and (corrected := report.applied + report.pruned):
            metrics.count(catalogue.DRIFT, corrected, cluster=spec.cluster)

    def _wake(self, *, newer: bool) -> None:
        self._due = True
        if newer:
            self._newer = True
            self._asked = ("change", workflow.time())
            self._set(failures=0)

    def _set(self, **changes: object) -> None:
        self._state = self._state.model_copy(update=changes)

    def _change(self, **changes: object) -> None:
        self._status = self._status.model_copy(update=changes)
        status = self._status
        progress.describe(
            "Deployment",
            status.phase,
            product=status.product,
            product_id=self._state.spec.product_id if self._state.spec else "",
            cluster=status.cluster,
            revision=status.commit,
            details=progress.deployment(status),
        )
        progress.listed(status.listed(), *VOLATILE)

    def _carried(self) -> DeploymentState:
        carried = {"status": self._status, "handled": self._handled, "due": self._due, "observed": self._news.there}
        return self._state.model_copy(update=carried)


def _concerns(spec: DeploymentSpec, push: Push) -> bool:
    """Whether the push moved what the runtime follows: a branch or tag by short or full name."""
    names = (spec.revision, f"refs/heads/{spec.revision}", f"refs/tags/{spec.revision}")
    return push.project_id == spec.repository_id and push.ref in names
