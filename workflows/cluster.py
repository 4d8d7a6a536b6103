"""A cluster: the queue before it, and the register of who uses its namespaces.

Commands (`submit`) come from the door, claims from runtimes through `control.claim`, `declared` from the tenant workflow
when the tenant repository says something new. Each command runs as its own `Registration`, one at a time.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError

with workflow.unsafe.imports_passed_through():
    from contracts import ids
    from contracts.clusters import (
        Claim,
        ClusterClaims,
        ClusterInput,
        ClusterState,
        Grant,
        KnownCluster,
        RegistrationInput,
    )
    from contracts.control import Released
    from contracts.errors import Conflict, NotFound, Refused, Unavailable
    from contracts.operations import Accepted, ClusterRequest, require_bounded
    from contracts.status import ClusterStatus
    from contracts.timing import TIMING
    from workflows import effects, progress
    from workflows.registration import RegistrationWorkflow

FROM_GIT = "git-"  # begins the operations that the tenant repository asked for


@workflow.defn(name="Cluster")
class ClusterWorkflow:
    """Sole writer of the cluster's manifest, kubeconfig secret, auth mount, components and register of claims."""

    @workflow.init
    def __init__(self, order: ClusterInput) -> None:
        self._name = order.name
        self._state = order.state or ClusterState()
        self._queue = list(self._state.queue)
        self._handled = list(self._state.handled)
        self._claims = dict(self._state.claims)
        self._running = ""

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
        """The tenant repository declares this cluster: converge to it if that is news."""
        if known.commit == self._state.commit and self._state.phase == "Ready":
            return
        if known.manifest == self._state.manifest:
            return
        operation = f"{FROM_GIT}{known.commit[:12]}"
        if effects.remember(self._handled, operation):
            self._queue.append(
                ClusterRequest(
                    operation=operation,
                    cluster=self._name,
                    action="apply",
                    manifest=known.manifest,
                    requester=known.requester,
                )
            )

    @workflow.update
    async def claim(self, claim: Claim) -> Grant:
        """Give namespaces to a runtime. Refused when another product, or a pipeline, has one of them."""
        self._require_ready(claim)
        for other in self._claims.values():
            if other.runtime != claim.runtime and (taken := _clash(claim, other)):
                raise effects.as_failure(
                    Conflict("namespace-taken", f"namespace {taken} of cluster {self._name} is used by {other.runtime}")
                )
        self._claims[claim.runtime] = claim
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
        self._claims.pop(claim.runtime, None)
        used = {name for other in self._claims.values() for name in other.namespaces}
        return Released(namespaces=[name for name in claim.namespaces if name not in used])

    @workflow.query
    def status(self) -> ClusterStatus:
        """The cluster as it is known here."""
        spec = self._state.manifest.get("spec", {})
        return ClusterStatus(
            name=self._name,
            phase=self._state.phase,
            usage=str(spec.get("usage", "")),
            worker_type=str(spec.get("workerType", "")),
            components=self._state.components,
            claims={key: each.namespaces for key, each in self._claims.items()},
            operation=self._running,
            queued=[ids.registration(self._name, each.operation) for each in self._queue[1 if self._running else 0 :]],
            message=self._state.message,
        )

    @workflow.query
    def claims(self) -> ClusterClaims:
        """Who uses which namespaces; read by the sweep for drift."""
        return ClusterClaims(kubeconfig=self._state.kubeconfig, claims=list(self._claims.values()))

    @workflow.run
    async def run(self, order: ClusterInput) -> None:
        while not self._state.removed:
            self._show()
            if not self._queue and effects.should_continue_as_new():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(ClusterInput(name=self._name, state=self._carried()))
            if not self._queue and self._state.again:
                await self._wait_to_try_again(self._state.again)
            await workflow.wait_condition(lambda: bool(self._queue) or effects.should_continue_as_new())
            if not self._queue:
                continue
            await self._operate(self._queue[0])
            self._queue.pop(0)
            if self._state.removed and self._queue:  # somebody registered it again meanwhile
                self._state = ClusterState()
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _wait_to_try_again(self, request: ClusterRequest) -> None:
        """What Git declares is brought about sooner or later, unless somebody says something new meanwhile."""
        try:
            await workflow.wait_condition(lambda: bool(self._queue), timeout=TIMING.refused_retry)
        except TimeoutError:
            self._queue.append(request)

    async def _operate(self, request: ClusterRequest) -> None:
        before = self._state.phase
        if request.action == "remove" and not self._claims:
            self._state = self._state.model_copy(update={"phase": "Removing"})  # no claim gets in from here on
        self._running = ids.registration(self._name, request.operation)
        self._show()
        try:
            report = await workflow.execute_child_workflow(
                RegistrationWorkflow.run,
                RegistrationInput(request=request, state=self._carried()),
                id=self._running,
                static_summary=f"{request.action} cluster {self._name} for {request.requester.username}",
                priority=effects.fairness(self._name, waiting=True),
            )
        except ChildWorkflowError as error:
            self._state = self._state.model_copy(update={"message": f"{self._running} failed: {error.cause}"})
        else:
            self._state = report.registered
            refused = report.state != "done"
            if refused and not report.effects and self._state.phase == "Removing":
                self._state = self._state.model_copy(update={"phase": before})  # nothing was taken away
            again = request if refused and request.operation.startswith(FROM_GIT) else None
            self._state = self._state.model_copy(update={"again": again})
        finally:
            self._running = ""

    def _require_ready(self, claim: Claim) -> None:
        if self._state.phase != "Ready":
            if not (self._state.manifest or self._queue or self._running or self._state.again):
                raise effects.as_failure(NotFound("cluster-unknown", f"cluster {self._name} is not registered"))
            raise effects.as_failure(
                Unavailable("cluster-not-ready", f"cluster {self._name} is {self._state.phase}: {self._state.message}")
            )
        worker_type = str(self._state.manifest.get("spec", {}).get("workerType", ""))
        if claim.worker_type and worker_type != claim.worker_type:
            raise effects.as_failure(
                Refused(
                    "cluster-worker-type", f"cluster {self._name} is a {worker_type} worker, not {claim.worker_type}"
                )
            )

    def _carried(self) -> ClusterState:
        return self._state.model_copy(
            update={"queue": self._queue, "handled": self._handled, "claims": dict(self._claims)}
        )

    def _show(self) -> None:
        phase = "Changing" if self._running else self._state.phase
        lines = [f"- {key}: {', '.join(each.namespaces)}" for key, each in sorted(self._claims.items())]
        details = "\n".join([self._state.message, *lines]).strip()
        progress.describe("Cluster", phase, cluster=self._name, revision=self._state.commit, details=details)


def _clash(claim: Claim, other: Claim) -> str:
    """The first namespace both want. Deployments of one product may share one; nobody shares with a pipeline."""
    both = set(claim.namespaces) & set(other.namespaces)
    shared = claim.product_id == other.product_id and "pipeline" not in (claim.worker_type, other.worker_type)
    return min(both) if both and not shared else ""


def _allowed_kinds(state: ClusterState, product: str) -> list[str]:
    allowed = state.manifest.get("spec", {}).get("productAllowedClusterResources") or {}
    return [f"{each.get('group', '')}/{each.get('kind', '')}" for each in allowed.get(product, [])]


def _platform_namespaces(state: ClusterState) -> list[str]:
    components = state.manifest.get("spec", {}).get("componentsList") or {}
    named = [str(each.get("namespace")) for each in components.values() if each and each.get("namespace")]
    return sorted({*named, "nautes", "vault", "kube-system", "kube-public", "kube-node-lease"})
