"""What of a product's declaration is in effect, and who has been notified of it.

The product's workflow keeps it and gives it to every plan: what is planned is the difference to it.
"""

from __future__ import annotations

from pydantic import Field

from nautes.blueprints.keys import Permission
from nautes.resources.payload import Payload


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


class Lifetime(Payload):
    """How long deploy keys and access tokens live, and how long before their end they are renewed: days."""

    days: int = 0
    renew_before: int = 0


class KeyGrant(Payload):
    """A key of one repository (the consumer) that is to open another."""

    project_id: int  # of the consumer
    permission: Permission


class Known(Payload):
    """What of a declaration is in effect and who was notified of it: kept by the product, given to every plan."""

    accepted: str = ""  # head of default.project that was looked at last, "" none yet
    held: dict[str, str] = Field(default_factory=dict)  # "<Kind>/<name>" pushed but refused -> commit of what stays, ""
    digests: dict[str, str] = Field(
        default_factory=dict
    )  # runtime, "<Kind>/<name>" -> digest of its last specification
    repositories: dict[str, int] = Field(default_factory=dict)  # name -> project id of those with keys, token and hook
    grants: dict[str, str] = Field(default_factory=dict)  # repository -> digest of the keys of others it was given
    clusters: dict[str, list[str]] = Field(default_factory=dict)  # cluster -> environments it was notified of
    renew: str = ""  # date on which the first key or token runs out
    foreign_uses: list[RepositoryUse] = []  # what other products' declarations want of our repositories
    pending: bool = False  # a cluster did not answer when it was notified of its environments: look again after a while
    reported_uses: dict[str, str] = Field(default_factory=dict)  # other product -> digest of what was reported to it
