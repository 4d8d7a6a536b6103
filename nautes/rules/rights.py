"""Rights on repositories: who may use which, inside a product and across products. Reading is all a runtime needs.

Inside: a project may use what is its own and what a binding opens to it. Across: both products must declare it, the owner by
a binding with the consumer in `product`, the consumer by one whose `coderepo` is the full path; what both allow is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nautes.resources.names import is_foreign, owner_of
from nautes.resources.product import CodeRepo, CodeRepoBinding
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from nautes.rules.engine import Findings, Runtime, World, finding, repositories, rule


def runtimes(world: World) -> list[Runtime]:
    """All runtimes of the product."""
    return [*world.tree.all(DeploymentRuntime), *world.tree.all(ProjectPipelineRuntime)]


def uses(runtime: Runtime) -> list[tuple[str, str]]:
    """(project, repository) for every right a runtime needs; no project = the product as a whole."""
    if isinstance(runtime, ProjectPipelineRuntime):
        return [(runtime.project, each) for each in repositories(runtime)]
    return [(each, runtime.manifest_source.code_repo) for each in runtime.projects_ref or [""]]


def opens(binding: CodeRepoBinding, project: str, repository: str, world: World) -> bool:
    """Whether a binding of this product opens a repository to a project (or to the whole product)."""
    return binding.coderepo == repository and _covers(binding, project, world)


def _covers(binding: CodeRepoBinding, project: str, world: World) -> bool:
    return binding.opened_to == world.tree.product and (not binding.projects or project in binding.projects)


def allowed(project: str, repository: str, world: World) -> bool:
    """Whether this product's own declaration gives the right; True for what is not declared, which another rule reports."""
    if not is_foreign(repository):
        found = world.tree.get(CodeRepo, repository)
        if found is None or found.project == project:
            return True
    bindings = world.alike(CodeRepoBinding, _repository).get(repository, [])
    return any(opens(each, project, repository, world) for each in bindings)


def _repository(binding: CodeRepoBinding) -> str:
    return binding.coderepo


def _missing(runtime: Runtime, world: World, *, foreign: bool) -> Iterator[tuple[str, str]]:
    """Missing rights, except those lost with a removed binding, which `in-use` reports."""
    gone = [each for each in world.removed.values() if isinstance(each, CodeRepoBinding)]
    for project, repository in uses(runtime):
        known = allowed(project, repository, world) or any(opens(each, project, repository, world) for each in gone)
        if is_foreign(repository) == foreign and not known:
            yield project, repository


@rule(
    "repository-right",
    DeploymentRuntime,
    ProjectPipelineRuntime,
    summary="a project may use a repository that is its own or is opened to it by a binding (readonly is enough)",
)
def repository_right(runtime: Runtime, world: World) -> Findings:
    for project, name in _missing(runtime, world, foreign=False):
        if project:
            text = f"project {project} has no right on repository {name}"
            hint = f"add a CodeRepoBinding that opens {name} to {project}"
            yield finding("repository-right", runtime, text, hint=hint)


@rule(
    "deployment-projects",
    DeploymentRuntime,
    summary="a deployment runtime without projectsRef uses a repository that has no project or is open to the product",
)
def deployment_projects(runtime: DeploymentRuntime, world: World) -> Findings:
    for project, name in _missing(runtime, world, foreign=False):
        if not project:
            text = f"repository {name} belongs to a project, and the runtime names none in projectsRef"
            hint = (
                f"name the projects in projectsRef, or open {name} to the product by a CodeRepoBinding without projects"
            )
            yield finding("deployment-projects", runtime, text, pointer="/spec/projectsRef", hint=hint)


@rule(
    "foreign-own",
    CodeRepoBinding,
    DeploymentRuntime,
    ProjectPipelineRuntime,
    summary="a repository of the own product is named without the product's path",
)
def foreign_own(resource: CodeRepoBinding | Runtime, world: World) -> Findings:
    names = [resource.coderepo] if isinstance(resource, CodeRepoBinding) else repositories(resource)
    for name in names:
        if is_foreign(name) and owner_of(name, "") == world.tree.product:
            yield finding("foreign-own", resource, f"{name} is this product's own: write {name.rpartition('/')[2]}")


@rule(
    "foreign-consumer",
    CodeRepoBinding,
    summary="a binding on another product's repository opens it to the product that declares the binding, to no third",
)
def foreign_consumer(binding: CodeRepoBinding, world: World) -> Findings:
    if binding.foreign and binding.opened_to != world.tree.product:
        text = f"{binding.coderepo} is not this product's to open to {binding.opened_to}"
        yield finding("foreign-consumer", binding, text, pointer="/spec/product")


@rule(
    "consumer-unknown",
    CodeRepoBinding,
    summary="the product that a binding opens a repository to exists",
)
def consumer_unknown(binding: CodeRepoBinding, world: World) -> Findings:
    if binding.consumer and world.products is not None and binding.consumer not in world.products:
        text = f"there is no product {binding.consumer}"
        yield finding("consumer-unknown", binding, text, pointer="/spec/product")


@rule(
    "foreign-unagreed",
    DeploymentRuntime,
    ProjectPipelineRuntime,
    summary="a repository of another product is used under a CodeRepoBinding of the own product that names its full path",
)
def foreign_unagreed(runtime: Runtime, world: World) -> Findings:
    for project, name in _missing(runtime, world, foreign=True):
        if owner_of(name, "") != world.tree.product:
            who = f"project {project}" if project else "the product as a whole"
            hint = f"add a CodeRepoBinding with coderepo: {name}, once its owner has opened it"
            yield finding("foreign-unagreed", runtime, f"no binding opens {name} to {who}", hint=hint)


@rule(
    "foreign-unknown",
    CodeRepoBinding,
    DeploymentRuntime,
    ProjectPipelineRuntime,
    summary="a repository of another product is there, and its owner opens it to this one, with the permission and projects used",
)
def foreign_unknown(resource: CodeRepoBinding | Runtime, world: World) -> Findings:
    """One message for all cases, so that it reveals nothing of what the owner declares for others."""
    for name in dict.fromkeys(_unopened(resource, world)):
        text = f"there is no repository {name} that is open to {world.tree.product} in this way"
        yield finding(
            "foreign-unknown", resource, text, hint=f"ask the owner of {name} to open it by a CodeRepoBinding"
        )


def _unopened(resource: CodeRepoBinding | Runtime, world: World) -> Iterable[str]:
    if isinstance(resource, CodeRepoBinding):
        projects: list[str | None] = [*resource.projects] or [None]
        name = resource.coderepo
        if resource.foreign and not any(_given(each, name, world, resource.permissions) for each in projects):
            yield name
        return
    for project, name in uses(resource):
        if is_foreign(name) and allowed(project, name, world) and not _given(project, name, world, "readonly"):
            yield name


def _given(project: str | None, repository: str, world: World, permission: str) -> bool:
    """Whether the owner opens it to this project of ours, to the whole product (""), or to any part of it (None)."""
    found = world.foreign.get(repository)
    owner, _, name = repository.rpartition("/")
    if owner == world.tree.product:
        return True  # reported by `foreign-own`
    return found is not None and any(
        each.coderepo == name
        and each.product == owner
        and permission in ("readonly", each.permissions)
        and (each.opened_to == world.tree.product if project is None else _covers(each, project, world))
        for each in found.bindings
    )
