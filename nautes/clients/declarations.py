"""Declarations as Git holds them: a product's `default.project` and the tenant repository, parsed once per commit.

Used by the activities that plan, commit and pass on (`Declarations`, at the heads, with the platform's account) and by the API
(`Parsed`, at a commit that GitLab has just shown to the caller).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from nautes.clients.git import CommitInfo, GitCache, Limits
from nautes.clients.gitlab import GitLab
from nautes.messages.errors import NotFound
from nautes.resources.declaration import Declaration, DeclaredClusters
from nautes.resources.names import Names
from nautes.resources.stored import foreign_ids, read_clusters, read_product

BRANCH = "main"
DECLARATION = "default.project"
LIMITS = Limits(files=20_000, total=64 << 20)  # of a declaration: one file per resource
KEPT = 128  # parsed commits
FILES_KEPT = 100_000  # of all parsed commits together

Found = TypeVar("Found", Declaration, DeclaredClusters)
Key = tuple[str, int, int, str]  # path, group, project, commit: a group may be renamed, and another may take its path


class Once(Generic[Found]):
    """Keeps what was read by key, bounded; one key is read once, however many ask for it at the same time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Found] = OrderedDict()
        self._busy: dict[Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Key, read: Callable[[], Found]) -> Found:
        """What is kept under a key, else what `read` finds."""
        with self._lock:
            busy = self._busy.setdefault(key, threading.Lock())
        with busy:
            with self._lock:
                kept = self._kept.get(key)
                if kept is not None:
                    self._kept.move_to_end(key)
                    return kept
            try:
                found = read()
                self._keep(key, found)
            finally:
                with self._lock:
                    self._busy.pop(key, None)
        return found

    def _keep(self, key: Key, found: Found) -> None:
        with self._lock:
            self._kept[key] = found
            total = sum(len(each.files) for each in self._kept.values())
            while len(self._kept) > 1 and (len(self._kept) > KEPT or total > FILES_KEPT):
                total -= len(self._kept.popitem(last=False)[1].files)


class Lookup(Protocol):
    """Names of what a declaration mentions of other products, as somebody may know them: project ids, group ids."""

    def names(self, repositories: set[int], products: set[int]) -> Names:
        """What is hidden or gone has none."""


class Parsed:
    """What commits hold, parsed: one per process, thread-safe. It decides nothing about who may see it."""

    def __init__(self) -> None:
        self._products: Once[Declaration] = Once()
        self._clusters: Once[DeclaredClusters] = Once()

    def product(self, git: GitCache, path: str, group_id: int, project_id: int, commit: str) -> Declaration:
        """The declaration of a product at a commit of its `default.project`."""

        def read() -> Declaration:
            files = _files(git, f"{path}/{DECLARATION}", commit)
            tree, names = read_product(path, group_id, commit, files)
            return Declaration(path, group_id, project_id, commit, tree, names, files)

        return self._products.get((path, group_id, project_id, commit), read)

    @staticmethod
    def translated(found: Declaration, lookup: Lookup) -> Declaration:
        """With the names of other products' repositories: not kept, because who asks decides which are known."""
        repositories, products = foreign_ids(found.files, found.group_id)
        if not repositories and not products:
            return found
        foreign = lookup.names(repositories, products)
        tree, names = read_product(found.path, found.group_id, found.head, found.files, foreign)
        return replace(found, tree=tree, names=names)

    def clusters(self, git: GitCache, path: str, project_id: int, commit: str) -> DeclaredClusters:
        """The clusters at a commit of the tenant repository `path`."""

        def read() -> DeclaredClusters:
            files = _files(git, path, commit)
            clusters, findings = read_clusters(files)
            return DeclaredClusters(project_id, commit, {each.name: each for each in clusters}, files, tuple(findings))

        return self._clusters.get((path, 0, project_id, commit), read)


class Declarations:
    """Reads heads with the platform's own account. Thread-safe."""

    def __init__(self, gitlab: GitLab, git: GitCache, tenant: str) -> None:
        self._gitlab = gitlab
        self._git = git
        self._tenant = tenant
        self._parsed = Parsed()

    def product(self, path: str) -> Declaration:
        """The declaration of a product at its head; an empty one when there is no such product."""
        group_id = self._gitlab.group_id(path)
        if not group_id:
            return Declaration(path)
        project_id = self._gitlab.project_id(f"{path}/{DECLARATION}")
        if not project_id:
            return Declaration(path, group_id)
        head = self._head(f"{path}/{DECLARATION}")
        if not head:
            return Declaration(path, group_id, project_id)
        return self._at(Declaration(path, group_id, project_id), head)

    def at(self, declaration: Declaration, commit: str) -> Declaration:
        """The same declaration as an earlier commit holds it. Raises NotFound when Git has it no more."""
        return declaration if commit == declaration.head else self._at(declaration, commit)

    def about(self, declaration: Declaration) -> CommitInfo:
        """Who made the head, and what they said."""
        return self._git.about(f"{declaration.path}/{DECLARATION}", declaration.head)

    def _at(self, of: Declaration, commit: str) -> Declaration:
        found = self._parsed.product(self._git, of.path, of.group_id, of.project_id, commit)
        return self._parsed.translated(found, self._gitlab)

    def clusters(self) -> DeclaredClusters:
        """Every cluster of the tenant repository at its head."""
        path = f"{self._tenant}/management"
        project_id = self._gitlab.project_id(path)
        head = self._head(path) if project_id else ""
        if not head:
            return DeclaredClusters(project_id)
        return self._parsed.clusters(self._git, path, project_id, head)

    def _head(self, repository: str) -> str:
        try:
            return self._git.fetch(repository, BRANCH)
        except NotFound:
            return ""


def _files(git: GitCache, repository: str, commit: str) -> dict[str, str]:
    return {
        each.path: each.content.decode("utf-8", "replace")
        for each in git.files(repository, commit, "", LIMITS)
        if each.path.endswith((".yaml", ".yml"))
    }
