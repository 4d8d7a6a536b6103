"""Authorization: before any effect, on the parsed resources, with the caller's own token. One function per kind of operation.

What the caller may not know of is 404; what they know but may not do is 403 and names the permission that is missing. GitLab is
asked anew for every request, and only once per question within a request (`Rights`). GitLab's administrators may do everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from api.identity import Caller
from nautes.clients.declarations import BRANCH, DECLARATION
from nautes.clients.gitlab import Branch
from nautes.messages.errors import Forbidden, NotFound
from nautes.messages.operations import Action
from nautes.resources.base import Resource
from nautes.resources.product import CodeRepo, CodeRepoBinding, Product
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime

LEVELS = {
    0: "no access",
    5: "Minimal",
    10: "Guest",
    15: "Planner",
    20: "Reporter",
    30: "Developer",
    40: "Maintainer",
    50: "Owner",
}
REPORTER, MAINTAINER, OWNER = 20, 40, 50
NO_PARTS = ("", ".", "..")  # of a path in GitLab
PROJECTS, GROUPS = "projects", "groups"

Answer = TypeVar("Answer")
Declared = Callable[[], Awaitable[Mapping[str, Resource]]]  # the resources declared now, by "<Kind>/<name>"


class Directory(Protocol):
    """The part of GitLab that authorization uses (clients.gitlab.Caller)."""

    def user(self, token: str) -> dict[str, Any]:
        """The caller's own record."""

    def level(self, token: str, user_id: int, path: str, kind: str) -> int | None:
        """Level by membership, None when hidden."""

    def branch(self, token: str, path: str, name: str) -> Branch | None:
        """A branch, None when hidden or not there; Forbidden when its code may not be read."""

    def group(self, token: str, path: str) -> dict[str, Any] | None:
        """A group, None when hidden."""


class Rights:
    """GitLab's answers to one caller during one request; each is read once and not kept for the next request."""

    def __init__(self, directory: Directory, caller: Caller) -> None:
        self.caller = caller
        self._directory = directory
        self._asked: dict[tuple[Any, ...], asyncio.Task[Any]] = {}

    async def is_admin(self) -> bool:
        """Whether this is an administrator of GitLab."""
        return bool((await self._user()).get("is_admin"))

    async def can_create_group(self) -> bool:
        """Whether they may create top-level groups."""
        return bool((await self._user()).get("can_create_group"))

    async def level(self, path: str, kind: str = PROJECTS) -> int | None:
        """Effective level, None when hidden or not there. A path that a URL would resolve to another one is never requested."""
        if not _askable(path):
            return None
        found: int | None = await self._once(self._directory.level, self.caller.person.id, path, kind)
        return found if found is None or not await self.is_admin() else OWNER

    async def branch(self, path: str) -> Branch | None:
        """The declaration's branch as the caller sees it: read rights, head and the right to push in one request."""
        if not _askable(path):
            return None
        try:
            return await self._once(self._directory.branch, path, BRANCH)
        except Forbidden as error:
            if "insufficient_scope" in error.message or await self.level(path) is None:
                raise
            raise Forbidden("permission-missing", f"this needs {_named(REPORTER)} on {path}") from None

    async def group(self, path: str) -> dict[str, Any] | None:
        """A group, None when hidden."""
        return await self._once(self._directory.group, path) if _askable(path) else None

    async def require(self, path: str, level: int, kind: str = PROJECTS) -> None:
        """Raise unless the caller has `level`."""
        found = await self.level(path, kind)
        if found is None:
            raise unknown(path)
        if found < level:
            text = f"this needs {_named(level)} on {path}; you have {_named(found)}"
            raise Forbidden("permission-missing", text)

    async def _user(self) -> dict[str, Any]:
        return await self._once(self._directory.user)

    async def _once(self, ask: Callable[..., Answer], *arguments: Any) -> Answer:
        key = (ask.__name__, *arguments)
        if key not in self._asked:
            self._asked[key] = asyncio.ensure_future(asyncio.to_thread(ask, self.caller.token, *arguments))
        found: Answer = await asyncio.shield(self._asked[key])
        return found


@dataclass(frozen=True)
class Change:
    """The requested change of one product."""

    product: str
    action: Action
    resources: list[Resource] = field(default_factory=list)
    skip_check: bool = False

    def of(self, kind: type[Resource]) -> list[Any]:
        """Its resources of a kind."""
        return [each for each in self.resources if isinstance(each, kind)]

    def path_of(self, repository: str) -> str:
        """The full path of a repository that a resource names, by name or (of another product) by full path."""
        return repository if "/" in repository else f"{self.product}/{repository}"


def unknown(path: str) -> NotFound:
    """The same error for what does not exist and for what is hidden."""
    return NotFound("not-found", f"there is no {path}, or you may not know of it")


async def may_read(rights: Rights, product: str) -> Branch:
    """Requires the right to read the declaration, for reading anything of a product; returns its head."""
    found = await rights.branch(f"{product}/{DECLARATION}")
    if found is None:
        raise unknown(f"{product}/{DECLARATION}")
    return found


async def may_command(rights: Rights, product: str) -> None:
    """Requires Maintainer on the declaration, for commands to runtimes."""
    await rights.require(f"{product}/{DECLARATION}", MAINTAINER)


async def may_read_clusters(rights: Rights, repository: str) -> None:
    """Requires the right to read the tenant repository, for reading clusters."""
    await rights.require(repository, REPORTER)


async def may_change_clusters(rights: Rights, repository: str) -> None:
    """Requires Maintainer of the tenant repository, for registering, changing and removing clusters, checked or not."""
    await rights.require(repository, MAINTAINER)


async def may_change(rights: Rights, change: Change, declared: Declared) -> None:
    """Checks everything a change of one product needs. Raises NotFound or Forbidden for the first thing that is missing."""
    new = bool(change.of(Product)) and await _may_change_group(rights, change)
    if not new:  # the creator of a group owns everything in it
        await may_push(rights, change.product)
        if change.skip_check:
            await rights.require(f"{change.product}/{DECLARATION}", MAINTAINER)
        await _repositories(rights, change, declared)
    await _bindings(rights, change, declared, new)
    await _references(rights, change, declared, new)


async def may_push(rights: Rights, product: str) -> None:
    """Requires the right to push to the declaration, as GitLab reports it."""
    path = f"{product}/{DECLARATION}"
    branch = await rights.branch(path)
    if branch is None:
        if await rights.level(path) is None:
            raise NotFound("not-found", f"there is no product {product}, or you may not know of it")
        await rights.require(path, MAINTAINER)  # it has no branch yet
    elif not branch.can_push:
        raise Forbidden("permission-missing", f"this needs push to {BRANCH} of {path}")


async def _may_change_group(rights: Rights, change: Change) -> bool:
    """Whether it has no declaration yet. Changing or deleting a group requires Owner; saving it unchanged needs no more."""
    product, group = change.product, await rights.group(change.product)
    if group is None and change.action == "apply":
        await _may_create(rights, product)
        return True
    new = await rights.level(f"{product}/{DECLARATION}") is None
    if group is None or new or change.action == "remove" or any(_differs(each, group) for each in change.of(Product)):
        await rights.require(product, OWNER, GROUPS)
    return new


async def _may_create(rights: Rights, product: str) -> None:
    parent = product.rpartition("/")[0]
    if parent:  # the platform's account could create it anywhere: the caller's own rights are checked here
        await rights.require(parent, MAINTAINER, GROUPS)
    elif not await rights.can_create_group():
        raise Forbidden("permission-missing", "this needs the right to create top-level groups in GitLab")


def _differs(product: Product, group: Mapping[str, Any]) -> bool:
    """Whether saving would change the group."""
    wanted = product.git.gitlab
    if wanted is None:
        return False
    given = {
        "name": wanted.name or None,
        "visibility": wanted.visibility or None,
        "description": wanted.description,
    }
    return any(value is not None and value != (group.get(key) or "") for key, value in given.items())


async def _repositories(rights: Rights, change: Change, declared: Declared) -> None:
    """Checks rights on repositories: saving one creates keys on it; deleting one deletes its content."""
    for path, name in [(change.path_of(each.name), each.key) for each in change.of(CodeRepo)]:
        there = await rights.level(path) is not None
        if change.action == "apply":
            await rights.require(*((path, MAINTAINER) if there else (change.product, MAINTAINER, GROUPS)))
        elif there or name in await declared():
            await rights.require(path, OWNER)


async def _bindings(rights: Rights, change: Change, declared: Declared, new: bool) -> None:
    """Checks rights on the repositories of bindings, of the declared versions as well as of the sent ones."""
    sent: list[CodeRepoBinding] = change.of(CodeRepoBinding)
    if not sent:
        return
    if change.action == "apply":
        for consumer in sorted({each.consumer for each in sent if each.consumer}):
            if (
                await rights.level(consumer, GROUPS) is None
            ):  # as in GitLab: a group that the caller cannot see cannot be invited
                raise unknown(consumer)
    known = {} if new else await declared()
    kept = [each for each in (known.get(one.key) for one in sent) if isinstance(each, CodeRepoBinding)]
    for name in sorted({each.coderepo for each in [*sent, *kept]} - _made(change)):
        if not await _left_to_the_rules(rights, change, name, known):
            await rights.require(change.path_of(name), REPORTER if "/" in name else MAINTAINER)


async def _references(rights: Rights, change: Change, declared: Declared, new: bool) -> None:
    """Requires the right to read the repositories that a runtime uses."""
    if change.action != "apply":
        return
    names = sorted({name for each in change.resources for name in _used(each)} - _made(change))
    await asyncio.gather(*(rights.level(change.path_of(each)) for each in names))
    known = await declared() if names and not new else {}
    for name in names:
        if not await _left_to_the_rules(rights, change, name, known):
            await rights.require(change.path_of(name), REPORTER)


async def _left_to_the_rules(rights: Rights, change: Change, name: str, known: Mapping[str, Resource]) -> bool:
    """Whether the product has no such repository: the rules report that more precisely than "not found"."""
    own = "/" not in name and f"CodeRepo/{name}" not in known
    return own and await rights.level(change.path_of(name)) is None


def _made(change: Change) -> set[str]:
    """Repositories that the same change creates or whose rights it has checked already."""
    return {each.name for each in change.of(CodeRepo)} if change.action == "apply" else set()


def _used(resource: Resource) -> Iterable[str]:
    """The repositories a runtime uses, as it names them."""
    found: list[str] = []
    if isinstance(resource, DeploymentRuntime):
        found = [resource.manifest_source.code_repo]
    elif isinstance(resource, ProjectPipelineRuntime):
        extra = resource.additional_resources.git if resource.additional_resources else None
        events = [each.gitlab.repo_name for each in resource.event_sources if each.gitlab]
        found = [resource.pipeline_source, *events, extra.code_repo if extra else ""]
    return [each for each in found if each]


def _askable(path: str) -> bool:
    return set(path.split("/")).isdisjoint(NO_PARTS)


def _named(level: int) -> str:
    return f"{LEVELS.get(level, '?')} ({level})"
