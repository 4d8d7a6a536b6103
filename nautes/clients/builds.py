"""The builds of the platform as Temporal knows them: which one is current, and which have nothing left to do.

A build is one version of one Worker Deployment (docs/decisions/0028). The first worker of an installation makes its own build
current; from then on only a roll-out does (nautes/rollout/). Used by worker.py and by the roll-out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.deployment.v1 import WorkerDeploymentVersion as Named
from temporalio.api.enums.v1 import RoutingConfigUpdateState, TaskQueueType, VersionDrainageStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentVersionRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

from nautes.clients.settings import Settings
from nautes.messages.errors import Refused, Unavailable

WITHIN = 60.0  # seconds until Temporal knows workers that were started
SETTLES_WITHIN = 5.0  # seconds until all of it knows which build is current; it does not always say when that is so
LOOK_EVERY = 0.05
POLLED_LATELY = 75.0  # seconds; a poll takes up to 70
STATUSES = {
    VersionDrainageStatus.VERSION_DRAINAGE_STATUS_DRAINING: "draining",
    VersionDrainageStatus.VERSION_DRAINAGE_STATUS_DRAINED: "drained",
}


def build_of(settings: Settings) -> str:
    """The build that this code is: what the settings say, or the version and the commit that the image was made of."""
    return settings.build_id or f"{version('nautes')}-{settings.commit}"


def deployment_config(deployment: str, build: str) -> WorkerDeploymentConfig:
    """What a worker declares. All workflows are pinned: none is replayed by a build that did not begin it."""
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment, build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


@dataclass(frozen=True)
class Build:
    """`status`: current, draining, drained (by Temporal's own count), or idle: it was never current."""

    id: str
    status: str
    since: datetime


@dataclass(frozen=True)
class Builds:
    """All builds of a deployment; `settled`: every part of Temporal knows which one is current."""

    current: str = ""
    settled: bool = True
    known: list[Build] = field(default_factory=list)
    token: bytes = b""  # of what was read; a change of the current build is refused when it is an old one

    def knows(self, build: str) -> bool:
        """Whether a worker of this build has ever polled."""
        return any(each.id == build for each in self.known)


class Deployment:
    """One Worker Deployment."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._service = client.workflow_service
        self.name = name

    async def builds(self) -> Builds:
        """What Temporal knows; nothing before the first worker."""
        request = DescribeWorkerDeploymentRequest(namespace=self._client.namespace, deployment_name=self.name)
        try:
            answer = await self._service.describe_worker_deployment(request, retry=True)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return Builds()
            raise Unavailable("temporal-unavailable", error.message) from error
        return _builds(answer.worker_deployment_info, answer.conflict_token)

    async def begin(self, build: str) -> str:
        """Make `build` current unless some build is: the current one. The worker that calls it must be polling."""
        async with _within("build-unknown", lambda: f"Temporal does not know the worker of build {build}"):
            while not (found := await self.builds()).current:
                if found.knows(build):
                    await self._set(build, found.token)
                await asyncio.sleep(LOOK_EVERY)
        return found.current

    async def switch(self, build: str, *, fewer: bool = False) -> str:
        """Make `build` current once its workers poll; which build was current before. Twice changes nothing.

        They must poll every task queue that the current build polls, unless it is to have `fewer`. Raises Refused.
        """
        before, why = (await self.builds()).current, ""
        async with _within("build-without-workers", lambda: why):
            while (found := await self.builds()).current != build:
                why = await self._unpolled(build, found, fewer) or await self._set(build, found.token, fewer)
                await asyncio.sleep(LOOK_EVERY)
        await self._settled()
        return before

    async def _settled(self) -> None:
        """Wait until all parts of Temporal know which build is current, as long as that takes as a rule."""
        for _ in range(int(SETTLES_WITHIN / LOOK_EVERY)):
            if (await self.builds()).settled:
                return
            await asyncio.sleep(LOOK_EVERY)

    async def _set(self, build: str, token: bytes, fewer: bool = False) -> str:
        """Why it was refused: a queue without workers, or somebody else was first. "" when it was not."""
        request = SetWorkerDeploymentCurrentVersionRequest(
            namespace=self._client.namespace,
            deployment_name=self.name,
            build_id=build,
            conflict_token=token,
            ignore_missing_task_queues=fewer,
            identity=self._client.identity,
        )
        try:
            await self._service.set_worker_deployment_current_version(request, retry=True)
        except RPCError as error:
            if error.status not in (RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.NOT_FOUND):
                raise Unavailable("temporal-unavailable", error.message) from error
            return str(error.message)
        return ""

    async def _unpolled(self, build: str, found: Builds, fewer: bool) -> str:
        """Which queue no worker of this build polls: what is put there would wait for ever. "" when all are polled."""
        needed = await self._queues(build)
        if not needed:
            return f"no worker of build {build} has ever polled"
        if found.current and not fewer:
            needed |= await self._queues(found.current)
        for name, kind in sorted(needed):
            asked = DescribeTaskQueueRequest(
                namespace=self._client.namespace, task_queue=TaskQueue(name=name), task_queue_type=kind
            )
            pollers = (await self._service.describe_task_queue(asked, retry=True)).pollers
            seen = [each.last_access_time.ToSeconds() for each in pollers if each.deployment_options.build_id == build]
            if time.time() - max(seen, default=0) > POLLED_LATELY:
                return f"no worker of build {build} polls the task queue {name}"
        return ""

    async def _queues(self, build: str) -> set[tuple[str, TaskQueueType.ValueType]]:
        """The task queues (name, kind) that workers of a build have ever polled."""
        version = Named(deployment_name=self.name, build_id=build)
        request = DescribeWorkerDeploymentVersionRequest(namespace=self._client.namespace, deployment_version=version)
        try:
            answer = await self._service.describe_worker_deployment_version(request, retry=True)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return set()
            raise Unavailable("temporal-unavailable", error.message) from error
        return {(each.name, each.type) for each in answer.worker_deployment_version_info.task_queue_infos}


@asynccontextmanager
async def _within(code: str, why: Callable[[], str]) -> AsyncIterator[None]:
    """Wait so long for workers to be known. Raises Refused."""
    try:
        async with asyncio.timeout(WITHIN):
            yield
    except TimeoutError:
        raise Refused(code, why()) from None


def _builds(info: WorkerDeploymentInfo, token: bytes) -> Builds:
    current = info.routing_config.current_deployment_version.build_id
    known = []
    for each in info.version_summaries:
        build, since = each.deployment_version.build_id, each.create_time
        if each.HasField("routing_update_time"):
            since = each.routing_update_time
        status = "current" if build == current else STATUSES.get(each.drainage_info.status, "idle")
        known.append(Build(build, status, since.ToDatetime(UTC)))
    settled = info.routing_config_update_state != RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS
    return Builds(current, settled, sorted(known, key=lambda build: (build.since, build.id)), token)
