"""Converts a resource as the API shows it into a manifest that `apply` takes. Used by `get`."""

from __future__ import annotations

from typing import Any

from nautes.cli.client import CommandError
from nautes.resources.kinds import KINDS
from nautes.resources.manifest import manifest_of, without_nulls

ONLY_SHOWN = ("ssh_url_to_repo", "http_url_to_repo")  # read from GitLab, not declared


def of(kind: str, shown: dict[str, Any]) -> dict[str, Any]:
    """The manifest of a resource as the API shows it. Raises `CommandError` for fields that this version does not know."""
    try:
        return manifest_of(KINDS[kind].model_validate(without_nulls(shown, ONLY_SHOWN)))
    except ValueError as error:
        raise CommandError(f"{kind}/{shown.get('name')} has another form than this version knows: {error}") from None
