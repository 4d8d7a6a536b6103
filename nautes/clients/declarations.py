"""Declarations as Git holds them: a product's `default.project` and the tenant repository, parsed once per commit.

Used by the activities that plan, commit and pass on (`Declarations`, at the heads, with the platform's account) and by the API
(`Parsed`, at a commit that GitLab has just shown to the caller).
"""

from __future__ import annotations

import threading
from dataclasses import replace
from operator import attrgetter
from typing import Protocol

from cachetools import LRUCache, cachedmethod

from nautes.clients.git import CommitInfo, GitCache, Limits
from nautes.clients.gitlab import GitLab
from nautes.resources.declaration import Declaration, DeclaredClusters
from nautes.resources.names import Names
from nautes.resources.stored import foreign_ids, read_clusters, read_product

BRANCH = "main"
DECLARATION = "default.project"
LIMITS = Limits(files=20_000, total=64 << 20)  # of a declaration: one file per resource
KEPT = 128  # parsed commits
FILES_KEPT = 100_000  # of all parsed commits together


class Lookup(Protocol):
    """Names of the repositories and products of others that a declaration mentions, by project id and group id."""

    def names(self, repositories: set[int], products: set[int]) -> Names:
        """Full paths by id; what is hidden or gone is left out."""


def _size(found: Declaration | DeclaredClusters) -> int:
    """The cost of an entry, in files; at least so much that no more than `KEPT` entries fit."""
    return min(max(len(found.files), FILES_KEPT // KEPT), FILES_KEPT)


def _key(_self: Parsed, _git: GitCache, *what: object) -> tuple[object, ...]:
    """Path, ids, commit: a group may be renamed, and another may take its path."""
    return what


class Parsed:
    """Parsed commits: one instance per process, thread-safe. Who may see a commit is the caller's decision.

    Concurrent requests for one commit share one read.
    """

    def __init__(self) -> None:
        self._products: LRUCache[tuple[object, ...], Declaration] = LRUCache(FILES_KEPT, getsizeof=_size)
        self._clusters: LRUCache[tuple[object, ...], DeclaredClusters] = LRUCache(FILES_KEPT, getsizeof=_size)
        self._read = threading.Condition()

    @cachedmethod(attrgetter("_products"), key=_key, condition=attrgetter("_read"))
    def product(self, git: GitCache, path: str, group_id: int, project_id: int, commit: str) -> Declaration:
        """The declaration of a product at a commit of its `default.project`."""
        files = _files(git, f"{path}/{DECLARATION}", commit)
        tree, names = read_product(path, group_id, commit, files)
        return Declaration(path, group_id, project_id, commit, tree, names, files)

    @staticmethod
    def translated(found: Declaration, lookup: Lookup) -> Declaration:
        """With the names of other products' repositories: not cached, because the names a caller may know differ."""
        repositories, products = foreign_ids(found.files, found.group_id)
        if not repositories and not products:
            return found
        foreign = lookup.names(repositories, products)
        tree, names = read_product(found.path, found.group_id, found.head, found.files, foreign)
        return replace(found, tree=tree, names=names)

    @cachedmethod(attrgetter("_clusters"), key=_key, condition=attrgetter("_read"))
    def clusters(self, git: GitCache, path: str, project_id: int, commit: str) -> DeclaredClusters:
        """The clusters at a commit of the tenant repository `path`."""
        files = _files(git, path, commit)
        clusters, findings = read_clusters(files)
        return DeclaredClusters(project_id, commit, {each.name: each for each in clusters}, files, tuple(findings))


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
        head = self._gitlab.head(project_id, BRANCH)
        if not head:
            return Declaration(path, group_id, project_id)
        return self._at(Declaration(path, group_id, project_id), head)

    def at(self, declaration: Declaration, commit: str) -> Declaration:
        """The same declaration as an earlier commit holds it. Raises NotFound when Git has it no more."""
        return declaration if commit == declaration.head else self._at(declaration, commit)

    def about(self, declaration: Declaration) -> CommitInfo:
        """Author and message of the head."""
        return self._git.about(f"{declaration.path}/{DECLARATION}", declaration.head)

    def _at(self, of: Declaration, commit: str) -> Declaration:
        found = self._parsed.product(self._git, of.path, of.group_id, of.project_id, commit)
        return self._parsed.translated(found, self._gitlab)

    def clusters(self) -> DeclaredClusters:
        """Every cluster of the tenant repository at its head."""
        path = f"{self._tenant}/management"
        project_id = self._gitlab.project_id(path)
        head = self._gitlab.head(project_id, BRANCH) if project_id else ""
        if not head:
            return DeclaredClusters(project_id)
        return self._parsed.clusters(self._git, path, project_id, head)


def _files(git: GitCache, repository: str, commit: str) -> dict[str, str]:
    return {
        each.path: each.content.decode("utf-8", "replace")
        for each in git.files(repository, commit, "", LIMITS)
        if each.path.endswith((".yaml", ".yml"))
    }
