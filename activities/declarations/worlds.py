"""What rules may look at beside a product's own declaration: the clusters there are, and what other products open to it.

Used by planning.py and acceptance.py.
"""

from __future__ import annotations

from collections.abc import Iterable

from clients.declarations import Declarations
from resources.base import Resource
from resources.product import CodeRepo, CodeRepoBinding
from resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from resources.tree import ProductTree
from rules.engine import ForeignRepository, World


class Worlds:
    """Reads with the platform's own account, at the heads."""

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations

    def of(self, *trees: ProductTree) -> list[World]:
        """One world per tree, of one moment."""
        clusters = self._declarations.clusters().clusters
        named = {name for tree in trees for each in tree for name in repositories(each) if "/" in name}
        foreign = {name: found for name in sorted(named) if (found := self._foreign(name)) is not None}
        products = frozenset(self._products(trees))
        return [World(tree, clusters, foreign=foreign, products=products) for tree in trees]

    def _products(self, trees: Iterable[ProductTree]) -> Iterable[str]:
        """Of the products that bindings name: those that are there."""
        wanted = {each.opened_to for tree in trees for each in tree.all(CodeRepoBinding)} | {
            each.product for each in trees
        }
        own = {each.product for each in trees}
        return (path for path in wanted if path in own or self._declarations.product(path).project_id)

    def _foreign(self, full: str) -> ForeignRepository | None:
        """A repository as its owner declares it; None when nobody does."""
        owner, _, name = full.rpartition("/")
        tree = self._declarations.product(owner).tree
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
