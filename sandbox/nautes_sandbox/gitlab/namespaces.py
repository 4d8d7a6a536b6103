"""What groups and projects have in common: their paths, and how visible they may be. Used by api_groups and api_projects."""

from __future__ import annotations

import re

from nautes_sandbox.gitlab.problems import Problem, invalid

PATH = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")
VISIBILITY = ("private", "internal", "public")


def is_path(text: str) -> bool:
    """Whether a group or a project may have this as its own part of a path."""
    return bool(PATH.fullmatch(text)) and not text.endswith((".git", ".atom", "."))


def check_visibility(value: str, parent: str | None) -> None:
    """A child may not be more visible than its parent."""
    if value not in VISIBILITY:
        raise Problem(400, {"error": "visibility does not have a valid value"})
    if parent and VISIBILITY.index(value) > VISIBILITY.index(parent):
        raise invalid(visibility_level=[f"{value} is not allowed in a {parent} group."])
