"""Rules about destinations of runtimes: clusters of the right kind, namespaces of their own, nothing deployed twice.

Whether another product has a namespace is decided by the cluster's workflow, when the runtime claims it.
"""

from __future__ import annotations

from collections.abc import Hashable

from nautes.resources.cluster import Cluster
from nautes.resources.documents import shortened
from nautes.resources.product import Environment
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from nautes.rules.engine import Findings, Runtime, World, finding, rule


def _cluster(runtime: Runtime, world: World) -> Cluster | None:
    environment = world.tree.get(Environment, runtime.destination.environment)
    return world.clusters.get(environment.cluster) if environment else None


def _names(runtime: Runtime) -> list[str]:
    return runtime.namespaces if isinstance(runtime, DeploymentRuntime) else [runtime.namespace]


def _cluster_findings(rule_id: str, runtime: Runtime, world: World, worker_type: str) -> Findings:
    cluster, environment = _cluster(runtime, world), runtime.destination.environment
    if cluster and (cluster.usage != "worker" or cluster.worker_type != worker_type):
        text = f"cluster {cluster.name} of environment {environment} is no {worker_type} worker"
        yield finding(rule_id, runtime, text, pointer="/spec/destination/environment")


@rule("deployment-cluster", DeploymentRuntime, summary="a deployment runtime goes to a deployment worker")
def deployment_cluster(runtime: DeploymentRuntime, world: World) -> Findings:
    return _cluster_findings("deployment-cluster", runtime, world, "deployment")


@rule("pipeline-cluster", ProjectPipelineRuntime, summary="a pipeline runtime goes to a pipeline worker")
def pipeline_cluster(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    return _cluster_findings("pipeline-cluster", runtime, world, "pipeline")


@rule(
    "namespace-reserved",
    DeploymentRuntime,
    ProjectPipelineRuntime,
    summary="a runtime stays out of the namespaces of the platform and of components",
)
def namespace_reserved(runtime: Runtime, world: World) -> Findings:
    cluster = _cluster(runtime, world)
    components = {each.namespace for each in cluster.components_list.filled().values()} if cluster else set()
    allowed = (cluster.reserved_namespaces_allowed_products or {}) if cluster else {}
    for name in _names(runtime):
        platform = name in ("default", "nautes", "vault") or name.startswith("kube-")
        if (platform or name in components) and world.tree.product not in allowed.get(name, []):
            yield finding("namespace-reserved", runtime, f"namespace {name} is reserved", pointer="/spec/destination")


def _source(runtime: DeploymentRuntime) -> Hashable:
    return (*runtime.manifest_source.model_dump().values(), runtime.destination.environment)


def _place(runtime: ProjectPipelineRuntime) -> Hashable:
    return runtime.destination.environment, runtime.namespace


@rule("deployment-duplicate", DeploymentRuntime, summary="one source goes to one environment once")
def deployment_duplicate(runtime: DeploymentRuntime, world: World) -> Findings:
    for other in world.alike(DeploymentRuntime, _source)[_source(runtime)]:
        if other.name < runtime.name:
            text = f"{other.key} already deploys this source to {runtime.destination.environment}"
            yield finding("deployment-duplicate", runtime, text)


@rule(
    "pipeline-duplicate",
    ProjectPipelineRuntime,
    summary="one pipeline file of a source goes to one destination once",
)
def pipeline_duplicate(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    paths = {each.path for each in runtime.pipelines}
    for other in world.alike(ProjectPipelineRuntime, _place)[_place(runtime)]:
        same = other.pipeline_source == runtime.pipeline_source and paths & {each.path for each in other.pipelines}
        if other.name < runtime.name and same:
            yield finding("pipeline-duplicate", runtime, f"{other.key} already runs one of these pipelines there")


@rule(
    "pipeline-namespace",
    DeploymentRuntime,
    ProjectPipelineRuntime,
    summary="the namespace of a pipeline runtime is no other runtime's in that environment",
)
def pipeline_namespace(runtime: Runtime, world: World) -> Findings:
    there = world.alike(ProjectPipelineRuntime, _place)
    for name in _names(runtime):
        for other in there.get((runtime.destination.environment, name), []):
            if (
                isinstance(runtime, DeploymentRuntime) or other.name < runtime.name
            ):  # of two pipelines only one gets the finding
                text = f"namespace {name} is already that of {other.key}"
                yield finding("pipeline-namespace", runtime, text, pointer="/spec/destination")


@rule(
    "source-path",
    DeploymentRuntime,
    ProjectPipelineRuntime,
    summary="paths are relative to the root of the repository and stay inside it",
)
def source_path(runtime: Runtime, world: World) -> Findings:
    for path, pointer in _paths(runtime):
        parts = path.removesuffix("/").split("/")
        if path and path not in ("/", "./") and (path.startswith("/") or not {"..", ".git", ""}.isdisjoint(parts)):
            yield finding("source-path", runtime, f"{shortened(path)} leads out of the repository", pointer=pointer)


def _paths(runtime: Runtime) -> list[tuple[str, str]]:
    if isinstance(runtime, DeploymentRuntime):
        return [(runtime.manifest_source.path, "/spec/manifestSource/path")]
    git = runtime.additional_resources.git if runtime.additional_resources else None
    pipelines = [(each.path, f"/spec/pipelines/{index}/path") for index, each in enumerate(runtime.pipelines)]
    return [*pipelines, *([(git.path, "/spec/additionalResources/git/path")] if git else [])]
