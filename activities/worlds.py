"""Input of the rules besides a product's own declaration: the registered clusters, and what other products open to it.

Used by activities/observation.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from nautes.clients.declarations import Declarations
from nautes.planning.declaration import named_repositories
from nautes.resources.declaration import Declaration
from nautes.resources.product import CodeRepo, CodeRepoBinding
from nautes.resources.tree import ProductTree
from nautes.rules.engine import ForeignRepository, World

Read = Callable[[str], Declaration]


class Worlds:
    """Reads with the platform's own account, at the heads."""

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations

    def of(self, *trees: ProductTree) -> list[World]:
        """One world per tree, all read at the same time; every other product is read once."""
        read = cache(self._declarations.product)
        clusters = self._declarations.clusters().clusters
        named = {name for tree in trees for each in tree for name in named_repositories(each) if "/" in name}
        foreign = {name: found for name in sorted(named) if (found := _foreign(name, read)) is not None}
        products = frozenset(_products(trees, read))
        return [World(tree, clusters, foreign=foreign, products=products) for tree in trees]


def _products(trees: Iterable[ProductTree], read: Read) -> Iterable[str]:
    """The products that bindings name and that exist."""
    own = {each.product for each in trees}
    wanted = own | {each.opened_to for tree in trees for each in tree.all(CodeRepoBinding)}
    return (path for path in wanted if path in own or read(path).project_id)


def _foreign(full: str, read: Read) -> ForeignRepository | None:
    """A repository as its owner declares it; None when it does not."""
    owner, _, name = full.rpartition("/")
    tree = read(owner).tree
    repository = tree.get(CodeRepo, name) if tree else None
    if tree is None or repository is None:
        return None
    bindings = tuple(each for each in tree.all(CodeRepoBinding) if each.coderepo == name)
    return ForeignRepository(path=full, project=repository.project, bindings=bindings)
