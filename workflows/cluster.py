"""A cluster: the queue before it.

Commands (`submit`) come from the API, `declared` from the tenant workflow when the tenant repository says something new. Each
command runs as its own `Registration`, one at a time. Who uses the cluster is kept by `namespaces/<cluster>`
(workflows/namespaces.py), which is told here whether claims are granted.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError

with workflow.unsafe.imports_passed_through():
    from activities.claims import ClaimActivities
    from nautes.messages import ids
    from nautes.messages.claims import ClusterFacts
    from nautes.messages.clusters import KnownCluster
    from nautes.messages.errors import Refused
    from nautes.messages.operations import Accepted, ClusterRequest, require_bounded
    from nautes.messages.status import ClusterStatus
    from nautes.telemetry import tracing
    from workflows import effects, progress, releases
    from workflows.cluster_state import (
        ClusterRecord,
        ClusterStart,
        ClusterState,
        RegistrationReport,
        RegistrationStart,
        facts_of,
    )
    from workflows.effects import perform
    from workflows.endings import report_of
    from workflows.registration import RegistrationWorkflow, asked_by_git, operation_of
    from workflows.timing import timing


@workflow.defn(name="Cluster")
class ClusterWorkflow(releases.LongLived):
    """Sole writer of the cluster's manifest, kubeconfig secret, auth mount and components."""

    @workflow.init
    def __init__(self, input: ClusterStart) -> None:
        self._name = input.name
        state = input.state or ClusterState()
        self._state = ClusterRecord.model_validate(state.model_dump(exclude={"queue", "handled"}))
        self._queue = list(state.queue)
        self._handled = list(state.handled)
        self._running = ""
        self._published: ClusterFacts | None = None
        self._traces: dict[str, tracing.Trace | None] = {}  # by operation; an operation that is carried over has none

    # Commands

    @workflow.update
    async def submit(self, request: ClusterRequest) -> Accepted:
        """Queue a registration, an update or a removal; the same operation twice is queued once."""
        if effects.remember(self._handled, request.operation):
            self._queue.append(request)
            self._traces[request.operation] = tracing.here()
        return Accepted(operation=ids.registration(self._name, request.operation))

    @submit.validator
    def _check_request(self, request: ClusterRequest) -> None:
        if request.cluster != self._name:
            raise effects.as_failure(
                Refused("cluster-mismatch", f"this is cluster {self._name}, not {request.cluster}")
            )
        effects.require(require_bounded, request)

    @workflow.signal
    def declared(self, known: KnownCluster) -> None:
        """The tenant repository declares this cluster, or declares it no more: follow it if that is news."""
        if known.removed:
            self._withdrawn(known)
        elif not self._asked_last(known):
            if self._is_news(known) or any(asked_by_git(each) for each in self._queue):
                self._queue_from_git(known, "apply")
            elif not self._queue:
                self._forget_refusal()

    def _withdrawn(self, known: KnownCluster) -> None:
        """Its file is gone. The removal looks again before it takes anything away: the file may have come back."""
        pending = [*self._queue, *([self._state.refused] if self._state.refused else [])]
        if any(each.action == "remove" and asked_by_git(each) for each in pending):
            return
        if self._state.manifest or self._queue:
            self._queue_from_git(known, "remove")
        else:  # it was never brought about: there is nothing to take away
            self._state = ClusterRecord(removed=True, phase="Removed")

    def _is_news(self, known: KnownCluster) -> bool:
        if known.commit == self._state.commit and self._state.phase == "Ready":
            return False
        return known.manifest != self._state.manifest

    def _asked_last(self, known: KnownCluster) -> bool:
        """Whether this is what is under way already, or refused and tried again."""
        pending = self._queue or ([self._state.refused] if self._state.refused else [])
        last = pending[-1] if pending else None
        return last is not None and last.action == "apply" and asked_by_git(last) and last.manifest == known.manifest

    def _forget_refusal(self) -> None:
        """Git says again what is so: what it said in between, and was refused, is not tried any more."""
        if self._state.refused:
            self._state = self._state.model_copy(update={"refused": None, "message": "", "findings": []})

    def _queue_from_git(self, known: KnownCluster, action: str) -> None:
        operation = operation_of(known.commit)
        if effects.remember(self._handled, operation):
            values = {"operation": operation, "cluster": self._name, "action": action, "manifest": known.manifest}
            source = {"commit": known.commit, "project_id": known.project_id, "requester": known.requester}
            self._queue.append(ClusterRequest.model_validate({**values, **source}))

    # What people see

    @workflow.query
    def status(self) -> ClusterStatus:
        """The cluster as it is known here."""
        state = self._state
        spec = state.manifest.get("spec", {})
        return ClusterStatus(
            name=self._name,
            phase=state.phase,
            usage=str(spec.get("usage", "")),
            worker_type=str(spec.get("workerType", "")),
            components=state.components,
            warnings=state.warnings,
            findings=state.findings,
            operation=self._running,
            queued=[ids.registration(self._name, each.operation) for each in self._queue[1 if self._running else 0 :]],
            message=state.message,
        )

    # Life

    @workflow.run
    async def run(self, input: ClusterStart) -> None:
        while self._queue or not self._state.removed:
            await self._turn()
            if self._state.removed:
                await self._publish()
                await workflow.wait_condition(workflow.all_handlers_finished)  # one of them may queue something

    async def _turn(self) -> None:
        """One operation, or the wait for one."""
        if self._state.removed:  # somebody registers it again
            self._state = ClusterRecord()
        self._show()
        await self._publish()
        if releases.due() or (not self._queue and effects.should_continue_as_new()):
            await workflow.wait_condition(workflow.all_handlers_finished)
            releases.continue_as_new(ClusterStart(name=self._name, state=self._carried()))
        if not self._queue and self._state.refused:
            await self._wait_to_retry(self._state.refused)
        await workflow.wait_condition(
            lambda: bool(self._queue) or self._state.removed or effects.should_continue_as_new()
        )
        if self._queue:
            await self._operate(self._queue[0])
            self._queue.pop(0)
        while self._queue and self._superseded(self._queue[0]):
            self._queue.pop(0)
            self._forget_refusal()

    def _superseded(self, request: ClusterRequest) -> bool:
        """Whether what Git asked for is so by now: mostly it only says what an operation of ours has just committed."""
        if not asked_by_git(request):
            return False
        if request.action == "remove":
            return not self._state.manifest
        return self._state.phase == "Ready" and request.manifest == self._state.manifest

    async def _wait_to_retry(self, request: ClusterRequest) -> None:
        """What Git declares is brought about sooner or later, unless somebody says something new meanwhile."""
        try:
            await workflow.wait_condition(
                lambda: bool(self._queue) or self._state.refused != request or effects.should_continue_as_new(),
                timeout=timing().refused_retry,
            )
        except TimeoutError:
            self._queue.append(request)

    async def _operate(self, request: ClusterRequest) -> None:
        self._running = ids.registration(self._name, request.operation)
        self._show()
        await self._publish()
        report: RegistrationReport | None
        try:
            with tracing.within(self._traces.pop(request.operation, None)):
                report = await workflow.execute_child_workflow(
                    RegistrationWorkflow.run,
                    RegistrationStart(request=request, state=self._state),
                    id=self._running,
                    static_summary=f"{request.action} cluster {self._name} for {request.requester.username}",
                    priority=effects.fairness(self._name, waiting=True),
                )
        except ChildWorkflowError as error:
            report = await report_of(error, RegistrationReport)
            if report is None:
                self._state = self._state.model_copy(update={"message": f"{self._running} failed: {error.cause}"})
        finally:
            self._running = ""
            self._published = None  # what a removal closed that did not come about is opened again
        if report is not None:
            self._absorb(request, report)

    def _absorb(self, request: ClusterRequest, report: RegistrationReport) -> None:
        changes: dict[str, object] = {"refused": None, "findings": []}
        if report.state != "done" and asked_by_git(request):
            changes |= {"refused": request, "findings": report.findings}
        self._state = report.registered.model_copy(update=changes)

    def _carried(self) -> ClusterState:
        return ClusterState(**self._state.model_dump(), queue=self._queue, handled=self._handled)

    async def _publish(self) -> None:
        """Tell `namespaces/<cluster>` what is so of the cluster, if it does not know yet."""
        facts = facts_of(self._name, self._state, in_work=bool(self._queue or self._running))
        if facts == self._published or (self._published is None and not (facts.registered or self._state.removed)):
            return
        await perform(ClaimActivities.publish, facts, f"Claims: {self._name} is {facts.phase}")
        self._published = facts

    def _show(self) -> None:
        phase = "Changing" if self._running else self._state.phase
        details = "\n".join([self._state.message, *self._state.warnings]).strip()
        progress.describe("Cluster", phase, cluster=self._name, revision=self._state.commit, details=details)
