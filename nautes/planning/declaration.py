"""What the declaration says each runtime is to be, and what it says of other products' repositories.

A runtime whose environment or repository is not declared has no specification: it stays what it was specified last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable

from nautes.planning.known import Consumer, RepositoryUse
from nautes.planning.runtimes import DeploymentSpec, EventSource, PipelineFile, PipelineSpec, Spec, Trigger
from nautes.resources.base import Resource
from nautes.resources.declaration import Declaration
from nautes.resources.findings import Finding
from nautes.resources.product import CodeRepo, CodeRepoBinding, Environment
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from nautes.resources.tree import ProductTree
from nautes.rules.decided import RUNTIME_UNRESOLVED
from nautes.rules.engine import Runtime
from nautes.rules.engine import repositories as of_runtime


def named_repositories(resource: Resource) -> list[str]:
    """Names of the repositories a resource refers to; those of another product are full paths."""
    if isinstance(resource, CodeRepoBinding):
        return [resource.coderepo]
    return of_runtime(resource) if isinstance(resource, DeploymentRuntime | ProjectPipelineRuntime) else []


def runtimes(tree: ProductTree) -> list[Runtime]:
    """All runtimes of a tree, resolved or not."""
    return [*tree.all(DeploymentRuntime), *tree.all(ProjectPipelineRuntime)]


def cluster_of(runtime: Runtime, tree: ProductTree) -> str:
    """The cluster of a runtime's environment, "" where it is not declared."""
    found = tree.get(Environment, runtime.destination.environment)
    return found.cluster if found else ""


def product_id(group_id: int) -> str:
    """Name of a product in Vault and in clusters; "" while there is no group."""
    return f"product-{group_id}" if group_id else ""


def digest(spec: Spec) -> str:
    """Changes when what the runtime is to be changes; the commit it was read at does not count."""
    return hashlib.sha256(spec.model_copy(update={"commit": ""}).model_dump_json().encode()).hexdigest()[:16]


def specifications(declaration: Declaration, tree: ProductTree) -> Iterable[Spec]:
    """Those that can be resolved."""
    for each in runtimes(tree):
        found = deployment(each, declaration) if isinstance(each, DeploymentRuntime) else pipeline(each, declaration)
        if found:
            yield found


def unresolved(tree: ProductTree, resolved: Container[str]) -> Iterable[Finding]:
    """Findings for the runtimes without a specification."""
    for each in runtimes(tree):
        if each.key not in resolved:
            text = f"{each.key} names an environment or repository that is not declared; it stays as it is"
            yield RUNTIME_UNRESOLVED.finding(each, text)


def foreign_uses(tree: ProductTree, declaration: Declaration) -> list[RepositoryUse]:
    """What the product declares to use of other products' repositories, and which of its own may do so."""
    found = []
    for each in tree.all(CodeRepoBinding):
        if not each.foreign:
            continue
        own = [other for other in tree.all(CodeRepo) if not each.projects or other.project in each.projects]
        consumers = [
            Consumer(repository=f"{tree.product}/{other.name}", project_id=number, project=other.project)
            for other in own
            if (number := declaration.names.repositories.get(other.name, 0))
        ]
        found.append(
            RepositoryUse(
                product=tree.product,
                repository=each.coderepo,
                permissions=each.permissions,
                projects=each.projects,
                consumers=consumers,
                users=sorted(other.key for other in runtimes(tree) if each.coderepo in of_runtime(other)),
            )
        )
    return found


def by_owner(found: Iterable[RepositoryUse]) -> dict[str, list[RepositoryUse]]:
    """Uses by the product whose repositories they are about."""
    owners: dict[str, list[RepositoryUse]] = {}
    for each in found:
        owners.setdefault(each.repository.rpartition("/")[0], []).append(each)
    return owners


def deployment(runtime: DeploymentRuntime, declaration: Declaration) -> DeploymentSpec | None:
    """The resolved specification, None when what it names is not there (a finding names it)."""
    tree = declaration.tree or ProductTree(declaration.path)
    cluster, name = cluster_of(runtime, tree), runtime.manifest_source.code_repo
    repository_id = declaration.names.repositories.get(name, 0)
    if not (cluster and repository_id):
        return None
    return DeploymentSpec(
        product=declaration.path,
        product_id=product_id(declaration.group_id),
        runtime=runtime.name,
        environment=runtime.destination.environment,
        cluster=cluster,
        repository=full_path(declaration, name),
        repository_id=repository_id,
        revision=runtime.manifest_source.target_revision,
        path=runtime.manifest_source.path,
        namespaces=runtime.namespaces,
        account=runtime.machine_account,
        commit=declaration.head,
    )


def pipeline(runtime: ProjectPipelineRuntime, declaration: Declaration) -> PipelineSpec | None:
    """The resolved specification, None when what it names is not there (a finding names it)."""
    tree, numbers = declaration.tree or ProductTree(declaration.path), declaration.names.repositories
    cluster, source_id = cluster_of(runtime, tree), numbers.get(runtime.pipeline_source, 0)
    if not (cluster and source_id):
        return None
    sources = [
        EventSource(
            name=each.name,
            repository=full_path(declaration, each.gitlab.repo_name),
            repository_id=numbers.get(each.gitlab.repo_name, 0),
            revision=each.gitlab.revision,
            events=each.gitlab.events,
        )
        for each in runtime.event_sources
        if each.gitlab
    ]
    return PipelineSpec(
        product=declaration.path,
        product_id=product_id(declaration.group_id),
        runtime=runtime.name,
        project=runtime.project,
        environment=runtime.destination.environment,
        cluster=cluster,
        namespace=runtime.namespace,
        account=runtime.machine_account,
        source=full_path(declaration, runtime.pipeline_source),
        source_id=source_id,
        pipelines=[PipelineFile(name=each.name, path=each.path, label=each.label) for each in runtime.pipelines],
        event_sources=sources,
        triggers=[
            Trigger(event_source=each.event_source, pipeline=each.pipeline, revision=each.revision)
            for each in runtime.pipeline_triggers
        ],
        commit=declaration.head,
    )


def full_path(declaration: Declaration, name: str) -> str:
    """Full path of a repository; one of another product is named so already."""
    return name if "/" in name else f"{declaration.path}/{name}"
