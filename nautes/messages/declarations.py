"""Access requests between products, and the author of a commit."""

from __future__ import annotations

from nautes.planning.known import RepositoryUse
from nautes.resources.payload import Payload


class AccessRequest(Payload):
    """What a product requests from the owner of repositories: `wanted` replaces everything it requested before.

    Sent before a commit (`request_access`) and after it (`use_reported`); an undo sends `before` again.
    """

    owner: str
    product: str
    wanted: list[RepositoryUse] = []
    before: list[RepositoryUse] = []
    only_check: bool = False  # of a plan: nothing is remembered


class Author(Payload):
    """Who made a commit, as Git has it."""

    name: str = ""
    email: str = ""
