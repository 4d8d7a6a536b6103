"""The namespace claims of a cluster: who may write where. One workflow per cluster, the sole writer of this.

Questions come as the update `decide`, many at a time (activities/claims.py gathers them, since Temporal lets few updates of one
workflow be under way). `cluster/<name>` tells it by the signal `cluster_changed` whether claims are granted, and on what terms.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from nautes.messages.claims import (
        Claim,
        ClusterFacts,
        Decision,
        Decisions,
        Grant,
        PageInput,
        Question,
        Questions,
        Refusal,
        UsersPage,
    )
    from nautes.messages.errors import NautesError, NotFound, Refused, Unavailable
    from workflows import effects, progress, releases
    from workflows.claims import Claims
    from workflows.claims_state import NamespacesStart

REMOVING = "Removing"


@workflow.defn(name="NamespaceClaims")
class NamespaceClaimsWorkflow(releases.LongLived):
    """Ends when its cluster is removed and nobody uses it."""

    @workflow.init
    def __init__(self, input: NamespacesStart) -> None:
        self._cluster = input.cluster
        self._facts = input.facts
        self._shown = input.facts
        self._claims = Claims(input.cluster, input.state())

    @workflow.signal
    def cluster_changed(self, facts: ClusterFacts) -> None:
        """What is so of the cluster from now on; also opens again what was closed for a removal that did not come about."""
        self._facts = facts

    @workflow.update
    async def decide(self, asked: Questions) -> Decisions:
        """Answer questions in their order. What one of them is refused refuses none of the others."""
        return Decisions(decisions=[self._decision(each) for each in asked.questions])

    @workflow.update
    async def close(self, page: PageInput) -> UsersPage:
        """Who uses the cluster. If nobody does, no claim and no reservation gets in until `cluster_changed` says otherwise."""
        found = self._claims.users(page)
        if not found.total and self._facts:
            self._facts = self._facts.model_copy(update={"phase": REMOVING})
        return found

    @workflow.query
    def users(self, page: PageInput) -> UsersPage:
        """Who uses the cluster, page by page."""
        return self._claims.users(page)

    @workflow.query
    def facts(self) -> ClusterFacts | None:
        """What the cluster's workflow said last."""
        return self._facts

    @workflow.run
    async def run(self, input: NamespacesStart) -> None:
        while not self._is_over():
            self._show()
            await workflow.wait_condition(self._is_news)
            if effects.should_continue_as_new():
                await workflow.wait_condition(workflow.all_handlers_finished)
                releases.continue_as_new(NamespacesStart.of(self._cluster, self._facts, self._claims.state()))
        await workflow.wait_condition(workflow.all_handlers_finished)

    def _is_news(self) -> bool:
        return self._facts != self._shown or self._is_over() or effects.should_continue_as_new()

    def _is_over(self) -> bool:
        return self._facts is not None and not self._facts.registered and not self._claims.total()

    def _decision(self, asked: Question) -> Decision:
        try:
            return self._answer(asked)
        except NautesError as error:
            refusal = Refusal(
                kind=type(error).__name__, code=error.code, message=error.message, findings=list(error.findings)
            )
            return Decision(refusal=refusal)

    def _answer(self, asked: Question) -> Decision:
        if asked.action == "claim" and asked.claim:
            grant = self._grant(asked.claim)
            self._claims.claim(asked.claim)
            return Decision(grant=grant)
        if asked.action == "release" and asked.claim:
            return Decision(released=self._claims.release(asked.claim))
        if asked.action == "reserve" and asked.reserve:
            facts = self._ready()
            for claim in asked.reserve.claims:
                self._require_kind(facts, claim)
            return Decision(reserved=self._claims.reserve(asked.reserve))
        if asked.action == "unreserve" and asked.reserve:
            return Decision(reserved=self._claims.unreserve(asked.reserve))
        if asked.action == "uses" and asked.uses:
            return Decision(reserved=self._claims.uses(asked.uses))
        raise Refused("question-incomplete", f"the question {asked.action} lacks its argument")

    def _grant(self, claim: Claim) -> Grant:
        facts = self._ready()
        self._require_kind(facts, claim)
        assert facts.kubeconfig is not None  # noqa: S101 - a cluster that is ready has one
        return Grant(
            cluster=self._cluster,
            kubeconfig=facts.kubeconfig,
            allowed_cluster_kinds=facts.allowed_cluster_kinds.get(claim.product, []),
            platform_namespaces=facts.platform_namespaces,
        )

    def _ready(self) -> ClusterFacts:
        facts = self._facts
        if facts is None or not facts.registered:
            raise NotFound("cluster-unknown", f"cluster {self._cluster} is not registered")
        if facts.phase != "Ready":
            text = f"cluster {self._cluster} is {facts.phase}: {facts.message}"
            raise Unavailable("cluster-not-ready", text)
        return facts

    def _require_kind(self, facts: ClusterFacts, claim: Claim) -> None:
        if claim.worker_type and facts.worker != claim.worker_type:
            found = facts.worker if facts.worker == "host" else f"{facts.worker} worker"
            raise Refused("cluster-worker-type", f"cluster {self._cluster} is a {found}, not {claim.worker_type}")

    def _show(self) -> None:
        self._shown = self._facts
        phase = self._facts.phase if self._facts else "Registering"
        progress.describe("NamespaceClaims", phase, cluster=self._cluster)
