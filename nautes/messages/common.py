"""What every payload shares: immutability, tolerance for newer fields, and no input values in error texts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Payload(BaseModel):
    """Base of everything that travels through Temporal. Additive only: new fields need defaults, none is renamed."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Requester(Payload):
    """The person behind a request, as GitLab knows them. Becomes the commit's author and the group's owner."""

    id: int
    username: str
    name: str
    email: str
    admin: bool = False  # of GitLab: may do what an Owner may
