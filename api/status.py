"""Status and explanations: the tree of a product, and one line on why something is not ready. Reads workflows only."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from api import authorization, lists
from api.commands import ANSWER_WITHIN, refusal
from api.operations import query
from api.pages import Cursor, page
from api.paths import ProductName
from api.pending import pending
from api.problems import ALWAYS, documented
from api.state import May, Shared, State
from nautes.messages import ids
from nautes.messages.claims import PageInput, UsersPage
from nautes.messages.errors import NotFound, Unavailable
from nautes.messages.status import ClusterStatus, DeploymentStatus, PipelineStatus, ProductStatus, RuntimeLine

router = APIRouter(prefix="/api/v1", tags=["status"])
PROBLEMS = documented(*ALWAYS)
ClusterName = Annotated[str, Path(alias="cluster_name", max_length=255)]
LOOKED_AT = (
    50  # runtimes of which Temporal is asked what they are retrying; of larger products those that are not settled
)
SETTLED = ("Converged", "Ready", "Paused")
Status = TypeVar("Status", DeploymentStatus, PipelineStatus)
USERS_SHOWN = 50  # with the status of a cluster
RuntimeName = Annotated[str, Path(max_length=255)]


class ProductTree(BaseModel):
    """A product with its runtimes; `ui` is where Temporal UI shows it."""

    product: ProductStatus
    deployments: list[DeploymentStatus] = []
    pipelines: list[PipelineStatus] = []
    ui: str = ""
    next: str | None = None  # cursor of the next page of runtimes


class ClusterReport(ClusterStatus):
    """A cluster and the first of those who use it."""

    users: UsersPage


class Explanation(BaseModel):
    """One line, and whether the runtime is ready."""

    ready: bool
    line: str
    ui: str = ""


@router.get("/products/{product_name}/status", operation_id="get_product_status", responses=PROBLEMS)
async def product_tree(
    product: ProductName,
    shared: Shared,
    may: May,
    limit: Annotated[int, Query(ge=1, le=500, description="Runtimes of a page.")] = 250,
    cursor: Annotated[str, Query(max_length=1000, description="`next` of the page before.")] = "",
) -> ProductTree:
    """The product and its runtimes, each with the first of its objects that are not as they should be.

    The lines of the runtimes come from a list that may be a moment old; the status of one runtime is always the present one.
    """
    await authorization.may_read(may, product)
    status = await query(shared, ids.product(product), ProductStatus)
    lines = sorted(status.runtimes, key=lambda each: each.workflow)
    shown, following = page([each.workflow for each in lines], lines, status.commit, limit, _begun(cursor))
    deployments, pipelines = await asyncio.gather(
        listed(shared, status, [each for each in shown if each.kind == "DeploymentRuntime"], DeploymentStatus),
        listed(shared, status, [each for each in shown if each.kind == "ProjectPipelineRuntime"], PipelineStatus),
    )
    return ProductTree(
        product=status,
        deployments=deployments,
        pipelines=pipelines,
        ui=ui_of(shared, ids.product(product)),
        next=following,
    )


def _begun(cursor: str) -> Cursor | None:
    return Cursor.of(cursor) if cursor else None


async def listed(
    shared: State, product: ProductStatus, runtimes: list[RuntimeLine], status: type[Status]
) -> list[Status]:
    """Declared runtimes of one kind, out of one list; with what they are retrying where that may be so."""
    declared = {each.workflow: each for each in runtimes}
    if not declared:
        return []
    names = ", ".join(f"'{each}'" for each in declared if lists.SAFE.fullmatch(each))
    # By id as well: at the same path there may have been another product.
    wanted = (
        f"WorkflowId IN ({names}) AND {lists.clause('NautesProductId', product.id)} AND ExecutionStatus = 'Running'"
    )
    found = (await lists.page(shared.temporal, wanted, status)).items
    lines = {key: found.get(key) or _starting(product, line, status) for key, line in declared.items()}
    few = len(lines) <= LOOKED_AT
    looked = [key for key, each in lines.items() if few or each.phase not in SETTLED][:LOOKED_AT]
    retries = await asyncio.gather(*(pending(shared.temporal, key) for key in looked))
    for key, retry in zip(looked, retries, strict=True):
        lines[key] = lines[key].model_copy(update={"retry": retry or lines[key].retry})
    return list(lines.values())


def _starting(product: ProductStatus, line: RuntimeLine, status: type[Status]) -> Status:
    """A runtime that is declared and has published no status yet."""
    cluster = product.environments.get(line.environment, "")
    return status(product=product.path, runtime=line.name, cluster=cluster, phase="Pending")


@router.get(
    "/products/{product_name}/deploymentruntimes/{deploymentruntime_name}/status",
    operation_id="get_DeploymentRuntime_status",
    responses=PROBLEMS,
)
async def deployment_status(
    product: ProductName,
    name: Annotated[str, Path(alias="deploymentruntime_name", max_length=255)],
    shared: Shared,
    may: May,
) -> DeploymentStatus:
    """One deployment runtime with all of its objects that are not as they should be."""
    await authorization.may_read(may, product)
    return await deployment(shared, ids.deployment(product, name))


@router.get(
    "/products/{product_name}/projectpipelineruntimes/{projectpipelineruntime_name}/status",
    operation_id="get_ProjectPipelineRuntime_status",
    responses=PROBLEMS,
)
async def pipeline_status(
    product: ProductName,
    name: Annotated[str, Path(alias="projectpipelineruntime_name", max_length=255)],
    shared: Shared,
    may: May,
) -> PipelineStatus:
    """One pipeline runtime with its newest runs."""
    await authorization.may_read(may, product)
    return await pipeline(shared, ids.pipeline(product, name))


@router.get("/clusters/{cluster_name}/status", operation_id="get_cluster_status", responses=PROBLEMS)
async def cluster_status(cluster: ClusterName, shared: Shared, may: May) -> ClusterReport:
    """A cluster, its components and the first of its users."""
    await authorization.may_read_clusters(may, shared.reading.tenant_repository)
    status = await query(shared, ids.cluster(cluster), ClusterStatus)
    return ClusterReport(**status.model_dump(), users=await _users(shared, cluster, PageInput(limit=USERS_SHOWN)))


@router.get("/clusters/{cluster_name}/users", operation_id="list_cluster_users", responses=PROBLEMS)
async def cluster_users(
    cluster: ClusterName,
    shared: Shared,
    may: May,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str, Query(max_length=1024, description="As `after` of the page before.")] = "",
) -> UsersPage:
    """Who uses a cluster, page by page: runtimes and virtual clusters with their namespaces, then environments."""
    await authorization.may_read_clusters(may, shared.reading.tenant_repository)
    return await _users(shared, cluster, PageInput(limit=limit, after=after))


async def _users(shared: State, cluster: str, page: PageInput) -> UsersPage:
    try:
        return await query(shared, ids.namespaces(cluster), UsersPage, "users", page)
    except NotFound:  # a cluster that was never granted to anybody
        return UsersPage()


async def deployment(shared: State, workflow_id: str) -> DeploymentStatus:
    """A deployment runtime, with what it is retrying."""
    status = await query(shared, workflow_id, DeploymentStatus)
    return status.model_copy(update={"retry": await pending(shared.temporal, workflow_id) or status.retry})


async def pipeline(shared: State, workflow_id: str) -> PipelineStatus:
    """A pipeline runtime, with what it is retrying."""
    status = await query(shared, workflow_id, PipelineStatus)
    return status.model_copy(update={"retry": await pending(shared.temporal, workflow_id)})


@router.get("/explain/{kind}/{product_name}/{name}", operation_id="explain", responses=PROBLEMS)
async def explain(
    kind: Literal["deployment", "pipeline"], product: ProductName, name: RuntimeName, shared: Shared, may: May
) -> Explanation:
    """Why is it not ready: last error and next retry in one line."""
    await authorization.may_read(may, product)
    key = f"{kind}/{product}/{name}"
    if kind == "deployment":
        return _line(await deployment(shared, key), "Converged", ui_of(shared, key))
    return _line(await pipeline(shared, key), "Ready", ui_of(shared, key))


def _line(status: DeploymentStatus | PipelineStatus, good: str, ui: str) -> Explanation:
    """One line about a runtime, with the first obstacle."""
    name = status.runtime
    if status.retry:
        retry = status.retry
        failed = f"{retry.step} failed {retry.attempt - 1} times, last: {retry.error}"
        return Explanation(ready=False, line=f"{name} is {status.phase}: {failed}; next try {retry.next_try}", ui=ui)
    commit = status.commit[:12] if isinstance(status, DeploymentStatus) else ""
    if status.phase == good:
        return Explanation(ready=True, line=f"{name} is {good.lower()}{f' at {commit}' if commit else ''}", ui=ui)
    why = status.message
    if isinstance(status, DeploymentStatus) and status.phase == "Waiting" and status.unhealthy:
        first = status.unhealthy[0]
        why = f"{first.kind}/{first.name} is not healthy: {first.reason or first.status}"
    return Explanation(ready=False, line=f"{name} is {status.phase}{f': {why}' if why else ''}", ui=ui)


@router.post(
    "/products/{product_name}/deploymentruntimes/{deploymentruntime_name}/{command}",
    operation_id="command_DeploymentRuntime",
    responses=PROBLEMS,
)
async def command_deployment(
    product: ProductName,
    name: Annotated[str, Path(alias="deploymentruntime_name", max_length=255)],
    command: Literal["pause", "resume", "sync", "rollback"],
    shared: Shared,
    may: May,
    commit: Annotated[str, Query(max_length=64, description="Of a rollback: the commit to pin.")] = "",
) -> DeploymentStatus:
    """Pause, resume, observe now, or pin an earlier commit."""
    await authorization.may_command(may, product)
    key = ids.deployment(product, name)
    await query(shared, key, DeploymentStatus)
    handle = shared.temporal.get_workflow_handle(key)
    arguments = [commit] if command == "rollback" else []
    try:
        found: DeploymentStatus = await handle.execute_update(
            command, args=arguments, result_type=DeploymentStatus, rpc_timeout=ANSWER_WITHIN
        )
    except WorkflowUpdateFailedError as error:
        raise refusal(error) from error
    except (WorkflowUpdateRPCTimeoutOrCancelledError, RPCError) as error:
        if isinstance(error, RPCError) and error.status == RPCStatusCode.NOT_FOUND:
            raise NotFound("workflow-ended", f"{key} has ended: the runtime was removed") from error
        raise Unavailable("worker-unavailable", f"no worker answers for {key}; send it again") from error
    return found


def ui_of(shared: State, workflow_id: str) -> str:
    """The address of a workflow in Temporal UI, "" when its address is not set."""
    base, namespace = shared.settings.temporal_ui_url, shared.temporal.namespace
    if not base:
        return ""
    return f"{base}/namespaces/{namespace}/workflows/{workflow_id.replace('/', '%2F')}"
