"""Questions to `namespaces/<cluster>`, which keeps who uses a cluster, and what its cluster tells it. Called by the workflows.

Every activity is idempotent: claims are keyed by runtime, reservations by operation and runtime.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import activity
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from activities.batches import Batches
from activities.elapsed import elapsed
from nautes.messages import errors, ids
from nautes.messages.claims import (
    ASKED_AT_ONCE,
    ClaimInput,
    ClusterFacts,
    Decision,
    Decisions,
    Grant,
    NamespacesInput,
    PageInput,
    Question,
    Questions,
    Refusal,
    Released,
    Reserved,
    ReserveInput,
    User,
    UsersPage,
    UsesInput,
)
from nautes.messages.control import Notified
from nautes.resources.payload import Payload

Answer = TypeVar("Answer", bound=Payload)

TIMEOUT = 10.0  # seconds until a cluster without a workflow counts as unknown: after a loss of Temporal's data it may be starting
UNKNOWN = "cluster-unknown"
ANSWER_WITHIN = timedelta(seconds=20)  # to an update
BATCH_SIZE = 200_000  # characters of questions in one update
USERS_NAMED = 200  # of a cluster, in one answer
PAGE = 1_000  # users read at a time


class ClaimsReader:
    """Reads from `namespaces/<cluster>`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def facts(self, cluster: str) -> ClusterFacts | None:
        """What the cluster's workflow said last; None where it has said nothing."""
        found: ClusterFacts | None = await self._query(cluster, "facts", ClusterFacts)
        return found

    async def users(self, cluster: str, page: PageInput) -> UsersPage:
        """Who uses a cluster; a cluster that nobody knows has no users."""
        found: UsersPage | None = await self._query(cluster, "users", UsersPage, page)
        return found or UsersPage()

    async def all_users(self, cluster: str) -> AsyncIterator[User]:
        """Everybody who uses a cluster."""
        page = PageInput(limit=PAGE)
        while True:
            found = await self.users(cluster, page)
            for each in found.users:
                yield each
            if not found.after:
                return
            page = PageInput(limit=PAGE, after=found.after)

    async def _query(self, cluster: str, query: str, answer: type, *arguments: Any) -> Any:
        handle: WorkflowHandle[Any, Any] = self._client.get_workflow_handle(ids.namespaces(cluster))
        try:
            return await handle.query(query, args=list(arguments), result_type=answer)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return None
            raise errors.Unavailable("temporal-unavailable", error.message) from error
        except WorkflowQueryFailedError as error:
            raise errors.Unavailable("temporal-unavailable", str(error)) from error


class ClaimActivities:
    """Questions of one process are gathered: see activities/batches.py."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._reader = ClaimsReader(client)
        self._batches: Batches[Question, Decision] = Batches(self._decide, most=ASKED_AT_ONCE, size=BATCH_SIZE)

    @activity.defn(name="claims.claim")
    async def claim(self, input: ClaimInput) -> Grant:
        """Ask the cluster for namespaces. Idempotent: keyed by the runtime."""
        decision = await self._ask(input.cluster, Question(action="claim", claim=input.claim))
        return _present(decision.grant)

    @activity.defn(name="claims.claim_host")
    async def claim_host(self, input: ClaimInput) -> Grant:
        """As `claim`, for a virtual cluster. Idempotent: keyed by it. Raises Refused for a host that is not registered."""
        try:
            return await self.claim(input)
        except errors.Unavailable as error:
            if error.code != UNKNOWN or elapsed() < TIMEOUT:
                raise
            text = f"a virtual cluster needs a registered host; {input.cluster} is not one"
            raise errors.Refused("cluster-host-unknown", text) from error

    @activity.defn(name="claims.release")
    async def release(self, input: ClaimInput) -> Released:
        """Give namespaces back. Idempotent: giving back nothing answers the same."""
        decision = await self._ask(input.cluster, Question(action="release", claim=input.claim))
        return _present(decision.released)

    @activity.defn(name="claims.reserve")
    async def reserve(self, input: ReserveInput) -> Reserved:
        """Ask the cluster for what a change needs, all or nothing. Idempotent: keyed by operation and runtime.

        Raises NotFound for a cluster without a workflow, once that had time to start.
        """
        try:
            decision = await self._ask(input.cluster, Question(action="reserve", reserve=input.reserve))
        except errors.Unavailable as error:
            if error.code != UNKNOWN or elapsed() < TIMEOUT:
                raise
            raise errors.NotFound("cluster-unknown", f"cluster {input.cluster} is not registered") from error
        return _present(decision.reserved)

    @activity.defn(name="claims.unreserve")
    async def unreserve(self, input: ReserveInput) -> Reserved:
        """Give back what a change reserved. Idempotent: a cluster that is not there holds nothing."""
        try:
            decision = await self._ask(input.cluster, Question(action="unreserve", reserve=input.reserve))
        except errors.Unavailable as error:
            if error.code != UNKNOWN:
                raise
            return Reserved(cluster=input.cluster)
        return _present(decision.reserved)

    @activity.defn(name="claims.uses")
    async def uses(self, input: UsesInput) -> Reserved:
        """Report to the cluster all environments that a product has on it. Idempotent: each report replaces the one before."""
        try:
            decision = await self._ask(input.cluster, Question(action="uses", uses=input.uses))
        except errors.Unavailable as error:
            if error.code != UNKNOWN or input.uses.environments:
                raise
            return Reserved(cluster=input.cluster)
        return _present(decision.reserved)

    @activity.defn(name="claims.publish")
    async def publish(self, facts: ClusterFacts) -> Notified:
        """Tell the workflow of the claims the facts of its cluster; start it if need be. Idempotent: the last facts count."""
        await self._client.start_workflow(
            "NamespaceClaims",
            NamespacesInput(cluster=facts.cluster),
            id=ids.namespaces(facts.cluster),
            task_queue=ids.TASK_QUEUE,
            start_signal="cluster_changed",
            start_signal_args=[facts],
            static_summary=f"Namespace claims of cluster {facts.cluster}",
        )
        return Notified(count=1)

    @activity.defn(name="claims.users")
    async def users(self, cluster: str) -> UsersPage:
        """The first of those who use a cluster, and how many there are. Idempotent: it only reads."""
        return await self._reader.users(cluster, PageInput(limit=USERS_NAMED))

    @activity.defn(name="claims.close")
    async def close(self, cluster: str) -> UsersPage:
        """As `users`; without any, no claim is granted until the cluster publishes its facts again. Idempotent."""
        try:
            return await self._update(ids.namespaces(cluster), "close", PageInput(limit=USERS_NAMED), UsersPage)
        except errors.Unavailable as error:
            if error.code != UNKNOWN:
                raise
            return UsersPage()

    async def _ask(self, cluster: str, question: Question) -> Decision:
        decision = await self._batches.ask(ids.namespaces(cluster), question)
        if decision.refusal:
            raise _error(decision.refusal)
        return decision

    async def _decide(self, workflow_id: str, questions: list[Question]) -> Sequence[Decision]:
        found: Decisions = await self._update(workflow_id, "decide", Questions(questions=questions), Decisions)
        return found.decisions

    async def _update(self, workflow_id: str, update: str, argument: Payload, answer: type[Answer]) -> Answer:
        handle: WorkflowHandle[Any, Any] = self._client.get_workflow_handle(workflow_id)
        try:
            found: Answer = await handle.execute_update(update, argument, result_type=answer, rpc_timeout=ANSWER_WITHIN)
        except (WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            raise errors.Unavailable("temporal-unavailable", f"{workflow_id} does not answer (yet)") from error
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                # After a loss of Temporal's data the tenant is about to start the cluster, and that one its claims.
                raise errors.Unavailable(UNKNOWN, f"{workflow_id} is not known (yet)") from error
            raise errors.Unavailable("temporal-unavailable", error.message) from error
        return found


def _present(answer: Answer | None) -> Answer:
    """Raises Unavailable where an answer lacks what was asked for: another release gave it."""
    if answer is None:
        raise errors.Unavailable("answer-incomplete", "the answer lacks what was asked for")
    return answer


def _error(refusal: Refusal) -> errors.NautesError:
    """The error behind a refusal."""
    kind = getattr(errors, refusal.kind, errors.Refused)
    if issubclass(kind, errors.Unavailable):
        return kind(refusal.code, refusal.message)
    found: errors.NautesError = kind(refusal.code, refusal.message, findings=refusal.findings)
    return found
