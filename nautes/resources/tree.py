"""A product's declaration as one immutable value: what a commit holds, and what it would hold after a change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, TypeVar

from nautes.resources.base import Resource
from nautes.resources.findings import Finding

Kind = TypeVar("Kind", bound=Resource)


@dataclass(frozen=True)
class ProductTree:
    """`resources` by key ("Kind/name"); `findings` are files that could not be read."""

    product: str
    commit: str = ""
    resources: Mapping[str, Resource] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(
        cls, product: str, commit: str, resources: Iterable[Resource], findings: Iterable[Finding] = ()
    ) -> ProductTree:
        """A tree of these resources; a name that is declared twice keeps the last one and is a finding."""
        found: dict[str, Resource] = {}
        wrong = list(findings)
        for each in resources:
            if each.key in found:
                wrong.append(
                    Finding(rule="stored-duplicate", message=f"{each.key} is declared twice", resource=each.key)
                )
            found[each.key] = each
        return cls(product, commit, found, tuple(wrong))

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources.values())

    def get(self, kind: type[Kind], name: str) -> Kind | None:
        """The resource of this kind and name, or None."""
        found = self.resources.get(f"{kind.kind}/{name}")
        return found if isinstance(found, kind) else None

    def all(self, kind: type[Kind]) -> list[Kind]:
        """Every resource of a kind, by name."""
        return [each for each in self._by_kind.get(kind, ()) if isinstance(each, kind)]

    @cached_property
    def _by_kind(self) -> dict[type[Resource], list[Resource]]:
        """Kept, because rules need all of a kind once per resource; what is derived from a kind is kept in it, too."""
        found: dict[type[Resource], list[Resource]] = {}
        for each in sorted(self, key=lambda one: one.name):
            for kind in type(each).__mro__:
                found.setdefault(kind, []).append(each)
        return found

    def apply(self, changes: Iterable[Resource]) -> ProductTree:
        """The tree with these resources created or replaced."""
        return replace(self, resources={**self.resources, **{each.key: each for each in changes}})

    def remove(self, keys: Iterable[str]) -> ProductTree:
        """The tree without these resources."""
        gone = set(keys)
        return replace(self, resources={key: each for key, each in self.resources.items() if key not in gone})


@dataclass(frozen=True)
class FileChange:
    """One file of a commit."""

    action: Literal["create", "update", "delete"]
    path: str
    content: str = ""


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> list[FileChange]:
    """What turns the files `old` into `new`, by path."""
    changes = [FileChange("delete", path) for path in old if path not in new]
    for path, content in new.items():
        if path not in old:
            changes.append(FileChange("create", path, content))
        elif old[path] != content:
            changes.append(FileChange("update", path, content))
    return sorted(changes, key=lambda each: each.path)
