"""Effects in GitLab: groups, repositories, commits and statuses.

Called by the tenant, change and run workflows. Every activity looks first: what agrees is not written.
"""

from __future__ import annotations

from typing import Any

from temporalio import activity

from nautes.clients.gitlab import MAINTAINER, OWNER, GitLab, quoted
from nautes.messages.common import Requester
from nautes.messages.errors import Conflict, Forbidden, NotFound, Refused
from nautes.messages.gitlab import (
    CommentInput,
    CommitInput,
    Committed,
    FormerSettings,
    Gone,
    GroupInput,
    GroupState,
    Made,
    ProductPaths,
    RepositoryInput,
    RepositoryState,
    StatusInput,
)
from nautes.messages.vault import Done

DECLARATION = "default.project"
TRAILER = "Nautes-Operation"
PAGES_AT_ONCE = 5  # of projects, in one answer


class GitLabActivities:
    """With the platform's own account; `tenant` names the group of the tenant repository."""

    def __init__(self, gitlab: GitLab, tenant: str) -> None:
        self._gitlab = gitlab
        self._tenant = tenant

    # Groups and repositories

    @activity.defn(name="gitlab.ensure_group")
    def ensure_group(self, input: GroupInput) -> GroupState:
        """A product's group as declared, owned by who asked. Idempotent: found by path, corrected when different.

        Raises Forbidden, before anything is written, for a group that is not theirs.
        """
        found = None if input.new and first_attempt() else self._gitlab.find(f"/groups/{quoted(input.path)}")
        if found is None:
            created = self._create_group(input)
            if created is not None:
                # The account that creates a group is its Owner already; the person who asked for it becomes one.
                self._own(created["id"], input.owner)
                return GroupState(id=created["id"], path=created["full_path"], made="created", retried=retried())
            found = self._gitlab.get(f"/groups/{quoted(input.path)}")
        if not self._may_have(found, input):
            self._make_owner(found["id"], input.owner)  # ours, from a first attempt that did not get this far
        made = correct(self._gitlab, f"/groups/{found['id']}", found, input)
        self._ensure_member(found["id"])
        return GroupState(id=found["id"], path=found["full_path"], made=made, retried=retried())

    @activity.defn(name="gitlab.restore_settings")
    def restore_settings(self, input: FormerSettings) -> Done:
        """An undo: settings of a group or project as they were. Idempotent; one that is gone is success."""
        path = f"/{input.kind}/{input.id}"
        found = self._gitlab.find(path)
        former = input.model_dump(include={"name", "visibility", "description"}, exclude_none=True)
        changes = {name: value for name, value in former.items() if found and (found.get(name) or "") != value}
        if changes:
            self._gitlab.put(path, **changes)
        return Done(changed=bool(changes))

    def _create_group(self, input: GroupInput) -> Any | None:
        """The new group; None where somebody has made one of that path meanwhile."""
        parent, _, path = input.path.rpartition("/")
        body: dict[str, Any] = {"name": input.name or path, "path": path, "description": input.description or ""}
        body["visibility"] = input.visibility or "private"
        if parent:
            body["parent_id"] = self._gitlab.get(f"/groups/{quoted(parent)}")["id"]
        try:
            return self._gitlab.post("/groups", **body)
        except (Conflict, Refused):
            if input.new and self._gitlab.find(f"/groups/{quoted(input.path)}"):
                return None
            raise

    def _own(self, group_id: int, owner: Requester) -> None:
        """Make somebody an Owner of a group that was just made; its maker is one already."""
        try:
            self._gitlab.post(f"/groups/{group_id}/members", user_id=owner.id, access_level=OWNER)
        except Conflict:
            self._make_owner(group_id, owner)

    def _may_have(self, group: Any, input: GroupInput) -> bool:
        """Whether who asked has the rights already: Owner of a group, Maintainer of what is a product.

        False for a group that nobody but the platform owns: a retry finds it so. Raises Forbidden for somebody else's.
        """
        member = self._gitlab.find(f"/groups/{group['id']}/members/all/{input.owner.id}")
        ours = self._gitlab.find(f"/projects/{quoted(group['full_path'] + '/' + DECLARATION)}") is not None
        if input.owner.admin or (member and member["access_level"] >= (MAINTAINER if ours else OWNER)):
            # GitLab finds a group in whatever letters: two spellings would be two writers of one product.
            if group["full_path"] != input.path:
                raise Refused("product-spelling", f"the group is written {group['full_path']}")
            return True
        if ours or member or self._has_other_owner(group["id"]):
            raise Forbidden("group-foreign", f"the group is there already and {input.owner.username} is not its Owner")
        return False

    def _make_owner(self, group_id: int, owner: Requester) -> None:
        member = self._gitlab.find(f"/groups/{group_id}/members/all/{owner.id}")
        if not member or member["access_level"] < OWNER:
            self._gitlab.post(f"/groups/{group_id}/members", user_id=owner.id, access_level=OWNER)

    def _ensure_member(self, group_id: int) -> None:
        """The platform is a member of the group itself: GitLab lists pushes only for projects of which an account is a member."""
        own = self._gitlab.get("/user")["id"]
        if self._gitlab.find(f"/groups/{group_id}/members/all/{own}") is None:
            self._gitlab.post(f"/groups/{group_id}/members", user_id=own, access_level=OWNER)

    def _has_other_owner(self, group_id: int) -> bool:
        """Whether somebody besides the platform owns the group (a retry may find a group without its owner)."""
        own = self._gitlab.get("/user")["id"]
        members = self._gitlab.pages(f"/groups/{group_id}/members")
        return any(each["id"] != own and each["access_level"] >= OWNER for each in members)

    def ensure_repository(self, input: RepositoryInput) -> RepositoryState:
        """See `ensure_project`."""
        return ensure_project(self._gitlab, input)

    @activity.defn(name="gitlab.ensure_tenant_repository")
    def ensure_tenant_repository(self, tenant: str) -> RepositoryState:
        """The tenant's group and its repository `management`. Idempotent: found by path."""
        if self._gitlab.find(f"/groups/{quoted(tenant)}") is None:
            self._gitlab.post("/groups", name=tenant, path=tenant, visibility="private")
        input = RepositoryInput(
            group=tenant, path="management", name="management", visibility="private", initialize=True
        )
        return self.ensure_repository(input)

    @activity.defn(name="gitlab.delete_group")
    def delete_group(self, path: str) -> Gone:
        """Remove a group and all in it, a top-level one as far as GitLab lets us. Idempotent: nothing there is success."""
        found = self._gitlab.find(f"/groups/{quoted(path)}") or self._marked_group(path)
        if not found:
            return Gone(removed=False)
        return Gone(removed=remove(self._gitlab, "groups", "full_path", found["id"]))

    def _marked_group(self, path: str) -> Any | None:
        """The group as a first deletion renamed it: a retry after an unseen success finds it by its new path."""
        listed = self._gitlab.pages("/groups", search=f"{path}-deletion_scheduled-")
        prefix = f"{path}-deletion_scheduled-"
        return next((each for each in listed if str(each["full_path"]) == f"{prefix}{each['id']}"), None)

    @activity.defn(name="gitlab.product_paths")
    def product_paths(self, page: int) -> ProductPaths:
        """Groups that have a `default.project`, some of all. Idempotent: it only looks. `page` counts from 1."""
        found, following = set[str](), page
        for _ in range(PAGES_AT_ONCE):
            listed, following = self._gitlab.page("/projects", following, search=DECLARATION, simple="true")
            own = (str(each["path_with_namespace"]) for each in listed if each["path"] == DECLARATION)
            found |= {path.rpartition("/")[0] for path in own}
            if not following:
                break
        return ProductPaths(
            paths=sorted(path for path in found if "-deletion_scheduled-" not in path), following=following
        )

    # Commits

    @activity.defn(name="gitlab.set_commit_status")
    def set_commit_status(self, input: StatusInput) -> Done:
        """A commit status. Idempotent: the same state again is success and no write."""
        base = f"/projects/{input.project_id}"
        known = self._gitlab.pages(f"{base}/repository/commits/{input.commit}/statuses")
        if any(each["name"] == input.name and each["status"] == input.state for each in known):
            return Done(changed=False)
        body = {"state": input.state, "name": input.name, "description": input.description}
        if input.ref:
            body["ref"] = input.ref
        if input.target_url:
            body["target_url"] = input.target_url
        try:
            self._gitlab.post(f"{base}/statuses/{input.commit}", **body)
        except Refused as error:
            if "Cannot transition" not in error.message:
                raise
            return Done(changed=False)  # a later state is there already
        return Done(changed=True)

    @activity.defn(name="gitlab.comment")
    def comment(self, input: CommentInput) -> Done:
        """A comment on a commit. Idempotent by its marker: a commit that has one with it is left alone."""
        path = f"/projects/{input.project_id}/repository/commits/{input.commit}/comments"
        marker = f"<!-- nautes:{input.marker} -->"
        if any(marker in str(each["note"]) for each in self._gitlab.pages(path)):
            return Done(changed=False)
        self._gitlab.post(path, note=f"{input.text}\n\n{marker}")
        return Done(changed=True)

    def commit(self, input: CommitInput) -> Committed:
        """One commit. Idempotent by the operation in its trailer. Raises Conflict when a file lock or the head is lost.

        Used by the activities that commit declarations; they re-read and try again on Conflict.
        """
        return commit(self._gitlab, input)

    # Pushes


def first_attempt() -> bool:
    """Whether nothing of this activity can have happened yet: what is new then needs no look."""
    return not activity.in_activity() or activity.info().attempt == 1


def retried() -> bool:
    """Whether an attempt before this one failed, which may have done what this one finds done."""
    return not first_attempt()


def ensure_project(gitlab: GitLab, input: RepositoryInput) -> RepositoryState:
    """A repository as declared. Idempotent: found by path, corrected when different; a new one is created at once."""
    path = f"{input.group}/{input.path}"
    found = None if input.new and first_attempt() else gitlab.project(path)
    if found is None:
        group_id = input.group_id or gitlab.get(f"/groups/{quoted(input.group)}")["id"]
        body: dict[str, Any] = {"name": input.name or input.path, "path": input.path, "namespace_id": group_id}
        body["visibility"] = input.visibility or "private"
        body["description"] = input.description or ""
        body["initialize_with_readme"] = input.initialize
        try:
            made = gitlab.post("/projects", **body)
        except (Conflict, Refused):
            found = gitlab.project(path) if input.new else None
            if found is None:
                raise
        else:
            return RepositoryState(id=made["id"], path=path, made="created", untouched=True)
    made_now = correct(gitlab, f"/projects/{found['id']}", found, input)
    if input.new and found.get("creator_id") == gitlab.get("/user")["id"]:
        made_now = "created"  # by an attempt whose answer was lost
    return RepositoryState(id=found["id"], path=path, made=made_now)


def correct(gitlab: GitLab, path: str, found: Any, input: GroupInput | RepositoryInput) -> Made:
    """Settings that are declared and different are written."""
    wanted = {"name": input.name, "visibility": input.visibility, "description": input.description}
    changes = {name: value for name, value in wanted.items() if value not in (None, "") and found.get(name) != value}
    if not changes:
        return "unchanged"
    gitlab.put(path, **changes)
    return "changed"


def remove(gitlab: GitLab, kind: str, path_key: str, found_id: int) -> bool:
    """Delete a group or a project for good. Idempotent: GitLab marks it first and removes it on the second call."""
    found = gitlab.find(f"/{kind}/{found_id}")
    if found is None:
        return False
    marked = "-deletion_scheduled-" in str(found[path_key])
    if not marked:
        gitlab.delete(f"/{kind}/{found_id}")
        found = gitlab.find(f"/{kind}/{found_id}")
    # Only GitLab itself removes a top-level group, when its retention period ends; its path is free at once.
    if kind == "groups" and found is not None and not found["parent_id"]:
        return not marked
    if found is not None:
        gitlab.delete(f"/{kind}/{found_id}", permanently_remove="true", full_path=found[path_key])
    return True


def commit(gitlab: GitLab, input: CommitInput) -> Committed:
    """One commit through the Commits API; see `GitLabActivities.commit`."""
    base = f"/projects/{input.project_id}/repository"
    actions = []
    for each in input.actions:
        action: dict[str, Any] = {"action": each.action, "file_path": each.path}
        if each.action != "delete":
            action["content"] = each.content
        if each.action != "create":
            action["last_commit_id"] = each.last_commit_id or _last_commit(gitlab, base, input.branch, each.path)
        actions.append(action)
    made = gitlab.post(
        f"{base}/commits",
        branch=input.branch,
        commit_message=input.message,
        actions=actions,
        author_name=input.author.name,
        author_email=input.author.email or f"{input.author.username}@users.noreply.invalid",
    )
    parents = made.get("parent_ids") or [""]
    return Committed(commit=made["id"], parent=parents[0])


def _last_commit(gitlab: GitLab, base: str, branch: str, path: str) -> str:
    try:
        return str(gitlab.get(f"{base}/files/{quoted(path)}", ref=branch)["last_commit_id"])
    except NotFound as error:
        raise Conflict("file-gone", f"{path} is not there any more") from error
