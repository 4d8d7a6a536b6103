"""The person behind a request."""

from __future__ import annotations

from nautes.resources.payload import Payload


class Requester(Payload):
    """The person behind a request, as GitLab knows them. Becomes the commit's author and the group's owner."""

    id: int
    username: str
    name: str
    email: str
    admin: bool = False  # of GitLab: may do what an Owner may
