"""What of a product's declaration is in effect and who was told of it; what products want of each other's repositories.

Carried by the product's workflow, given to every look and every change (nautes/messages/products.py).
"""

from __future__ import annotations

from pydantic import Field

from nautes.blueprints.keys import Permission
from nautes.messages.common import Payload
from nautes.messages.gitlab import KeyGrant


class Consumer(Payload):
    """A repository whose keys another product's binding asks for."""

    repository: str  # full path
    project_id: int
    project: str = ""  # of its product, "" none


class RepositoryUse(Payload):
    """The other side of a binding: a product that declares it uses a repository of somebody else."""

    product: str  # who uses it
    repository: str  # full path of what is used
    permissions: Permission
    projects: list[str] = []
    consumers: list[Consumer] = []
    users: list[str] = []  # runtimes that rest on it, "<Kind>/<name>"


class AccessRequest(Payload):
    """What a product asks of the owner of repositories: `wanted` replaces all it asked for before.

    Requested before a commit (`request_access`), reported after it (`use_reported`), and reported again with `before` by an undo.
    """

    owner: str
    product: str
    wanted: list[RepositoryUse] = []
    before: list[RepositoryUse] = []


class Known(Payload):
    """What of a declaration is in effect and who was told of it: kept by the product, given to every look and every change."""

    accepted: str = ""  # head of default.project that was looked at last, "" none yet
    held: dict[str, str] = Field(default_factory=dict)  # "<Kind>/<name>" pushed but refused -> commit of what stays, ""
    digests: dict[str, str] = Field(default_factory=dict)  # runtime workflow id -> digest of the spec it was told
    repositories: dict[str, int] = Field(default_factory=dict)  # name -> project id of those with keys, token and hook
    grants: dict[str, str] = Field(default_factory=dict)  # repository -> digest of the keys of others it was given
    clusters: dict[str, list[str]] = Field(default_factory=dict)  # cluster -> environments it was told of
    renew: str = ""  # date on which the first key or token runs out
    foreign_uses: list[RepositoryUse] = []  # what other products' declarations want of our repositories
    pending: bool = False  # a cluster did not answer when it was told of its environments: look again after a while
    reported_uses: dict[str, str] = Field(
        default_factory=dict
    )  # other product -> digest of what it was told we use of it


class Lifetime(Payload):
    """How long deploy keys and access tokens live, and how long before their end they are renewed: days."""

    days: int = 0
    renew_before: int = 0


class RepositoryAccess(Payload):
    """A repository whose deploy keys of others must be compared: `wanted` by project id of the consumer."""

    project_id: int
    path: str
    wanted: list[KeyGrant] = []


class Author(Payload):
    """Who made a commit, as Git has it."""

    name: str = ""
    email: str = ""
