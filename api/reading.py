"""Reads declarations: GitLab shows the head to the caller, which proves the right to read it; the rest is cached.

One question to GitLab per read (two for a commit that was not read before), and no workflow. Trees are fetched into one cache
for all callers and parsed once per commit, but nobody is shown a commit that GitLab has not just named to them, unless their
cursor began at it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache, TTLCache

from api import authorization
from api.authorization import Rights
from api.schemas import reply
from nautes.clients.declarations import DECLARATION, Parsed
from nautes.clients.git import GitCache
from nautes.clients.gitlab import Caller as GitLabCaller
from nautes.clients.settings import Settings
from nautes.resources.base import Resource
from nautes.resources.declaration import Declaration, DeclaredClusters
from nautes.resources.kinds import KINDS
from nautes.resources.manifest import version
from nautes.resources.product import product_of_group

KEPT = 128  # views
RESOURCES_KEPT = 100_000  # in all views together
LIVE_SECONDS = 15.0  # seconds for which addresses of repositories are cached
LIVE_KEPT = 256
DELETED = "-deletion_scheduled-"  # the suffix by which GitLab renames what it is about to delete


@dataclass(frozen=True)
class Item:
    """One resource as the API shows it."""

    name: str
    version: str
    shown: dict[str, Any]


@dataclass
class View:
    """What one commit declares, with what was made of it for answers."""

    commit: str
    resources: Mapping[str, Resource]  # by "<Kind>/<name>"
    _items: dict[str, list[Item]] = field(default_factory=dict)

    def item(self, kind: str, name: str) -> Item | None:
        """One resource."""
        found = self.resources.get(f"{kind}/{name}")
        return _item(found) if found else None

    def items(self, kind: str) -> list[Item]:
        """Every resource of a kind, by name."""
        if kind not in self._items:
            model = KINDS[kind]
            found = sorted((each for each in self.resources.values() if isinstance(each, model)), key=_name)
            self._items[kind] = [_item(each) for each in found]
        return self._items[kind]


class Reading:
    """One per process; safe to use by many requests at once."""

    def __init__(self, settings: Settings, gitlab: GitLabCaller) -> None:
        self._settings = settings
        self._gitlab = gitlab
        self._parsed = Parsed()
        # By repository, commit and caller (0: all callers).
        self._views: LRUCache[tuple[str, str, int], View] = LRUCache(RESOURCES_KEPT, getsizeof=_size)
        self._live: TTLCache[tuple[int, str, str], dict[str, dict[str, Any]]] = TTLCache(LIVE_KEPT, LIVE_SECONDS)

    @property
    def tenant_repository(self) -> str:
        """The repository that declares clusters."""
        return f"{self._settings.tenant}/management"

    async def product(self, rights: Rights, path: str) -> View:
        """What a product declares at its head. Raises NotFound when it is hidden, Forbidden without the right to read."""
        repository = f"{path}/{DECLARATION}"
        branch = await rights.branch(repository)
        if branch is None:
            if await rights.level(repository) is None:
                raise authorization.unknown(repository)
            return View("", {})  # it exists and holds nothing yet
        return self._kept(repository, branch.commit, rights) or await self._read(rights, repository, branch.commit)

    async def clusters(self, rights: Rights) -> View:
        """Every registered cluster."""
        await authorization.may_read_clusters(rights, self.tenant_repository)
        branch = await rights.branch(self.tenant_repository)
        if branch is None:
            return View("", {})
        found = self._kept(self.tenant_repository, branch.commit, rights)
        return found or await self._read(rights, self.tenant_repository, branch.commit)

    def at(self, repository: str, commit: str, rights: Rights) -> View | None:
        """The commit at which a cursor began. The caller has just been allowed to read the repository's head."""
        return self._kept(repository, commit, rights)

    async def products(self, rights: Rights) -> list[Item]:
        """The products whose declaration the caller is a member of: two lists, a hundred per call."""
        token = rights.caller.token
        declarations, groups = await asyncio.gather(
            asyncio.to_thread(self._gitlab.projects_named, token, DECLARATION),
            asyncio.to_thread(self._gitlab.groups, token),
        )
        by_path = {str(each["full_path"]): each for each in groups}
        paths = [str(each["path_with_namespace"]).rpartition("/")[0] for each in declarations]
        shown = (by_path.get(each, {}) for each in paths)
        return [
            product_item(path, group) for path, group in sorted(zip(paths, shown, strict=True)) if DELETED not in path
        ]

    async def one_product(self, rights: Rights, path: str) -> Item:
        """One product. Raises NotFound when it is hidden."""
        await self.product_is_readable(rights, path)
        group = await rights.group(path)
        if group is None:
            raise authorization.unknown(f"{path}/{DECLARATION}")
        return product_item(path, group)

    async def product_is_readable(self, rights: Rights, path: str) -> None:
        """Raise unless the caller may read the product."""
        repository = f"{path}/{DECLARATION}"
        if await rights.branch(repository) is None and await rights.level(repository) is None:
            raise authorization.unknown(repository)

    async def repositories(self, rights: Rights, path: str, commit: str) -> dict[str, dict[str, Any]]:
        """The repositories of a product as GitLab shows them to the caller, by name."""
        key = (rights.caller.person.id, path, commit)
        found = self._live.get(key)
        if found is None:
            listed = await asyncio.to_thread(self._gitlab.projects_in, rights.caller.token, path)
            found = self._live[key] = {str(each["path"]): each for each in listed}
        return found

    def _kept(self, repository: str, commit: str, rights: Rights) -> View | None:
        mine = self._views.get((repository, commit, rights.caller.person.id))
        return self._views.get((repository, commit, 0), mine)

    async def _read(self, rights: Rights, repository: str, commit: str) -> View:
        """Fetch and parse; the project is asked for its ids, and for being spelled like this."""
        project = await asyncio.to_thread(self._gitlab.project, rights.caller.token, repository)
        if project is None or str(project["path_with_namespace"]) != repository:
            raise authorization.unknown(repository)
        found = await asyncio.to_thread(self._parse, rights.caller.token, project, commit)
        who = 0
        if isinstance(found, Declaration):
            # Each caller sees only those names of other products' resources that they may know.
            mine = await asyncio.to_thread(self._parsed.translated, found, self._gitlab.names(rights.caller.token))
            who = 0 if mine is found else rights.caller.person.id
            view = View(commit, mine.tree.resources if mine.tree else {})
        else:
            view = View(commit, {each.key: each for each in found.clusters.values()})
        self._views[repository, commit, who] = view
        return view

    def _parse(self, token: str, project: dict[str, Any], commit: str) -> Declaration | DeclaredClusters:
        git = GitCache(self._settings.state_dir / "git", self._settings.gitlab_url, lambda: ("oauth2", token))
        path, number = str(project["path_with_namespace"]), int(project["id"])
        if path == self.tenant_repository:
            return self._parsed.clusters(git, path, number, commit)
        product = path.rpartition("/")[0]
        return self._parsed.product(git, product, int(project["namespace"]["id"]), number, commit)


def product_item(path: str, group: Mapping[str, Any]) -> Item:
    """A product as the API shows it."""
    return _item(product_of_group(path, group))


def with_addresses(item: Item, project: Mapping[str, Any] | None) -> dict[str, Any]:
    """A repository with its addresses and defaults from GitLab."""
    live = project or {}
    git = item.shown.get("git") or {}
    declared = git.get("gitlab") or dict.fromkeys(("parent_id", "description"))
    shown = {
        **declared,
        **{key: declared.get(key) or str(live.get(key) or "") for key in ("name", "visibility")},
        "path": declared.get("path") or item.name,
        "description": declared.get("description")
        if declared.get("description") is not None
        else live.get("description"),
        **{key: str(live.get(key) or "") for key in ("ssh_url_to_repo", "http_url_to_repo")},
    }
    return {**item.shown, "git": {**git, "gitlab": shown, "github": None}}


def _size(view: View) -> int:
    """The cost of an entry, in resources; at least so much that no more than `KEPT` entries fit."""
    return min(max(len(view.resources), RESOURCES_KEPT // KEPT), RESOURCES_KEPT)


def _item(resource: Resource) -> Item:
    return Item(resource.name, version(resource), reply(resource))


def _name(resource: Resource) -> str:
    return resource.name
