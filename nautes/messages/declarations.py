"""What products ask of each other, and who made a commit."""

from __future__ import annotations

from nautes.planning.known import RepositoryUse
from nautes.resources.payload import Payload


class AccessRequest(Payload):
    """What a product asks of the owner of repositories: `wanted` replaces all it asked for before.

    Requested before a commit (`request_access`), reported after it (`use_reported`), and reported again with `before` by an undo.
    """

    owner: str
    product: str
    wanted: list[RepositoryUse] = []
    before: list[RepositoryUse] = []


class Author(Payload):
    """Who made a commit, as Git has it."""

    name: str = ""
    email: str = ""
