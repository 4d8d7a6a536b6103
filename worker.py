"""Composition root of the worker: settings -> clients -> activities -> Temporal workers. Run as `python -m worker`.

One Temporal worker per task queue (workflows/queues.py), all of them or those that `--queues` names. Nothing else builds clients
or registers workflows. At boot the tenant workflow is started, unless it is running.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Interceptor, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities import collect
from activities.bulkheads import BulkheadInterceptor
from activities.claims import ClaimActivities
from activities.clusters import ClusterActivities
from activities.components import ComponentActivities
from activities.context import ContextInterceptor
from activities.control import ControlActivities, Sweeps
from activities.definitions import name_of
from activities.errors import ErrorInterceptor
from activities.feed import FeedActivities
from activities.git import GitActivities
from activities.gitlab import GitLabActivities
from activities.heartbeats import HeartbeatInterceptor
from activities.kubernetes import KubernetesActivities
from activities.observer import ObserverActivities
from activities.products import ProductActivities
from activities.repositories import RepositoryActivities
from activities.runtimes import RuntimeActivities
from activities.tekton import TektonActivities
from activities.vault import VaultActivities
from activities.virtual import VirtualActivities
from nautes.clients.builds import Deployment, build_of, deployment_config
from nautes.clients.declarations import Declarations
from nautes.clients.git import GitCache
from nautes.clients.gitlab import GitLab
from nautes.clients.health import dependencies
from nautes.clients.kubernetes import Clusters
from nautes.clients.pace import Pace
from nautes.clients.settings import Settings
from nautes.clients.temporal import connect
from nautes.clients.vault import Vault
from nautes.messages import ids
from nautes.messages.tenant import TenantInput
from nautes.planning.known import Lifetime
from nautes.rules import deletions
from nautes.telemetry import logs, tracing
from nautes.telemetry.checks import Checks
from nautes.telemetry.operations import Operations
from nautes.telemetry.queues import TaskQueues
from nautes.telemetry.sdk import SdkMetrics
from nautes.telemetry.survey import Survey
from nautes.telemetry.work import Work
from workflows.change import ChangeWorkflow
from workflows.cluster import ClusterWorkflow
from workflows.deployment import DeploymentWorkflow
from workflows.namespaces import NamespaceClaimsWorkflow
from workflows.observer import ObserverWorkflow
from workflows.pipeline import PipelineWorkflow
from workflows.product import ProductWorkflow
from workflows.queues import ACTIVITIES, BY_SYSTEM, CLUSTERS, GITLAB, OBSERVE, named
from workflows.registration import RegistrationWorkflow
from workflows.run import PipelineRunWorkflow
from workflows.sweeps import BranchSweepWorkflow, CredentialSweepWorkflow
from workflows.tenant import TenantWorkflow
from workflows.timing import Timing, TimingInterceptor

HEARD_WITHIN = 0.5  # seconds: heartbeats are sent at least as often, so that a cancellation arrives soon
SLOTS = {"": 24, GITLAB: 32, CLUSTERS: 40}  # activities at once, by queue; each may block on the network
OBSERVERS = 1_000  # clusters that one process may watch; they hold no threads
WORKFLOW_QUEUE = "workflows"  # what `--queues` calls the queue of the workflows
WORKFLOWS: Sequence[type] = (
    TenantWorkflow,
    ClusterWorkflow,
    NamespaceClaimsWorkflow,
    RegistrationWorkflow,
    ProductWorkflow,
    ChangeWorkflow,
    DeploymentWorkflow,
    PipelineWorkflow,
    PipelineRunWorkflow,
    BranchSweepWorkflow,
    CredentialSweepWorkflow,
    ObserverWorkflow,
)
# Packages that are safe to share with the workflow sandbox: they do nothing at import.
PASSED_THROUGH = ("nautes", "activities")


def activities(settings: Settings, client: Client) -> list[Callable[..., Any]]:
    """Every activity, with its clients."""
    gitlab = GitLab(
        settings.gitlab_url, settings.gitlab_token, settings.request_seconds, pace=Pace(settings.gitlab_share)
    )
    vault = Vault(settings.vault_addr, settings.vault_role_id, settings.vault_secret_id, settings.request_seconds)
    git = GitCache(settings.state_dir / "git", settings.gitlab_url, lambda: ("nautes", settings.gitlab_token))
    clusters = Clusters(vault.kubeconfig, allow_loopback=settings.allow_loopback)
    declarations = Declarations(gitlab, git, settings.tenant)
    sweeps = Sweeps(branches=settings.sweep_seconds, credentials=settings.credential_seconds)
    control = ControlActivities(client, tenant(settings), sweeps, renew_before=settings.renew_before_days)
    return collect(
        control,
        ClaimActivities(client),
        FeedActivities(gitlab),
        GitLabActivities(gitlab, settings.tenant),
        RepositoryActivities(gitlab, vault, hooks_url(settings), lifetime(settings)),
        VaultActivities(vault, clusters),
        GitActivities(git),
        KubernetesActivities(clusters, git),
        ProductActivities(declarations, gitlab, limits(settings), clusters, git),
        ClusterActivities(declarations, gitlab, clusters),
        ComponentActivities(clusters),
        RuntimeActivities(clusters),
        TektonActivities(clusters, git),
        ObserverActivities(client, clusters, settings.resync_seconds),
        VirtualActivities(clusters, vault),
    )


def limits(settings: Settings) -> deletions.Limits:
    """How much a change may delete without a confirmation."""
    return deletions.Limits(settings.deletions_free, settings.deletions_share, settings.deletions_number)


def lifetime(settings: Settings) -> Lifetime:
    """How long deploy keys and access tokens live."""
    return Lifetime(days=settings.credential_days, renew_before=settings.renew_before_days)


def timing(settings: Settings) -> Timing:
    """Timeouts and intervals of the workflows that this worker runs."""
    return Timing(heartbeat=settings.heartbeat_seconds, retry_maximum=settings.retry_maximum_seconds)


def tenant(settings: Settings) -> TenantInput:
    """What the tenant's workflow is started with."""
    return TenantInput(tenant=settings.tenant, hooks_url=hooks_url(settings))


def hooks_url(settings: Settings) -> str:
    """Where GitLab reaches our receiver; "/<project id>" is appended per repository."""
    return f"{settings.api_url.rstrip('/')}/api/v1/hooks/gitlab"


def runner() -> SandboxedWorkflowRunner:
    """The sandbox of workflow code, which passes through only the packages named above. Replays use it as well."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


def workers(
    settings: Settings, client: Client, queues: Sequence[str] = ("", *ACTIVITIES), *, max_cached_workflows: int = 1000
) -> list[Worker]:
    """One worker per queue. The one of the workflows also runs the activities that wait for nobody outside."""
    by_queue: dict[str, list[Callable[..., Any]]] = {each: [] for each in ("", *ACTIVITIES)}
    for each in activities(settings, client):
        by_queue[BY_SYSTEM.get(name_of(each).partition(".")[0], "")].append(each)
    return [
        _worker(settings, client, queue, by_queue[queue], max_cached_workflows=max_cached_workflows) for queue in queues
    ]


def _worker(
    settings: Settings,
    client: Client,
    queue: str,
    activities: Sequence[Callable[..., Any]],
    *,
    max_cached_workflows: int,
) -> Worker:
    slots = SLOTS.get(queue, 1)
    interceptors: list[Interceptor] = [
        ContextInterceptor(),
        ErrorInterceptor(),
        HeartbeatInterceptor(),
        TimingInterceptor(timing(settings)),
    ]
    if queue == CLUSTERS:
        interceptors.append(BulkheadInterceptor(slots))
    return Worker(
        client,
        task_queue=named(queue, ids.TASK_QUEUE),
        workflows=() if queue else WORKFLOWS,
        activities=activities,
        activity_executor=ThreadPoolExecutor(slots, thread_name_prefix=queue or "activity"),
        max_concurrent_activities=OBSERVERS if queue == OBSERVE else slots,
        max_cached_workflows=max_cached_workflows,
        workflow_runner=runner(),
        interceptors=interceptors,
        deployment_config=deployment_config(settings.deployment, build_of(settings)),
        max_heartbeat_throttle_interval=timedelta(seconds=HEARD_WITHIN),
        graceful_shutdown_timeout=timedelta(seconds=10),
        # After this time another worker takes over the cached workflows of a dead one.
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=settings.heartbeat_seconds / 4),
    )


def operations(settings: Settings, client: Client, sdk: SdkMetrics, queues: Sequence[str]) -> Operations:
    """Metrics and health of a worker that serves these queues."""
    names = [named(each, ids.TASK_QUEUE) for each in queues]
    gitlab = GitLab(settings.gitlab_url, settings.gitlab_token, settings.request_seconds)
    vault = Vault(settings.vault_addr, settings.vault_role_id, settings.vault_secret_id, settings.request_seconds)

    async def our_token_ends() -> str:
        return str((await asyncio.to_thread(gitlab.get, "/personal_access_tokens/self"))["expires_at"] or "")

    survey = Survey(client, TaskQueues(client, names), {"gitlab": our_token_ends})
    checks = Checks({**dependencies(settings, client, vault), **Work(client, sdk, names).checks()})
    return Operations(sdk, survey, checks)


async def run(settings: Settings, queues: Sequence[str] = ("", *ACTIVITIES)) -> None:
    """Work until SIGTERM or SIGINT."""
    sdk = SdkMetrics() if settings.worker_metrics_port else None  # before the connection to Temporal
    client = await connect(settings)
    stopped = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    async with AsyncExitStack() as running:
        for each in workers(settings, client, queues):
            await running.enter_async_context(each)
        if sdk:
            served = operations(settings, client, sdk, queues).served(
                settings.metrics_host, settings.worker_metrics_port
            )
            await running.enter_async_context(served)
        log = logging.getLogger("nautes")
        if "" in queues:
            build = build_of(settings)
            if (current := await Deployment(client, settings.deployment).begin(build)) != build:
                log.warning("build %s gets no new work before nautes-rollout: build %s is current", build, current)
            await client.start_workflow(
                "Tenant",
                tenant(settings),
                id=ids.TENANT,
                task_queue=ids.TASK_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary=f"Tenant {settings.tenant}",
            )
        log.info("worker %d is ready", os.getpid())
        await stopped.wait()


def arguments(given: Sequence[str] | None = None) -> list[str]:
    """The queues that this process serves."""
    parser = argparse.ArgumentParser(prog="python -m worker", description="The worker of the platform.")
    known = (WORKFLOW_QUEUE, *ACTIVITIES)
    parser.add_argument(
        "--queues", default=",".join(known), help=f"task queues to serve, of {', '.join(known)}; all by default"
    )
    wanted = [each.strip() for each in parser.parse_args(given).queues.split(",") if each.strip()]
    if unknown := [each for each in wanted if each not in known] or not wanted:
        parser.error(f"--queues: {unknown} is not of {', '.join(known)}")
    return ["" if each == WORKFLOW_QUEUE else each for each in wanted]


def main(given: Sequence[str] | None = None) -> None:
    """Entry point. `given`: arguments, those of the process by default."""
    queues = arguments(given)
    settings = Settings()
    logs.setup(settings.log_format)
    with tracing.recorded("nautes-worker"):
        asyncio.run(run(settings, queues))


if __name__ == "__main__":
    main()
