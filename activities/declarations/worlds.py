"""What rules may look at beside a product's own declaration: the clusters there are, and what other products open to it.

Used by planning.py and acceptance.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from nautes.clients.declarations import Declaration, Declarations
from nautes.resources.base import Resource
from nautes.resources.product import CodeRepo, CodeRepoBinding
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from nautes.resources.tree import ProductTree
from nautes.rules.engine import ForeignRepository, World

Read = Callable[[str], Declaration]


class Worlds:
    """Reads with the platform's own account, at the heads."""

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations

    def of(self, *trees: ProductTree) -> list[World]:
        """One world per tree, of one moment; every other product is read once."""
        read = cache(self._declarations.product)
        clusters = self._declarations.clusters().clusters
        named = {name for tree in trees for each in tree for name in repositories(each) if "/" in name}
        foreign = {name: found for name in sorted(named) if (found := _foreign(name, read)) is not None}
        products = frozenset(_products(trees, read))
        return [World(tree, clusters, foreign=foreign, products=products) for tree in trees]


def _products(trees: Iterable[ProductTree], read: Read) -> Iterable[str]:
    """Of the products that bindings name: those that are there."""
    own = {each.product for each in trees}
    wanted = own | {each.opened_to for tree in trees for each in tree.all(CodeRepoBinding)}
    return (path for path in wanted if path in own or read(path).project_id)


def _foreign(full: str, read: Read) -> ForeignRepository | None:
    """A repository as its owner declares it; None when nobody does."""
    owner, _, name = full.rpartition("/")
    tree = read(owner).tree
    repository = tree.get(CodeRepo, name) if tree else None
    if tree is None or repository is None:
        return None
    bindings = tuple(each for each in tree.all(CodeRepoBinding) if each.coderepo == name)
    return ForeignRepository(path=full, project=repository.project, bindings=bindings)


def repositories(resource: Resource) -> Iterable[str]:
    """Names of the repositories a resource refers to; those of another product are full paths."""
    if isinstance(resource, CodeRepoBinding):
        yield resource.coderepo
    elif isinstance(resource, DeploymentRuntime):
        yield resource.manifest_source.code_repo
    elif isinstance(resource, ProjectPipelineRuntime):
        yield resource.pipeline_source
        yield from (each.gitlab.repo_name for each in resource.event_sources if each.gitlab)
        extra = resource.additional_resources.git if resource.additional_resources else None
        if extra and extra.code_repo:
            yield extra.code_repo
