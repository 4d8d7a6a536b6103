"""Rules about what a product declares: references that exist, uniqueness, rights on repositories, destinations.

Each has an id, a passing and a failing case in tests/unit/rules. What only one cluster can decide (who has a namespace) is
decided by the cluster's workflow.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from resources.base import Resource
from resources.findings import Finding
from resources.names import STORED_REPOSITORY
from resources.patterns import PatternError, compiled
from resources.product import CodeRepo, CodeRepoBinding, Environment, Product, Project
from resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from rules.engine import World, finding, references, rule

EVENTS = frozenset(
    f"{each}_events"
    for each in (
        "confidential_issues",
        "confidential_note",
        "deployment",
        "issues",
        "job",
        "merge_requests",
        "note",
        "pipeline",
        "push",
        "releases",
        "tag_push",
    )
)
FROZEN_HINT = "remove it and declare it anew under another name, or keep what it was"
Runtime = DeploymentRuntime | ProjectPipelineRuntime
Findings = Iterable[Finding]


@rule(
    "reference-unknown",
    CodeRepo,
    CodeRepoBinding,
    DeploymentRuntime,
    ProjectPipelineRuntime,
    summary="everything a resource names exists in the product",
)
def reference_unknown(resource: Resource, world: World) -> Findings:
    for key in sorted(references(resource)):
        if key not in world.tree.resources:
            yield finding("reference-unknown", resource, f"{key} does not exist in {world.tree.product}")


@rule("product-path", Product, summary="the group's path is the product's name")
def product_path(product: Product, world: World) -> Findings:
    path = product.git.gitlab.path if product.git.gitlab else ""
    if path and path != product.name.rpartition("/")[2] and path != product.name:
        yield finding(
            "product-path", product, f"git.gitlab.path must be {product.name}", pointer="/spec/git/gitlab/path"
        )


@rule("environment-cluster-unknown", Environment, summary="an environment's cluster is registered")
def environment_cluster(environment: Environment, world: World) -> Findings:
    if environment.cluster not in world.clusters:
        known = ", ".join(sorted(world.clusters)) or "none"
        text = f"cluster {environment.cluster} is not registered"
        yield finding("environment-cluster-unknown", environment, text, pointer="/spec/cluster", hint=f"known: {known}")


@rule("environment-cluster-shared", Environment, summary="two environments of a product never share a cluster")
def environment_shared(environment: Environment, world: World) -> Findings:
    for other in world.tree.all(Environment):
        if other.name < environment.name and other.cluster == environment.cluster:
            text = f"cluster {environment.cluster} is already the cluster of environment {other.name}"
            yield finding("environment-cluster-shared", environment, text, pointer="/spec/cluster")


@rule("repository-path", CodeRepo, summary="the repository's path is its name")
def repository_path(repository: CodeRepo, world: World) -> Findings:
    path = repository.git.gitlab.path if repository.git.gitlab else ""
    if path and path != repository.name:
        yield finding("repository-path", repository, f"git.gitlab.path must be {repository.name}")


@rule("repository-events", CodeRepo, summary="a repository's webhook names events GitLab has")
def repository_events(repository: CodeRepo, world: World) -> Findings:
    for event in repository.webhook.events if repository.webhook else []:
        if event and event not in EVENTS:
            text = f"{event!r} is no event of GitLab"
            hint = f"known: {', '.join(sorted(EVENTS))}"
            yield finding("repository-events", repository, text, pointer="/spec/webhook/events", hint=hint)


@rule("project-name", Project, summary="a project's folder cannot be mistaken for another folder of the layout")
def project_name(project: Project, world: World) -> Findings:
    if project.name in ("envs", "projects", "runtimes", "code-repos", "artifact-repos", "production"):
        yield finding("project-name", project, f"{project.name} is a folder of the layout; choose another name")


@rule(
    "layout-path",
    CodeRepoBinding,
    ProjectPipelineRuntime,
    summary="two resources never share a file: a pipeline runtime is not named like its project, a binding not repo-<id>",
)
def layout_path(resource: CodeRepoBinding | ProjectPipelineRuntime, world: World) -> Findings:
    if isinstance(resource, ProjectPipelineRuntime):
        taken, of = resource.name == resource.project, f"Project/{resource.project}"
    else:
        taken, of = re.fullmatch(STORED_REPOSITORY, resource.name) is not None, f"CodeRepo/{resource.coderepo}"
    if taken:
        text = f"the file of {resource.key} would be that of {of}; choose another name"
        yield finding("layout-path", resource, text, pointer="/spec/name")


def _cluster_findings(rule_id: str, runtime: Runtime, world: World, worker_type: str) -> Findings:
    environment = world.tree.get(Environment, runtime.destination.environment)
    cluster = world.clusters.get(environment.cluster) if environment else None
    if cluster and (cluster.usage != "worker" or cluster.worker_type != worker_type):
        text = f"cluster {cluster.name} of environment {environment.name} is no {worker_type} worker"  # type: ignore[union-attr]
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
    environment = world.tree.get(Environment, runtime.destination.environment)
    cluster = world.clusters.get(environment.cluster) if environment else None
    names = runtime.namespaces if isinstance(runtime, DeploymentRuntime) else [runtime.namespace]
    components = {each.namespace for each in cluster.components_list.filled().values()} if cluster else set()
    allowed = (cluster.reserved_namespaces_allowed_products or {}) if cluster else {}
    for name in names:
        platform = name in ("default", "nautes", "vault") or name.startswith("kube-")
        if (platform or name in components) and world.tree.product not in allowed.get(name, []):
            yield finding("namespace-reserved", runtime, f"namespace {name} is reserved", pointer="/spec/destination")


@rule("deployment-duplicate", DeploymentRuntime, summary="one source goes to one environment once")
def deployment_duplicate(runtime: DeploymentRuntime, world: World) -> Findings:
    for other in world.tree.all(DeploymentRuntime):
        same = other.manifest_source == runtime.manifest_source
        if other.name < runtime.name and same and other.destination.environment == runtime.destination.environment:
            text = f"{other.key} already deploys this source to {runtime.destination.environment}"
            yield finding("deployment-duplicate", runtime, text)


@rule(
    "pipeline-duplicate",
    ProjectPipelineRuntime,
    summary="one pipeline file of a source goes to one destination once",
)
def pipeline_duplicate(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    paths = {each.path for each in runtime.pipelines}
    for other in world.tree.all(ProjectPipelineRuntime):
        if other.name < runtime.name and other.pipeline_source == runtime.pipeline_source:
            there = (other.destination.environment, other.namespace)
            here = (runtime.destination.environment, runtime.namespace)
            if there == here and paths & {each.path for each in other.pipelines}:
                yield finding("pipeline-duplicate", runtime, f"{other.key} already runs one of these pipelines there")


@rule("pipeline-names", ProjectPipelineRuntime, summary="names and paths inside a pipeline runtime are unique")
def pipeline_names(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    triggers = [(each.event_source, each.pipeline, each.revision) for each in runtime.pipeline_triggers]
    for what, values in (
        ("event source", [each.name for each in runtime.event_sources]),
        ("pipeline", [each.name for each in runtime.pipelines]),
        ("pipeline path", [each.path for each in runtime.pipelines]),
        ("trigger", [" ".join(each) for each in triggers]),
    ):
        for value, count in Counter(values).items():
            if count > 1:
                yield finding("pipeline-names", runtime, f"{what} {value!r} stands {count} times")


@rule("pipeline-triggers", ProjectPipelineRuntime, summary="triggers name event sources and pipelines that exist")
def pipeline_triggers(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    sources = {each.name for each in runtime.event_sources}
    pipelines = {each.name for each in runtime.pipelines}
    for index, trigger in enumerate(runtime.pipeline_triggers):
        pointer = f"/spec/pipelineTriggers/{index}"
        if trigger.event_source not in sources:
            yield finding("pipeline-triggers", runtime, f"no event source {trigger.event_source!r}", pointer=pointer)
        if trigger.pipeline not in pipelines:
            yield finding("pipeline-triggers", runtime, f"no pipeline {trigger.pipeline!r}", pointer=pointer)


@rule("pipeline-events", ProjectPipelineRuntime, summary="event sources name events this build handles, and a pattern")
def pipeline_events(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    for index, source in enumerate(runtime.event_sources):
        pointer = f"/spec/eventSources/{index}"
        if source.calendar is not None:
            yield finding("pipeline-events", runtime, "calendar events are not handled by this build", pointer=pointer)
        if source.gitlab is None:
            continue
        for event in source.gitlab.events:
            if event not in ("push_events", "tag_push_events"):
                yield finding("pipeline-events", runtime, f"{event} is not handled by this build", pointer=pointer)
        try:
            compiled(source.gitlab.revision)
        except PatternError as error:
            text = f"revision {source.gitlab.revision!r} is no Lua pattern: {error}"
            yield finding("pipeline-events", runtime, text, pointer=f"{pointer}/gitlab/revision")


@rule(
    "pipeline-unsupported",
    ProjectPipelineRuntime,
    summary="hooks, inputs and additional resources come with a later build",
)
def pipeline_unsupported(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    used = {
        "hooks": runtime.hooks and (runtime.hooks.pre_hooks or runtime.hooks.post_hooks),
        "additionalResources": runtime.additional_resources and runtime.additional_resources.git,
        "inputs": any(each.inputs for each in runtime.pipeline_triggers),
    }
    for name, value in used.items():
        if value:
            yield finding("pipeline-unsupported", runtime, f"{name} are not handled by this build")


@rule(
    "repository-right",
    DeploymentRuntime,
    ProjectPipelineRuntime,
    summary="a project may use a repository that is its own or is opened to it by a binding",
)
def repository_right(runtime: Runtime, world: World) -> Findings:
    if isinstance(runtime, DeploymentRuntime):
        uses = [(each, runtime.manifest_source.code_repo) for each in runtime.projects_ref]
    else:
        repositories = [each.gitlab.repo_name for each in runtime.event_sources if each.gitlab]
        uses = [(runtime.project, each) for each in (runtime.pipeline_source, *repositories)]
    for project, name in uses:
        repository = world.tree.get(CodeRepo, name)
        if repository and not _may_use(project, repository, world):
            text = f"project {project} has no right on repository {name}"
            hint = f"add a CodeRepoBinding that opens {name} to {project}"
            yield finding("repository-right", runtime, text, hint=hint)


def _may_use(project: str, repository: CodeRepo, world: World) -> bool:
    bindings = [each for each in world.tree.all(CodeRepoBinding) if each.coderepo == repository.name]
    return repository.project == project or any(not each.projects or project in each.projects for each in bindings)


def frozen(old: Resource, new: Resource, world: World) -> Findings:
    """What may not change between two versions of a resource (3.6 of the reference)."""
    if isinstance(old, ProjectPipelineRuntime) and isinstance(new, ProjectPipelineRuntime):
        if old.project != new.project:
            yield finding("frozen", new, "project may not change", pointer="/spec/project", hint=FROZEN_HINT)
    elif isinstance(old, CodeRepoBinding) and isinstance(new, CodeRepoBinding):
        if old.coderepo != new.coderepo:
            yield finding("frozen", new, "coderepo may not change", pointer="/spec/coderepo", hint=FROZEN_HINT)
    elif isinstance(old, Environment) and isinstance(new, Environment) and old.cluster != new.cluster:
        users = [
            each.key
            for each in world.tree
            if isinstance(each, DeploymentRuntime | ProjectPipelineRuntime) and each.destination.environment == old.name
        ]
        if users:
            text = f"cluster may not change while {', '.join(sorted(users))} run there"
            yield finding("frozen", new, text, pointer="/spec/cluster", hint=FROZEN_HINT)
