"""Inputs and results of the GitLab activities (activities/gitlab.py, activities/repositories.py)."""

from __future__ import annotations

import hashlib
from typing import Literal

from nautes.blueprints.keys import Permission
from nautes.messages.common import Requester
from nautes.messages.secrets import SecretRef
from nautes.planning.known import KeyGrant
from nautes.planning.steps import Effect
from nautes.resources.payload import Payload

Made = Literal["created", "changed", "unchanged"]


class GroupInput(Payload):
    """The group of a product. `owner` becomes its Owner when it is created."""

    path: str  # full path, "/" for nested groups
    name: str
    visibility: str = ""  # private | public; empty keeps what is there
    description: str | None = None
    owner: Requester
    new: bool = False  # the plan found no such group: created without observing first


class Attempted(Payload):
    """A result that says whether an attempt before this one failed: that one may have done what this one found done."""

    retried: bool = False


class GroupState(Attempted):
    """A group as it is now."""

    id: int
    path: str
    made: Made


class FormerSettings(Payload):
    """Settings of a group or project as they were before a change; None: the change did not touch it."""

    kind: Literal["groups", "projects"]
    id: int
    name: str | None = None
    visibility: str | None = None
    description: str | None = None


class RepositoryInput(Payload):
    """A project in a group. `path` is the last part; `initialize` gives it a first commit on main."""

    group: str  # full path
    path: str
    name: str
    visibility: str = ""
    description: str | None = None
    initialize: bool = False
    group_id: int = 0  # 0: not known, looked up by path
    new: bool = False  # as in GroupInput


class RepositorySetup(RepositoryInput):
    """A project with what the platform needs of it: deploy keys, access token, webhook. `project_id` 0: not known."""

    project_id: int = 0
    settings: bool = True  # False: name, visibility and description stay what they are
    permissions: list[Permission]
    api_access: bool = True  # has an access token
    events: list[str] = []


class RepositoryReady(Attempted):
    """A project that is set up: what had to be done for it, and the day its first key or token ends ("" when none does)."""

    id: int
    path: str
    created: bool = False  # the project was not there before
    effects: list[Effect] = []
    expires_at: str = ""


class RepositorySetups(Payload):
    """Projects of one product that are set up side by side, each with another path."""

    repositories: list[RepositorySetup]


class RepositoriesReady(Payload):
    """In the order in which they were asked for."""

    repositories: list[RepositoryReady]


class RepositoryDeletion(Payload):
    """A project to be deleted with its secrets. `ours`: only if the platform's own account created it (an undo)."""

    path: str  # with namespace
    project_id: int = 0
    ours: bool = False


class RepositoryState(Payload):
    """A project as it is now. `untouched`: it was made a moment ago, nothing can be in it yet."""

    id: int
    path: str  # with namespace
    made: Made
    untouched: bool = False


class KeysInput(Payload):
    """The deploy keys of a repository; private halves are written to Vault in the same activity and nowhere else."""

    project_id: int
    permissions: list[Permission]
    new: bool = False  # there is no key yet: made without observing first
    days: int = 0  # days that a new key is valid; 0: for ever
    renew_before: int = 0  # days before its end at which a key is replaced


class KeysState(Payload):
    """Which keys had to be made, and where their private halves are."""

    made: Made
    created: list[Permission] = []
    secrets: list[SecretRef]
    expires_at: str = ""  # the day the first of them ends (YYYY-MM-DD), "" when none does


class ForeignKeysInput(Payload):
    """Every key of other repositories that gives access to this one. A key that is not listed is removed."""

    project_id: int  # of the repository that is opened
    path: str = ""  # for messages
    wanted: list[KeyGrant]


class ForeignKeysState(Attempted):
    """What had to be done to the keys of other repositories, by title."""

    made: Made
    added: list[str] = []
    removed: list[str] = []
    changed: list[str] = []  # may push now, or may no more
    missing: list[str] = []  # wanted, but Vault has no such key (yet), or it has expired: left as it is


class TokenInput(Payload):
    """The project access token of a repository; it is written to Vault in the same activity and nowhere else."""

    project_id: int
    new: bool = False  # there is no token yet: made without observing first
    days: int = 90  # days that a new token is valid; GitLab allows a year
    renew_before: int = 30  # days before its end at which a token is replaced


class TokenState(Payload):
    """The day the token ends (YYYY-MM-DD), and where it is."""

    made: Made
    expires_at: str
    secret: SecretRef


class WithdrawInput(Payload):
    """What the platform withdraws from a repository that stays in GitLab but is declared no more."""

    project_id: int
    path: str = ""  # for messages


class HookInput(Payload):
    """Our webhook on a repository: GitLab event names ("push_events", ...), secret per hook kept in Vault."""

    project_id: int
    url: str
    events: list[str]
    new: bool = False  # there is no webhook yet: made without observing first


class HookState(Payload):
    """The hook's id in GitLab."""

    id: int
    made: Made


class Gone(Attempted):
    """Whether a removal found something to remove."""

    removed: bool


class FileAction(Payload):
    """One file of a commit. `last_commit_id` is the optimistic lock of update and delete."""

    action: Literal["create", "update", "delete"]
    path: str
    content: str = ""
    last_commit_id: str = ""


class CommitInput(Payload):
    """One commit through the Commits API, authored as the person."""

    project_id: int
    branch: str
    actions: list[FileAction]
    message: str  # subject, blank line, trailers
    author: Requester


class Committed(Payload):
    """The head after the commit. `parent` differs from the expected head when somebody pushed in between."""

    commit: str
    parent: str


class StatusInput(Payload):
    """A commit status; GitLab shows it beside the commit."""

    project_id: int
    commit: str
    name: str
    state: Literal["pending", "running", "success", "failed", "canceled"]
    description: str = ""
    ref: str = ""
    target_url: str = ""


class CommentInput(Payload):
    """A comment on a commit. `marker` is hidden in its text, so that each commit gets the comment once."""

    project_id: int
    commit: str
    marker: str
    text: str  # Markdown


class Push(Payload):
    """A branch or tag that moved. `event` is the same whether a webhook or the sweep reported it."""

    event: str  # digest of (project, ref, before, after)
    project_id: int
    repository: str  # path with namespace
    ref: str  # full: refs/heads/main, refs/tags/v1
    before: str
    after: str  # zeros when it was deleted
    kind: Literal["push_events", "tag_push_events"]
    delivery: str = ""  # Idempotency-Key of the webhook, "" from the sweep


class FeedCursor(Payload):
    """How far GitLab's feed of events was read. Everything up to `newest` was announced, what became visible late included."""

    read: bool = False  # whether it was ever read
    floor: int = 0  # id of the newest event when it was read first: what is older is never announced
    newest: int = 0  # id of the newest event of the last walk that came to its end
    at: str = ""  # when that event was made
    recent: list[int] = []  # ids that were announced, of the last minutes: they are not announced again


class ProductPaths(Payload):
    """Some products, as GitLab has them. `following` is the page that comes next, 0 after the last one."""

    paths: list[str]
    following: int = 0


class SweepInput(Payload):
    """Start of the sweep for pushes: how many looks, and the seconds between them. `cursor`: of a sweep that began afresh."""

    looks: int = 1
    seconds: float = 0.0
    cursor: FeedCursor | None = None


class FeedInput(Payload):
    """Read one page of the feed; `page` counts from 1, the newest events first."""

    cursor: FeedCursor
    page: int = 1


class FeedPage(Payload):
    """The pushes of a page that are news, the oldest first. `following` 0: all that may be news was read."""

    pushes: list[Push]
    events: list[int] = []  # ids of the events that are news
    newest: int = 0  # id of the newest event of the page, with the time it was made
    at: str = ""
    following: int = 0


def push_event(project_id: int, ref: str, before: str, after: str) -> str:
    """Digest of a push: the same whether a webhook or the sweep reports it. 12 hexadecimal digits."""
    text = f"{project_id} {ref} {before} {after}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]
