"""What the declaration says each runtime is to be: specifications resolved from the tree, their digests, who watches what.

Pure; called by activities/products.py. A runtime whose environment or repository is not declared has no specification: it
stays what it was told last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable

from activities.declarations.worlds import repositories
from nautes.clients.declarations import Declaration
from nautes.messages import ids
from nautes.messages.declarations import Consumer, RepositoryUse
from nautes.messages.products import Watch
from nautes.messages.runtimes import DeploymentSpec, EventSource, PipelineFile, PipelineSpec, Trigger
from nautes.messages.status import RuntimeLine
from nautes.resources.base import Resource
from nautes.resources.findings import Finding
from nautes.resources.product import CodeRepo, CodeRepoBinding, Environment
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from nautes.resources.tree import ProductTree
from nautes.rules.engine import finding


def workflow(runtime: Resource) -> str:
    """Id of the workflow of a declared runtime."""
    if isinstance(runtime, DeploymentRuntime):
        return ids.deployment(runtime.product, runtime.name)
    return ids.pipeline(runtime.product, runtime.name)


def workflow_of(spec: DeploymentSpec | PipelineSpec) -> str:
    """Id of the workflow of a specification."""
    if isinstance(spec, DeploymentSpec):
        return ids.deployment(spec.product, spec.runtime)
    return ids.pipeline(spec.product, spec.runtime)


def digest(spec: DeploymentSpec | PipelineSpec) -> str:
    """Changes when what the runtime is to be changes; the commit it was read at does not count."""
    return hashlib.sha256(spec.model_copy(update={"commit": ""}).model_dump_json().encode()).hexdigest()[:16]


def watches(specs: Iterable[DeploymentSpec | PipelineSpec]) -> Iterable[Watch]:
    """Which workflows want to hear of pushes to which repositories."""
    for spec in specs:
        if isinstance(spec, DeploymentSpec):
            yield Watch(workflow=workflow_of(spec), project_id=spec.repository_id)
        else:
            for project_id in sorted({each.repository_id for each in spec.event_sources if each.repository_id}):
                yield Watch(workflow=workflow_of(spec), project_id=project_id)


def runtimes(tree: ProductTree) -> list[DeploymentRuntime | ProjectPipelineRuntime]:
    """All runtimes of a tree, resolved or not."""
    return [*tree.all(DeploymentRuntime), *tree.all(ProjectPipelineRuntime)]


def unresolved(tree: ProductTree, resolved: Container[str]) -> Iterable[Finding]:
    """Findings for the runtimes without a specification."""
    for each in runtimes(tree):
        if workflow(each) not in resolved:
            text = f"{each.key} names an environment or repository that is not declared; it stays as it is"
            yield finding("runtime-unresolved", each, text)


def lines(tree: ProductTree) -> Iterable[RuntimeLine]:
    """The runtimes as the product's status lists them."""
    for each in runtimes(tree):
        yield RuntimeLine(
            kind=each.kind, name=each.name, environment=each.destination.environment, workflow=workflow(each)
        )


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
        users = sorted(other.key for other in runtimes(tree) if each.coderepo in repositories(other))
        found.append(
            RepositoryUse(
                product=tree.product,
                repository=each.coderepo,
                permissions=each.permissions,
                projects=each.projects,
                consumers=consumers,
                users=users,
            )
        )
    return found


def by_owner(found: Iterable[RepositoryUse]) -> dict[str, list[RepositoryUse]]:
    """Foreign uses by the product whose repositories they are about."""
    owners: dict[str, list[RepositoryUse]] = {}
    for each in found:
        owners.setdefault(each.repository.rpartition("/")[0], []).append(each)
    return owners


def _place(environment: str, declaration: Declaration) -> str:
    found = declaration.tree.get(Environment, environment) if declaration.tree else None
    return found.cluster if found else ""


def _full(declaration: Declaration, name: str) -> str:
    """Full path of a repository; one of another product is named so already."""
    return name if "/" in name else f"{declaration.path}/{name}"


def deployment(runtime: DeploymentRuntime, declaration: Declaration) -> DeploymentSpec | None:
    """The resolved specification, None when what it names is not there (a finding says so)."""
    cluster = _place(runtime.destination.environment, declaration)
    name = runtime.manifest_source.code_repo
    repository_id = declaration.names.repositories.get(name, 0)
    if not (cluster and repository_id):
        return None
    return DeploymentSpec(
        product=declaration.path,
        product_id=ids.product_name(declaration.group_id),
        runtime=runtime.name,
        environment=runtime.destination.environment,
        cluster=cluster,
        repository=_full(declaration, name),
        repository_id=repository_id,
        revision=runtime.manifest_source.target_revision,
        path=runtime.manifest_source.path,
        namespaces=runtime.namespaces,
        account=runtime.machine_account,
        commit=declaration.head,
    )


def pipeline(runtime: ProjectPipelineRuntime, declaration: Declaration) -> PipelineSpec | None:
    """The resolved specification, None when what it names is not there (a finding says so)."""
    cluster = _place(runtime.destination.environment, declaration)
    source_id = declaration.names.repositories.get(runtime.pipeline_source, 0)
    if not (cluster and source_id):
        return None
    sources = [
        EventSource(
            name=each.name,
            repository=_full(declaration, each.gitlab.repo_name),
            repository_id=declaration.names.repositories.get(each.gitlab.repo_name, 0),
            revision=each.gitlab.revision,
            events=each.gitlab.events,
        )
        for each in runtime.event_sources
        if each.gitlab
    ]
    return PipelineSpec(
        product=declaration.path,
        product_id=ids.product_name(declaration.group_id),
        runtime=runtime.name,
        project=runtime.project,
        environment=runtime.destination.environment,
        cluster=cluster,
        namespace=runtime.namespace,
        account=runtime.machine_account,
        source=_full(declaration, runtime.pipeline_source),
        source_id=source_id,
        pipelines=[PipelineFile(name=each.name, path=each.path, label=each.label) for each in runtime.pipelines],
        event_sources=sources,
        triggers=[
            Trigger(event_source=each.event_source, pipeline=each.pipeline, revision=each.revision)
            for each in runtime.pipeline_triggers
        ],
        commit=declaration.head,
    )
