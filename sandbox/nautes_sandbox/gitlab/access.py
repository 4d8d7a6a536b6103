"""Finds the object of a request and checks access: the caller, a group, a project. Used by every api_* module.

Missing read rights answer 404, missing action rights 403: hidden objects are not revealed.
"""

from __future__ import annotations

from typing import Any

from nautes_sandbox.gitlab import permissions
from nautes_sandbox.gitlab.http import Request
from nautes_sandbox.gitlab.problems import Problem, forbidden, not_found, unauthorized
from nautes_sandbox.gitlab.store import Row


def least(request: Request) -> int:
    """`min_access_level` of a list, 0 when it was not asked for."""
    text = request.query.get("min_access_level", "")
    if text and (not text.isdigit() or int(text) not in permissions.LEVELS[2:]):
        raise Problem(400, {"error": "min_access_level does not have a valid value"})
    return int(text or 0)


def group(request: Request, key: str, level: int = 0) -> Row:
    """The group by id or full path; hidden is 404, too low a level is 403."""
    column = "id" if key.isdigit() else "path"
    found = request.store.one(f"select * from namespaces where {column} = ?", key)  # noqa: S608
    if found is None:
        raise not_found("Group")
    has = permissions.group_level(request.store, request.user, found["id"])
    if not (has or permissions.open_to(request.user, found) or _sees_inside(request, found)):
        raise not_found("Group")
    if has < level:
        raise forbidden() if request.user else unauthorized()
    return found


def _sees_inside(request: Request, found: Row) -> bool:
    """A member of a project sees the group around it."""
    if request.user is None:
        return False
    return bool(
        request.store.one(
            "select 1 from members m join projects p on m.source_id = p.id where m.kind = 'project' and m.user_id = ?"
            " and p.namespace_id = ?",
            request.user["id"],
            found["id"],
        )
    )


def project(request: Request, key: str, level: int = 0) -> Row:
    """The project by id or full path (one without "/" is never a path); hidden is 404, too low a level is 403."""
    found: Row | None = None
    if key.isdigit():
        found = request.store.one("select * from projects where id = ?", key)
    elif "/" in key:
        found = request.store.one("select * from projects where full_path = ?", key)
    if found is None or not permissions.visible(request.store, request.user, found):
        raise not_found("Project")
    if permissions.project_level(request.store, request.user, found) < level:
        raise forbidden() if request.user else unauthorized()
    return found


def code(request: Request, key: str) -> Row:
    """The project whose code is read: a private one needs Reporter."""
    found = project(request, key)
    level = permissions.project_level(request.store, request.user, found)
    if not permissions.open_to(request.user, found) and level < permissions.REPORTER:
        raise forbidden()
    return found


def admin(request: Request) -> Row:
    """The administrator, or 403."""
    if request.user is None:
        raise unauthorized()
    if not request.user["admin"]:
        raise forbidden()
    return request.user


def somebody(request: Request) -> Row:
    """The caller, or 401."""
    if request.user is None:
        raise unauthorized()
    return request.user


def level_of(value: Any) -> int:
    """An access level parameter."""
    level = int(value) if str(value).isdigit() else -1
    if level not in permissions.LEVELS:
        raise Problem(400, {"error": "access_level does not have a valid value"})
    return level
