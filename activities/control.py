"""Effects on other workflows and on schedules: messages, waking, waiting. Called by the long-lived workflows.

Every activity is idempotent: messages are level-triggered, schedules are compared first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from temporalio import activity
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.common import Priority, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.waiting import not_yet
from nautes.messages import errors, ids, search
from nautes.messages.clusters import ClusterInput, KnownCluster
from nautes.messages.control import Notified, NotifyInput, ObserveInput, PushesInput, WakeInput
from nautes.messages.declarations import AccessRequest
from nautes.messages.gitlab import SweepInput
from nautes.messages.operations import REPORT
from nautes.messages.products import ProductInput
from nautes.messages.runtimes import DeploymentInput, PipelineInput
from nautes.messages.tenant import TenantInput
from nautes.resources.findings import Finding
from nautes.resources.payload import Payload

SWEEP_PRIORITY = 5
STARTED_AT_ONCE = 16  # workflows
SWEEP_LASTS = (
    600.0  # seconds: a sweep for pushes looks many times, so that its schedule does not flood the list of workflows
)
ANSWER_WITHIN = timedelta(seconds=20)  # to an update
AT_ONCE = 4  # updates of one workflow; Temporal takes 10 by default, of all workers and the API together
TURN_WITHIN = 10.0  # seconds; an update that takes longer gives its place to others and is retried


@dataclass(frozen=True)
class Sweeps:
    """Seconds between two looks for pushes, and between two for keys and tokens that run out."""

    branches: float = 30.0
    credentials: float = 86_400.0


class ControlActivities:
    """Keys and tokens are renewed `renew_before` days early."""

    def __init__(self, client: Client, tenant: TenantInput, sweeps: Sweeps, *, renew_before: int) -> None:
        self._client = client
        self._tenant = tenant
        self._sweeps = sweeps
        self._renew_before = renew_before
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()  # by workflow id

    @asynccontextmanager
    async def _turn(self, workflow_id: str) -> AsyncIterator[None]:
        """Send one workflow few updates at a time: beyond its limit the server also drops updates that are under way."""
        turns = self._turns.setdefault(workflow_id, asyncio.Semaphore(AT_ONCE))
        try:
            async with asyncio.timeout(TURN_WITHIN):
                await turns.acquire()
        except TimeoutError:
            raise errors.Unavailable("workflow-busy", f"too many updates of {workflow_id} are under way") from None
        try:
            yield
        finally:
            turns.release()

    @activity.defn(name="control.request_access")
    async def request_access(self, input: AccessRequest) -> Notified:
        """Request access to repositories from their owner. Idempotent: the last request counts. Raises Refused."""
        handle: WorkflowHandle[Any, Any] = self._client.get_workflow_handle(ids.product(input.owner))
        try:
            async with self._turn(handle.id):
                await handle.execute_update("request_access", input, rpc_timeout=ANSWER_WITHIN)
        except WorkflowUpdateFailedError as error:
            raise _refusal(error) from error
        except RPCError as error:
            raise errors.Unavailable("owner-unknown", f"product {input.owner} does not answer (yet)") from error
        return Notified(count=1)

    @activity.defn(name="control.report_use")
    async def report_use(self, input: AccessRequest) -> Notified:
        """Report to the owner of repositories which we use. Idempotent: the last report counts."""
        await self._signal_existing(ids.product(input.owner), "use_reported", input)
        return Notified(count=1)

    @activity.defn(name="control.renew_due")
    async def renew_due(self, _: int) -> Notified:
        """Wake the products whose keys or tokens expire soon: one listing. Idempotent: each product checks its own."""
        due = (datetime.now(UTC) + timedelta(days=self._renew_before)).date().isoformat()
        count = 0
        query = f"{search.KIND.name} = 'Product' AND {search.RENEW.name} <= '{due}' AND ExecutionStatus = 'Running'"
        async for each in self._client.list_workflows(query):
            activity.heartbeat()
            await self._signal_existing(each.id, "renew")
            count += 1
        return Notified(count=count)

    @activity.defn(name="control.notify_runtimes")
    async def notify_runtimes(self, input: NotifyInput) -> Notified:
        """Notify runtimes of their specifications. Idempotent: the same specification twice changes nothing."""
        for spec in input.deployments:
            deployment = DeploymentInput(product=spec.product, runtime=spec.runtime)
            key = ids.deployment(spec.product, spec.runtime)
            await self._signal("Deployment", key, deployment, "specified", spec, spec.product)
        for pipeline in input.pipelines:
            start = PipelineInput(product=pipeline.product, runtime=pipeline.runtime)
            key = ids.pipeline(pipeline.product, pipeline.runtime)
            await self._signal("Pipeline", key, start, "specified", pipeline, pipeline.product)
        for removed in input.removed:
            await self._signal_existing(removed, "remove")
        return Notified(count=len(input.deployments) + len(input.pipelines) + len(input.removed))

    @activity.defn(name="control.wake")
    async def wake(self, input: WakeInput) -> Notified:
        """Start or wake the workflows of what exists. Idempotent: a running one is notified of what it knows already."""
        for known in input.clusters:
            await self._signal(
                "Cluster", ids.cluster(known.name), ClusterInput(name=known.name), "declared", known, known.name
            )
            await self.ensure_observer(known.name)
        absent = [each.name for each in input.gone if not await self._still_there(each)]
        for name in absent:  # one that stays, because it is in use, is watched until its removal
            await self.end_observer(name)
        turns = asyncio.Semaphore(STARTED_AT_ONCE)
        await asyncio.gather(*(self._ensure_product(path, turns) for path in input.products))
        return Notified(count=len(input.clusters) + len(input.gone) + len(input.products), absent=absent)

    async def _ensure_product(self, path: str, turns: asyncio.Semaphore) -> None:
        async with turns:
            await self._client.start_workflow(
                "Product",
                ProductInput(path=path),
                id=ids.product(path),
                task_queue=ids.TASK_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary=f"Product {path}",
                priority=Priority(fairness_key=path[:64]),
            )

    async def _still_there(self, gone: KnownCluster) -> bool:
        return await self._signal_existing(ids.cluster(gone.name), "declared", gone)

    @activity.defn(name="control.deliver_pushes")
    async def deliver_pushes(self, input: PushesInput) -> Notified:
        """Pass pushes on to the workflows they concern. Idempotent: receivers drop events they have handled."""
        for push in input.pushes:
            product = push.repository.rpartition("/")[0]
            if push.repository == f"{self._tenant.tenant}/management":
                await self._signal("Tenant", ids.TENANT, self._tenant, "pushed", push, self._tenant.tenant)
            elif product:
                await self._signal_existing(ids.product(product), "pushed", push)
        return Notified(count=len(input.pushes))

    @activity.defn(name="control.ended")
    async def ended(self, workflow_id: str) -> Notified:
        """Whether a workflow has ended; raises NotYet while it runs. Idempotent: it only reads. `count` 0: there is none."""
        status = await self._status(workflow_id)
        if status == WorkflowExecutionStatus.RUNNING:
            raise not_yet(f"{workflow_id} still runs")
        return Notified(count=0 if status is None else 1)

    @activity.defn(name="control.report")
    async def report(self, workflow_id: str) -> dict[str, Any]:
        """The report that a cancelled operation left in its memo; empty without one. Idempotent: it only reads."""
        try:
            description = await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            raise errors.Unavailable("temporal-unavailable", error.message) from error
        return dict((await description.memo()).get(REPORT) or {})

    @activity.defn(name="control.cancel_runs")
    async def cancel_runs(self, workflow_ids: list[str]) -> Notified:
        """Cancel workflows; raises NotYet until all have ended. Idempotent: one that has ended is left alone."""
        running = [each for each in workflow_ids if await self._status(each) == WorkflowExecutionStatus.RUNNING]
        for each in running:
            await self._cancel(each)
        if running:
            raise not_yet(f"{len(running)} runs are being cancelled, {running[0]} first")
        return Notified(count=len(workflow_ids))

    async def _status(self, workflow_id: str) -> WorkflowExecutionStatus | None:
        """The status of a workflow's newest run, None when there is none."""
        try:
            return (await self._client.get_workflow_handle(workflow_id).describe()).status
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return None
            raise errors.Unavailable("temporal-unavailable", error.message) from error

    @activity.defn(name="control.ensure_schedules")
    async def ensure_schedules(self, _: int) -> Notified:
        """The schedules of the sweeps as they should be. Idempotent: created once, corrected when different, a pause is kept."""
        looks = max(1, round(SWEEP_LASTS / self._sweeps.branches))
        branches = SweepInput(looks=looks, seconds=self._sweeps.branches)
        # The next one begins when the last one has ended: one that takes long leaves no gap.
        one_after_the_other = ScheduleOverlapPolicy.BUFFER_ONE
        await self._ensure(
            ids.BRANCH_SWEEP,
            _schedule("BranchSweep", ids.BRANCH_SWEEP, looks * branches.seconds, one_after_the_other, branches),
        )
        credentials = _schedule(
            "CredentialSweep", ids.CREDENTIAL_SWEEP, self._sweeps.credentials, ScheduleOverlapPolicy.SKIP
        )
        await self._ensure(ids.CREDENTIAL_SWEEP, credentials)
        return Notified(count=2)

    async def _ensure(self, key: str, schedule: Schedule) -> None:
        try:
            await self._client.create_schedule(key, schedule, trigger_immediately=True)
        except ScheduleAlreadyRunningError:
            await self._client.get_schedule_handle(key).update(lambda found: _corrected(found, schedule))

    @activity.defn(name="control.ensure_observer")
    async def ensure_observer(self, cluster: str) -> Notified:
        """Something watches the cluster. Idempotent: one that does is left alone."""
        await self._client.start_workflow(
            "Observer",
            ObserveInput(cluster=cluster),
            id=ids.observer(cluster),
            task_queue=ids.TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"Watches cluster {cluster}",
            priority=Priority(priority_key=SWEEP_PRIORITY),
        )
        return Notified(count=1)

    @activity.defn(name="control.end_observer")
    async def end_observer(self, cluster: str) -> Notified:
        """Nothing watches the cluster any more. Idempotent: one that has ended is success."""
        await self._cancel(ids.observer(cluster))
        return Notified(count=1)

    async def _cancel(self, workflow_id: str) -> None:
        """Cancel a workflow; one that has ended, or never was, is success."""
        try:
            await self._client.get_workflow_handle(workflow_id).cancel()
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise errors.Unavailable("temporal-unavailable", error.message) from error

    async def _signal(self, kind: str, key: str, start: object, signal: str, message: object, fair: str) -> None:
        await self._client.start_workflow(
            kind,
            start,
            id=key,
            task_queue=ids.TASK_QUEUE,
            start_signal=signal,
            start_signal_args=[message],
            static_summary=key,
            priority=Priority(fairness_key=fair[:64]),
        )

    async def _signal_existing(self, key: str, signal: str, *message: object) -> bool:
        """False: there is no such workflow (any more)."""
        try:
            await self._client.get_workflow_handle(key).signal(signal, args=list(message))
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise errors.Unavailable("temporal-unavailable", error.message) from error
            return False
        return True


def _schedule(name: str, key: str, seconds: float, overlap: ScheduleOverlapPolicy, *arguments: Payload) -> Schedule:
    action = ScheduleActionStartWorkflow(
        name,
        args=list(arguments),
        id=key,
        task_queue=ids.TASK_QUEUE,
        priority=Priority(priority_key=SWEEP_PRIORITY),
    )
    return Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=seconds))]),
        policy=SchedulePolicy(overlap=overlap, catchup_window=timedelta(seconds=60)),
        state=ScheduleState(note=" ".join(each.model_dump_json() for each in arguments)),
    )


def _corrected(found: ScheduleUpdateInput, wanted: Schedule) -> ScheduleUpdate | None:
    current = found.description.schedule
    same = current.spec.intervals == wanted.spec.intervals and current.policy == wanted.policy
    if same and current.state.note == wanted.state.note:
        return None
    wanted.state.paused = current.state.paused  # an update replaces every field
    return ScheduleUpdate(schedule=wanted)


def _findings(details: dict[str, Any]) -> list[Finding]:
    return [Finding.model_validate(each) for each in details.get("findings", [])]


def _refusal(error: WorkflowUpdateFailedError) -> Exception:
    """Our own error behind a refused update."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type and cause.details and isinstance(cause.details[0], dict):
        kind = getattr(errors, cause.type, None)
        if isinstance(kind, type) and issubclass(kind, errors.NautesError):
            details = cause.details[0]
            more = {} if issubclass(kind, errors.Unavailable) else {"findings": _findings(details)}
            return kind(str(details.get("code", "")), str(details.get("message", "")), **more)
    return errors.Unavailable("update-failed", str(cause))
