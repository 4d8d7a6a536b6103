"""Refusals in GitLab's words, raised as exceptions by every module that may refuse.

The application sends them; modules that raise them do not depend on requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Problem(Exception):
    """An answer that is not a success, with GitLab's body."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.body, self.headers = status, body, dict(headers or {})
        super().__init__(f"{status} {body}")


def not_found(what: str = "") -> Problem:
    """404 as GitLab words it: `404 Project Not Found`, or `404 Not found` for a child looked up by id."""
    return Problem(404, {"message": f"404 {what} Not Found" if what else "404 Not found"})


def forbidden(reason: str = "") -> Problem:
    """403, with a reason where GitLab gives one."""
    return Problem(403, {"message": f"403 Forbidden{f' - {reason}' if reason else ''}"})


def unauthorized() -> Problem:
    """No token, or an unknown one."""
    return Problem(401, {"message": "401 Unauthorized"})


def invalid(**attributes: list[str]) -> Problem:
    """400 of a model: what is wrong per attribute."""
    return Problem(400, {"message": attributes})


def no_keyset() -> Problem:
    """405 for an order that cannot be paged by key."""
    return Problem(405, {"error": "Keyset pagination is not yet available for this type of request"})


def bad(message: str) -> Problem:
    """400 with a plain message."""
    return Problem(400, {"message": message})
