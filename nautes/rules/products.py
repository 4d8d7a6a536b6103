"""Rules about what a product declares apart from its runtimes: references that exist, uniqueness, names the layout can hold.

Each has an id, a passing and a failing case in tests/unit/rules. What only one cluster can decide (who has a namespace) is
decided by that cluster's workflow.
"""

from __future__ import annotations

import re

from nautes.resources.base import Resource
from nautes.resources.names import STORED_REPOSITORY
from nautes.resources.product import CodeRepo, CodeRepoBinding, Environment, Product, Project
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from nautes.rules.engine import Findings, World, finding, references, rule
from nautes.rules.frozen import frozen

__all__ = ["EVENTS", "frozen"]
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
EVENTS_HINT = f"known: {', '.join(sorted(EVENTS))}"


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
        if key not in world.tree.resources and key not in world.removed:  # reported by `in-use`
            yield finding("reference-unknown", resource, f"{key} does not exist in {world.tree.product}")


@rule(
    "product-mismatch",
    Environment,
    Project,
    CodeRepo,
    CodeRepoBinding,
    DeploymentRuntime,
    ProjectPipelineRuntime,
    summary="a resource names the product in which it is declared",
)
def product_mismatch(resource: Resource, world: World) -> Findings:
    if resource.product != world.tree.product:
        text = f"{resource.key} is declared in {world.tree.product} but names the product {resource.product}"
        yield finding("product-mismatch", resource, text, pointer="/spec/product")


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


def _cluster(environment: Environment) -> str:
    return environment.cluster


@rule("environment-cluster-shared", Environment, summary="two environments of a product never share a cluster")
def environment_shared(environment: Environment, world: World) -> Findings:
    for other in world.alike(Environment, _cluster)[environment.cluster]:
        if other.name < environment.name:
            text = f"cluster {environment.cluster} is already the cluster of environment {other.name}"
            yield finding("environment-cluster-shared", environment, text, pointer="/spec/cluster")


@rule("repository-path", CodeRepo, summary="the repository's path is its name")
def repository_path(repository: CodeRepo, world: World) -> Findings:
    path = repository.git.gitlab.path if repository.git.gitlab else ""
    if path and path != repository.name:
        yield finding("repository-path", repository, f"git.gitlab.path must be {repository.name}")


@rule("repository-events", CodeRepo, summary="a repository's webhook names events of GitLab")
def repository_events(repository: CodeRepo, world: World) -> Findings:
    for event in repository.webhook.events if repository.webhook else []:
        if event and event not in EVENTS:
            text = f"{event!r} is no event of GitLab"
            yield finding("repository-events", repository, text, pointer="/spec/webhook/events", hint=EVENTS_HINT)


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
