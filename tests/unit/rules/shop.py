"""A product that breaks no rule, and how a case changes it: the bootstrap of every test of rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from nautes.resources.cluster import Cluster
from nautes.resources.manifest import resource_of
from nautes.resources.tree import ProductTree
from nautes.rules.clusters import with_defaults
from nautes.rules.engine import ForeignRepository, World
from nautes.rules.hooks import HookEntry

PRODUCT = "shop"


def resource(kind: str, name: str, **spec: Any) -> Any:
    """A resource of the product `shop`."""
    owner = {} if kind in ("Cluster", "Product") else {"product": PRODUCT}
    return resource_of({"kind": kind, "spec": {"name": name, **owner, **spec}})


def cluster(name: str, worker_type: str = "deployment", **spec: Any) -> Cluster:
    """A worker cluster as it is after registration."""
    fields = {"apiServer": "https://k8s.example.com", "clusterType": "physical", "usage": "worker"}
    return with_defaults(resource("Cluster", name, **{**fields, "workerType": worker_type, **spec}))


def environment(name: str = "test", cluster_name: str = "run") -> Any:
    return resource("Environment", name, cluster=cluster_name, envType="test")


def repository(name: str = "deploy", project: str = "web", **spec: Any) -> Any:
    return resource("CodeRepo", name, project=project, **spec)


def binding(name: str = "open", coderepo: str = "deploy", projects: Sequence[str] = (), **spec: Any) -> Any:
    fields = {"coderepo": coderepo, "permissions": "readonly", "projects": list(projects)}
    return resource("CodeRepoBinding", name, **{**fields, **spec})


def opened(product: str, coderepo: str, consumer: str, *projects: str, permissions: str = "readonly") -> Any:
    """A binding as the owner of a repository declares it in its own product, for another."""
    spec = {"name": f"for-{consumer}", "productName": product, "product": consumer, "coderepo": coderepo}
    return resource_of(
        {"kind": "CodeRepoBinding", "spec": {**spec, "permissions": permissions, "projects": list(projects)}}
    )


def deployment(name: str = "live", **spec: Any) -> Any:
    source = {"codeRepo": "deploy", "targetRevision": "main", "path": "production"}
    fields = {"manifestSource": source, "destination": {"environment": "test"}, "projectsRef": ["web"]}
    return resource("DeploymentRuntime", name, **{**fields, **spec})


def pipeline(name: str = "build", **spec: Any) -> Any:
    fields = {
        "project": "web",
        "pipelineSource": "pipelines",
        "pipelines": [{"name": "main", "path": "build.yaml"}],
        "destination": {"environment": "build"},
        "eventSources": [events("push")],
        "pipelineTriggers": [{"eventSource": "push", "pipeline": "main"}],
    }
    return resource("ProjectPipelineRuntime", name, **{**fields, **spec})


def events(name: str = "push", **gitlab: Any) -> dict[str, Any]:
    """An event source of a pipeline runtime."""
    return {"name": name, "gitlab": {"repoName": "deploy", "revision": "main", "events": ["push_events"], **gitlab}}


CLUSTERS = {each.name: each for each in (cluster("run"), cluster("make", "pipeline"), cluster("other"))}
HOOKS = {
    "notify": HookEntry(pre=True, post=True),
    "begin": HookEntry(pre=True),
    "review": HookEntry(post=True, event_sources=frozenset({"gitlab"})),
}
FOREIGN = {
    each.path: each
    for each in (
        ForeignRepository("toys/lib", "core", (opened("toys", "lib", "shop"), opened("toys", "lib", "third"))),
        ForeignRepository("toys/web-only", bindings=(opened("toys", "web-only", "shop", "web"),)),
        ForeignRepository("toys/stray", bindings=(opened("toys", "lib", "shop"), opened("third", "stray", "shop"))),
        ForeignRepository("toys/closed", bindings=(opened("toys", "closed", "third"),)),
        ForeignRepository("group/toys/deep", bindings=(opened("group/toys", "deep", "shop", permissions="readwrite"),)),
    )
}
PRODUCTS = frozenset({"shop", "toys", "third", "group/toys"})
GOOD = World(
    ProductTree.of(
        PRODUCT,
        "c1",
        [
            environment(),
            environment("build", "make"),
            resource("Project", "web"),
            resource("Project", "app"),
            repository(),
            repository("pipelines"),
            deployment(),
            pipeline(),
        ],
    ),
    CLUSTERS,
    FOREIGN,
    PRODUCTS,
    HOOKS,
)


@dataclass(frozen=True)
class Case:
    """One failing and one passing change of the good product; `blamed` is the key the finding is about."""

    breaks: Sequence[Any]
    passes: Sequence[Any]
    blamed: str
    says: str
    without: Sequence[str] = ()  # keys taken away in the failing change
    clusters: Sequence[Cluster] = ()  # replaced in both
    before: Sequence[Any] = ()  # there in both


def after(case: Case, applied: Sequence[Any], removed: Sequence[str] = ()) -> World:
    """The good product after a change."""
    clusters = {**GOOD.clusters, **{each.name: each for each in case.clusters}}
    gone = {key: GOOD.tree.apply(case.before).resources[key] for key in removed}
    tree = GOOD.tree.apply([*case.before, *applied]).remove(removed)
    return replace(GOOD, tree=tree, clusters=clusters, removed=gone)


def before(case: Case) -> World:
    """The good product as this case finds it."""
    return replace(after(case, ()), removed={})
