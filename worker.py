"""Composition root of the worker: settings -> clients -> activities -> Temporal worker. Run as `python -m worker`.

Nothing else builds clients or registers workflows. At boot the tenant workflow is started, unless it is running.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pydantic
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities import collect
from activities.clusters import ClusterActivities
from activities.components import ComponentActivities
from activities.control import ControlActivities
from activities.drift import DriftActivities
from activities.errors import ErrorInterceptor
from activities.git import GitActivities
from activities.gitlab import GitLabActivities
from activities.heartbeats import HeartbeatInterceptor
from activities.kubernetes import KubernetesActivities
from activities.products import ProductActivities
from activities.repositories import RepositoryActivities
from activities.runtimes import RuntimeActivities
from activities.tekton import TektonActivities
from activities.vault import VaultActivities
from activities.virtual import VirtualActivities
from nautes.clients.declarations import Declarations
from nautes.clients.git import GitCache
from nautes.clients.gitlab import GitLab
from nautes.clients.kubernetes import Clusters
from nautes.clients.settings import Settings
from nautes.clients.temporal import connect
from nautes.clients.vault import Vault
from nautes.messages import ids
from nautes.messages.tenant import TenantInput
from nautes.planning.known import Lifetime
from nautes.rules import deletions
from workflows.change import ChangeWorkflow
from workflows.cluster import ClusterWorkflow
from workflows.deployment import DeploymentWorkflow
from workflows.pipeline import PipelineWorkflow
from workflows.product import ProductWorkflow
from workflows.registration import RegistrationWorkflow
from workflows.run import PipelineRunWorkflow
from workflows.sweeps import BranchSweepWorkflow, CredentialSweepWorkflow, DriftSweepWorkflow
from workflows.tenant import TenantWorkflow
from workflows.timing import Timing, TimingInterceptor

HEARD_WITHIN = 0.5  # seconds: heartbeats are sent at least as often, so that a cancellation arrives soon
THREADS = 40  # activities at once; each may block on the network
WORKFLOWS: Sequence[type] = (
    TenantWorkflow,
    ClusterWorkflow,
    RegistrationWorkflow,
    ProductWorkflow,
    ChangeWorkflow,
    DeploymentWorkflow,
    PipelineWorkflow,
    PipelineRunWorkflow,
    BranchSweepWorkflow,
    CredentialSweepWorkflow,
    DriftSweepWorkflow,
)
# Packages that are safe to share with the workflow sandbox: they do nothing at import.
PASSED_THROUGH = ("nautes", "activities")


def activities(settings: Settings, client: Client) -> list[Callable[..., Any]]:
    """Every activity, with its clients."""
    gitlab = GitLab(settings.gitlab_url, settings.gitlab_token, settings.request_seconds)
    vault = Vault(settings.vault_addr, settings.vault_role_id, settings.vault_secret_id, settings.request_seconds)
    git = GitCache(settings.state_dir / "git", settings.gitlab_url, lambda: ("nautes", settings.gitlab_token))
    clusters = Clusters(vault.kubeconfig, allow_loopback=settings.allow_loopback)
    declarations = Declarations(gitlab, git, settings.tenant)
    every = {
        "branches": settings.sweep_seconds,
        "drift": settings.drift_seconds,
        "credentials": settings.credential_seconds,
    }
    control = ControlActivities(client, tenant(settings), every=every, renew_before=settings.renew_before_days)
    return collect(
        control,
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
        DriftActivities(client, clusters),
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


def worker(settings: Settings, client: Client, *, max_cached_workflows: int = 1000) -> Worker:
    """The worker on the platform's task queue."""
    return Worker(
        client,
        task_queue=ids.TASK_QUEUE,
        workflows=WORKFLOWS,
        activities=activities(settings, client),
        activity_executor=ThreadPoolExecutor(THREADS, thread_name_prefix="activity"),
        max_concurrent_activities=THREADS,
        max_cached_workflows=max_cached_workflows,
        workflow_runner=runner(),
        interceptors=[ErrorInterceptor(), HeartbeatInterceptor(), TimingInterceptor(timing(settings))],
        max_heartbeat_throttle_interval=timedelta(seconds=HEARD_WITHIN),
        workflow_failure_exception_types=[pydantic.ValidationError],
        graceful_shutdown_timeout=timedelta(seconds=10),
        # After this time another worker takes over the cached workflows of a dead one.
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=settings.heartbeat_seconds / 4),
    )


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    client = await connect(settings)
    stopped = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    async with worker(settings, client):
        await client.start_workflow(
            "Tenant",
            tenant(settings),
            id=ids.TENANT,
            task_queue=ids.TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"Tenant {settings.tenant}",
        )
        logging.getLogger("nautes").info("worker %d is ready", os.getpid())
        await stopped.wait()


def main() -> None:
    """Entry point."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(run(Settings()))


if __name__ == "__main__":
    main()
