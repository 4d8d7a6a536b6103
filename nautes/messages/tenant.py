"""Start of the tenant's workflow: what an installation is told by its worker's settings."""

from __future__ import annotations

from nautes.resources.payload import Payload


class TenantInput(Payload):
    """`hooks_url` is where GitLab reaches our receiver; the project's id is appended."""

    tenant: str
    hooks_url: str
    handled: list[str] = []
    clusters: list[str] = []  # declared at the last look, or still there: who is to hear of the end of its file
