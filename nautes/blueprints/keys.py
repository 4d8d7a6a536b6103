"""Which deploy keys give access to which repository: the whole table of a product, from its declaration alone.

A key is the identity of the repository that uses it (the consumer); access is that key enabled on another repository (the
target). Used to plan a product's keys; `repositories.ensure_foreign_keys` brings one target in line with its row. The table
is always made anew and whole: keys that are no longer in it are removed, whether or not the target has a project.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from nautes.resources.product import CodeRepo, CodeRepoBinding
from nautes.resources.tree import ProductTree

Permission = Literal["readonly", "readwrite"]
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)


@dataclass(frozen=True)
class Access:
    """One key on one repository: `consumer` is the full path of the repository whose key it is."""

    consumer: str
    permission: Permission

    @property
    def push(self) -> bool:
        """Whether the key may push there."""
        return self.permission == "readwrite"


@dataclass(frozen=True)
class Consumer:
    """A repository whose keys may be used elsewhere: its full path, and the project it belongs to ("": none)."""

    repository: str
    project: str = ""


@dataclass(frozen=True)
class ForeignUse:
    """The consumer's side of a binding: another product declares to use a repository of this one, by full path."""

    product: str
    repository: str
    permission: Permission
    consumers: tuple[Consumer, ...] = ()


def wanted(tree: ProductTree, foreign_uses: Sequence[ForeignUse] = ()) -> dict[str, frozenset[Access]]:
    """Every key that is to open each repository of a product, its own included.

    The answer is by name of the repository; a binding on a repository that is not declared opens nothing, and one for another
    product only what that product declares to use.
    """
    repositories = tree.all(CodeRepo)
    own = [Consumer(_path(tree, each), each.project) for each in repositories]
    bindings = tree.all(CodeRepoBinding)
    return {
        each.name: frozenset(
            [
                *_both(_path(tree, each)),
                *_siblings(tree, each, repositories),
                *_bound(tree, each, bindings, own),
                *_opened_to_others(tree, each, foreign_uses),
            ]
        )
        for each in repositories
    }


def _siblings(tree: ProductTree, target: CodeRepo, repositories: Sequence[CodeRepo]) -> Iterator[Access]:
    """Both keys of every other repository of the same project; repositories without a project share none."""
    for each in repositories:
        if target.project and each.project == target.project and each.name != target.name:
            yield from _both(_path(tree, each))


def _bound(
    tree: ProductTree,
    target: CodeRepo,
    bindings: Sequence[CodeRepoBinding],
    own: Sequence[Consumer],
) -> Iterator[Access]:
    """For each binding, the keys with its permission of the product's own repositories that it opens the target to."""
    for binding in bindings:
        if binding.coderepo == target.name and binding.opened_to == tree.product:
            for each in own:
                if _listed(binding, each) and each.repository != _path(tree, target):
                    yield Access(each.repository, binding.permissions)


def _opened_to_others(tree: ProductTree, target: CodeRepo, foreign_uses: Sequence[ForeignUse]) -> Iterator[Access]:
    """The keys of other products' repositories, where both products declare it."""
    for each in foreign_uses:
        if each.repository == _path(tree, target):
            for binding in openings(tree, each):
                for consumer in each.consumers:
                    if _listed(binding, consumer):
                        yield Access(consumer.repository, each.permission)


def openings(tree: ProductTree, use: ForeignUse) -> Iterator[CodeRepoBinding]:
    """The bindings by which a product opens what another one declares to use."""
    for each in tree.all(CodeRepoBinding):
        same = f"{tree.product}/{each.coderepo}" == use.repository and each.opened_to == use.product
        if same and use.product != tree.product and each.permissions in (use.permission, "readwrite"):
            yield each


def _listed(binding: CodeRepoBinding, consumer: Consumer) -> bool:
    return not binding.projects or bool(consumer.project and consumer.project in binding.projects)


def _both(repository: str) -> Iterator[Access]:
    for permission in PERMISSIONS:
        yield Access(repository, permission)


def _path(tree: ProductTree, repository: CodeRepo) -> str:
    return f"{tree.product}/{repository.name}"
