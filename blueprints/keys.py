"""Which repository's deploy keys open which repository: the whole table of a product, from its declaration alone.

A key is the identity of the repository that uses it (the consumer); access is that key enabled on another repository (the
target). Used by whoever plans a product's keys; `repositories.agree_keys` brings one target in line with its row. The table
is always made anew and whole: what stands in it no more is taken away, whether or not the target has a project.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from resources.product import CodeRepo, CodeRepoBinding
from resources.tree import ProductTree

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
class ForeignConsumer:
    """A repository of another product, by full path, and the project it belongs to there ("": none)."""

    repository: str
    project: str = ""


def wanted(tree: ProductTree, foreign: Mapping[str, Sequence[ForeignConsumer]] = {}) -> dict[str, frozenset[Access]]:
    """Every key that is to open each repository of a product, its own included.

    `foreign`: the repositories of other products by product path, those that agreed to be given access only. The answer is by
    name of the repository; a binding on a repository that is not declared opens nothing.
    """
    repositories = tree.all(CodeRepo)
    own = [ForeignConsumer(_path(tree, each), each.project) for each in repositories]
    bindings = tree.all(CodeRepoBinding)
    return {
        each.name: frozenset(
            [
                *_both(_path(tree, each)),
                *_siblings(tree, each, repositories),
                *_bound(tree, each, bindings, own, foreign),
            ]
        )
        for each in repositories
    }


def _siblings(tree: ProductTree, target: CodeRepo, repositories: Sequence[CodeRepo]) -> Iterator[Access]:
    """Both keys of every other repository of the same project; no project is no project in common."""
    for each in repositories:
        if target.project and each.project == target.project and each.name != target.name:
            yield from _both(_path(tree, each))


def _bound(
    tree: ProductTree,
    target: CodeRepo,
    bindings: Sequence[CodeRepoBinding],
    own: Sequence[ForeignConsumer],
    foreign: Mapping[str, Sequence[ForeignConsumer]],
) -> Iterator[Access]:
    """The key of each binding's permission, of the repositories it opens the target to."""
    here = _path(tree, target)
    for binding in (each for each in bindings if each.coderepo == target.name):
        consumer = binding.opened_to
        candidates = own if consumer == tree.product else foreign.get(consumer, ())
        for each in candidates:
            listed = not binding.projects or (each.project and each.project in binding.projects)
            if listed and each.repository != here:
                yield Access(each.repository, binding.permissions)


def _both(repository: str) -> Iterator[Access]:
    for permission in PERMISSIONS:
        yield Access(repository, permission)


def _path(tree: ProductTree, repository: CodeRepo) -> str:
    return f"{tree.product}/{repository.name}"
