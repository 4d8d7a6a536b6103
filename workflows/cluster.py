"""A cluster: the queue before it, and the register of who uses it.

Commands (`submit`) come from the API, claims from runtimes through `control.claim`, reservations from changes, environments
from products, `declared` from the tenant workflow when the tenant repository says something new. Each command runs as its own
`Registration`, one at a time.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError

with workflow.unsafe.imports_passed_through():
    from nautes.messages import ids
    from nautes.messages.clusters import (
        Claim,
        ClusterClaims,
        Grant,
        KnownCluster,
        Reserve,
        Reserved,
        Uses,
    )
    from nautes.messages.control import Released
    from nautes.messages.errors import NautesError, NotFound, Refused, Unavailable
    from nautes.messages.operations import Accepted, ClusterRequest, require_bounded
    from nautes.messages.status import ClusterStatus
    from workflows import effects, progress
    from workflows.claims import Claims
    from workflows.cluster_state import ClusterStart, ClusterState, RegistrationReport, RegistrationStart
    from workflows.registration import RegistrationWorkflow, asked_by_git, operation_of
    from workflows.timing import timing


@workflow.defn(name="Cluster")
class ClusterWorkflow:
    """Sole writer of the cluster's manifest, kubeconfig secret, auth mount, components and register of users."""

    @workflow.init
    def __init__(self, input: ClusterStart) -> None:
        self._name = input.name
        self._state = input.state or ClusterState()
        self._queue = list(self._state.queue)
        self._handled = list(self._state.handled)
        self._claims = Claims(input.name, self._state)
        self._running = ""

    # Commands

    @workflow.update
    async def submit(self, request: ClusterRequest) -> Accepted:
        """Queue a registration, an update or a removal; the same operation twice is queued once."""
        if effects.remember(self._handled, request.operation):
            self._queue.append(request)
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
            self._state = ClusterState(removed=True, phase="Removed")

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

    # The register

    @workflow.update
    async def claim(self, claim: Claim) -> Grant:
        """Give namespaces to a runtime. Refused when another product, or a pipeline, has or awaits one of them."""
        self._require_ready()
        self._require_kind(claim)
        effects.require(self._claims.claim, claim)
        assert self._state.kubeconfig is not None  # noqa: S101 - Ready implies it
        return Grant(
            cluster=self._name,
            kubeconfig=self._state.kubeconfig,
            allowed_cluster_kinds=_allowed_kinds(self._state, claim.product),
            platform_namespaces=_platform_namespaces(self._state),
        )

    @workflow.update
    async def release(self, claim: Claim) -> Released:
        """Take a claim back; answers with the namespaces that nobody uses any more."""
        return Released(namespaces=self._claims.release(claim))

    @workflow.update
    async def reserve(self, input: Reserve) -> Reserved:
        """What a change needs, all or nothing, before its commit. Refused as a claim is."""
        self._require_ready()
        for claim in input.claims:
            self._require_kind(claim)
        try:
            return self._claims.reserve(input)
        except NautesError as error:
            raise effects.as_failure(error) from error

    @workflow.update
    async def unreserve(self, input: Reserve) -> Reserved:
        """The change did not come about: what it reserved is given back."""
        return self._claims.unreserve(input)

    @workflow.update
    async def uses(self, uses: Uses) -> Reserved:
        """A product says which of its environments stand here, and which runtimes it has."""
        return self._claims.uses(uses)

    def _require_ready(self) -> None:
        if self._state.phase == "Ready":
            return
        if not (self._state.manifest or self._queue or self._running or self._state.refused):
            raise effects.as_failure(NotFound("cluster-unknown", f"cluster {self._name} is not registered"))
        raise effects.as_failure(
            Unavailable("cluster-not-ready", f"cluster {self._name} is {self._state.phase}: {self._state.message}")
        )

    def _require_kind(self, claim: Claim) -> None:
        spec = self._state.manifest.get("spec", {})
        host = spec.get("usage") == "host"
        found = "host" if host else str(spec.get("workerType", ""))
        if claim.worker_type and found != claim.worker_type:
            text = f"cluster {self._name} is a {found}{'' if host else ' worker'}, not {claim.worker_type}"
            raise effects.as_failure(Refused("cluster-worker-type", text))

    # What people and sweeps see

    @workflow.query
    def status(self) -> ClusterStatus:
        """The cluster as it is known here."""
        state = self._carried()
        spec = state.manifest.get("spec", {})
        return ClusterStatus(
            name=self._name,
            phase=state.phase,
            usage=str(spec.get("usage", "")),
            worker_type=str(spec.get("workerType", "")),
            components=state.components,
            claims={key: each.namespaces for key, each in state.claims.items()},
            reservations={key: each.namespaces for key, each in state.reservations.items()},
            environments=state.environments,
            warnings=state.warnings,
            findings=state.findings,
            operation=self._running,
            queued=[ids.registration(self._name, each.operation) for each in self._queue[1 if self._running else 0 :]],
            message=state.message,
        )

    @workflow.query
    def claims(self) -> ClusterClaims:
        """Who uses which namespaces; read by the sweep for drift."""
        return ClusterClaims(kubeconfig=self._state.kubeconfig, claims=list(self._claims.claims.values()))

    # Life

    @workflow.run
    async def run(self, input: ClusterStart) -> None:
        while self._queue or not self._state.removed:
            await self._turn()
            if self._state.removed:
                await workflow.wait_condition(workflow.all_handlers_finished)  # one of them may queue something

    async def _turn(self) -> None:
        """One operation, or the wait for one."""
        if self._state.removed:  # somebody registers it again
            self._state = ClusterState()
        self._show()
        if not self._queue and effects.should_continue_as_new():
            await workflow.wait_condition(workflow.all_handlers_finished)
            workflow.continue_as_new(ClusterStart(name=self._name, state=self._carried()))
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
                lambda: bool(self._queue) or self._state.refused != request, timeout=timing().refused_retry
            )
        except TimeoutError:
            self._queue.append(request)

    async def _operate(self, request: ClusterRequest) -> None:
        before = self._state.phase
        if request.action == "remove" and not request.dry_run and not self._carried().users():
            self._state = self._state.model_copy(update={"phase": "Removing"})  # no claim gets in from here on
        self._running = ids.registration(self._name, request.operation)
        self._show()
        try:
            report = await workflow.execute_child_workflow(
                RegistrationWorkflow.run,
                RegistrationStart(request=request, state=self._carried()),
                id=self._running,
                static_summary=f"{request.action} cluster {self._name} for {request.requester.username}",
                priority=effects.fairness(self._name, waiting=True),
            )
        except ChildWorkflowError as error:
            self._state = self._state.model_copy(update={"message": f"{self._running} failed: {error.cause}"})
        else:
            self._absorb(request, report, before)
        finally:
            self._running = ""

    def _absorb(self, request: ClusterRequest, report: RegistrationReport, before: str) -> None:
        changes: dict[str, object] = {"refused": None, "findings": []}
        if report.registered.phase == "Removing" and not report.effects:
            changes["phase"] = before  # nothing was taken away
        if report.state != "done" and asked_by_git(request):
            changes |= {"refused": request, "findings": report.findings}
        self._state = report.registered.model_copy(update=changes)

    def _carried(self) -> ClusterState:
        carried = {"queue": self._queue, "handled": self._handled, **self._claims.carried()}
        return self._state.model_copy(update=carried)

    def _show(self) -> None:
        phase = "Changing" if self._running else self._state.phase
        lines = [f"- {key}: {', '.join(each.namespaces)}" for key, each in sorted(self._claims.claims.items())]
        details = "\n".join([self._state.message, *self._state.warnings, *lines]).strip()
        progress.describe("Cluster", phase, cluster=self._name, revision=self._state.commit, details=details)


def _allowed_kinds(state: ClusterState, product: str) -> list[str]:
    allowed = state.manifest.get("spec", {}).get("productAllowedClusterResources") or {}
    return [f"{each.get('group', '')}/{each.get('kind', '')}" for each in allowed.get(product, [])]


def _platform_namespaces(state: ClusterState) -> list[str]:
    components = state.manifest.get("spec", {}).get("componentsList") or {}
    named = [str(each.get("namespace")) for each in components.values() if each and each.get("namespace")]
    return sorted({*named, "nautes", "vault", "kube-system", "kube-public", "kube-node-lease"})
