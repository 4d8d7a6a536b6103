"""Declarations as Git holds them: a product's `default.project` and the tenant repository, read at their heads and parsed.

Used by the activities that plan, commit and pass on; what was parsed is kept by commit (it never changes).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace

from clients.git import CommitInfo, GitCache
from clients.gitlab import GitLab
from contracts.errors import NotFound
from resources.cluster import Cluster
from resources.findings import Finding
from resources.names import Names
from resources.stored import foreign_ids, read_clusters, read_product
from resources.tree import ProductTree

BRANCH = "main"
DECLARATION = "default.project"
KEPT = 256  # parsed trees kept


@dataclass(frozen=True)
class Declaration:
    """A product as it is declared. Ids are 0 and `head` is "" for what does not exist."""

    path: str
    group_id: int = 0
    project_id: int = 0
    head: str = ""
    tree: ProductTree | None = None
    names: Names = field(default_factory=Names)
    files: dict[str, str] = field(default_factory=dict)  # path -> text as committed


@dataclass(frozen=True)
class DeclaredClusters:
    """The tenant repository's clusters; `files` as committed."""

    project_id: int = 0
    head: str = ""
    clusters: dict[str, Cluster] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


class Declarations:
    """Reads with the platform's own account. Thread-safe."""

    def __init__(self, gitlab: GitLab, git: GitCache, tenant: str) -> None:
        self._gitlab = gitlab
        self._git = git
        self._tenant = tenant
        self._kept: OrderedDict[tuple[str, str], object] = OrderedDict()
        self._lock = threading.Lock()

    def product(self, path: str) -> Declaration:
        """The declaration of a product at its head; an empty one when there is no such product."""
        group_id = self._gitlab.group_id(path)
        if not group_id:
            return Declaration(path)
        project_id = self._gitlab.project_id(f"{path}/{DECLARATION}")
        if not project_id:
            return Declaration(path, group_id)
        head, files = self._files(f"{path}/{DECLARATION}")
        if not head:
            return Declaration(path, group_id, project_id)
        tree, names = read_product(path, group_id, head, files, self._foreign(group_id, files))
        return Declaration(path, group_id, project_id, head, tree, names, files)

    def at(self, declaration: Declaration, commit: str) -> Declaration:
        """The same declaration as an earlier commit holds it. Raises NotFound when Git has it no more."""
        if commit == declaration.head:
            return declaration
        path = declaration.path
        files = self._read(f"{path}/{DECLARATION}", self._git.fetch(f"{path}/{DECLARATION}", commit))
        foreign = self._foreign(declaration.group_id, files)
        tree, names = read_product(path, declaration.group_id, commit, files, foreign)
        return replace(declaration, head=commit, tree=tree, names=names, files=files)

    def about(self, declaration: Declaration) -> CommitInfo:
        """Who made the head, and what they said."""
        return self._git.about(f"{declaration.path}/{DECLARATION}", declaration.head)

    def clusters(self) -> DeclaredClusters:
        """Every cluster of the tenant repository at its head."""
        path = f"{self._tenant}/management"
        project_id = self._gitlab.project_id(path)
        if not project_id:
            return DeclaredClusters()
        head, files = self._files(path)
        clusters, findings = read_clusters(files)
        return DeclaredClusters(project_id, head, {each.name: each for each in clusters}, files, tuple(findings))

    def _foreign(self, group_id: int, files: dict[str, str]) -> Names:
        """Names of what the files mention of other products, by id; what is not there (any more) has none."""
        repositories, products = foreign_ids(files, group_id)
        found = {number: self._gitlab.find(f"/projects/{number}") for number in sorted(repositories)}
        groups = {number: self._gitlab.find(f"/groups/{number}") for number in sorted(products)}
        return Names(
            products={str(each["full_path"]): number for number, each in groups.items() if each},
            repositories={str(each["path_with_namespace"]): number for number, each in found.items() if each},
        )

    def _files(self, repository: str) -> tuple[str, dict[str, str]]:
        try:
            commit = self._git.fetch(repository, BRANCH)
        except NotFound:
            return "", {}
        return commit, self._read(repository, commit)

    def _read(self, repository: str, commit: str) -> dict[str, str]:
        key = (repository, commit)
        with self._lock:
            kept = self._kept.get(key)
        if not isinstance(kept, dict):
            kept = {
                each.path: each.content.decode("utf-8", "replace")
                for each in self._git.files(repository, commit, "")
                if each.path.endswith((".yaml", ".yml"))
            }
            with self._lock:
                self._kept[key] = kept
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return kept
