"""Start of the tenant's workflow: what the worker's settings say about the installation."""

from __future__ import annotations

from nautes.resources.payload import Payload


class TenantInput(Payload):
    """`hooks_url` is where GitLab reaches our receiver; the project's id is appended."""

    tenant: str
    hooks_url: str
    handled: list[str] = []
    clusters: list[str] = []  # declared when it was read last, or still there: notified when its file is removed
