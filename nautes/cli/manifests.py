"""Converts a resource as the API shows it into a manifest that `apply` takes. Used by `get`."""

from __future__ import annotations

from typing import Any

from nautes.cli.client import CommandError
from nautes.resources.kinds import KINDS
from nautes.resources.manifest import manifest_of

ONLY_SHOWN = ("ssh_url_to_repo", "http_url_to_repo")  # read from GitLab, not declared


def of(kind: str, shown: dict[str, Any]) -> dict[str, Any]:
    """The manifest of a resource as the API shows it. Raises `CommandError` for fields that this version does not know."""
    try:
        return manifest_of(KINDS[kind].model_validate(_said(shown)))
    except ValueError as error:
        raise CommandError(f"{kind}/{shown.get('name')} has another form than this version knows: {error}") from None


def _said(value: Any) -> Any:
    """Without fields that are not set, and without fields that are only displayed."""
    if isinstance(value, dict):
        return {key: _said(each) for key, each in value.items() if each is not None and key not in ONLY_SHOWN}
    return [_said(each) for each in value] if isinstance(value, list) else value
