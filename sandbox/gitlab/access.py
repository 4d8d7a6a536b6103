"""Who may do what: effective level = the highest of the project's and its ancestor groups' memberships; admins may all.

Read rights decide 404, action rights decide 403: a stranger never learns that something exists.
"""

from __future__ import annotations

from typing import Any

from sandbox.gitlab.http import Request
from sandbox.gitlab.problems import Problem, forbidden, not_found, unauthorized
from sandbox.gitlab.store import Row, Store

GUEST, REPORTER, DEVELOPER, MAINTAINER, OWNER = 10, 20, 30, 40, 50
LEVELS = (0, 5, 10, 15, 20, 30, 40, 50)


def group_level(store: Store, user: Row | None, group_id: int | None) -> int:
    """Effective level in a group."""
    if user is None:
        return 0
    if user["admin"]:
        return OWNER
    level = 0
    while group_id:
        row = store.one(
            "select access_level from members where kind = 'group' and source_id = ? and user_id = ?",
            group_id,
            user["id"],
        )
        level = max(level, row["access_level"] if row else 0)
        parent = store.one("select parent_id from namespaces where id = ?", group_id)
        group_id = parent["parent_id"] if parent else None
    return level


def project_level(store: Store, user: Row | None, project: Row) -> int:
    """Effective level in a project."""
    if user is None:
        return 0
    row = store.one(
        "select access_level from members where kind = 'project' and source_id = ? and user_id = ?",
        project["id"],
        user["id"],
    )
    return max(row["access_level"] if row else 0, group_level(store, user, project["namespace_id"]))


def membership(store: Store, user: Row | None, project: Row) -> int:
    """Effective level by membership alone: an administrator's power is none."""
    return project_level(store, {**user, "admin": 0}, project) if user else 0


def least(request: Request) -> int:
    """`min_access_level` of a list, 0 when it was not asked for."""
    text = request.query.get("min_access_level", "")
    if text and (not text.isdigit() or int(text) not in LEVELS[2:]):
        raise Problem(400, {"error": "min_access_level does not have a valid value"})
    return int(text or 0)


def group(request: Request, key: str, level: int = 0) -> Row:
    """The group by id or full path; hidden is 404, too low a level is 403."""
    column = "id" if key.isdigit() else "path"
    found: Row | None = request.store.one(f"select * from namespaces where {column} = ?", key)  # noqa: S608
    if found is None:
        raise not_found("Group")
    has = group_level(request.store, request.user, found["id"])
    if not (has or open_to(request.user, found) or _sees_inside(request, found)):
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
    if found is None or not visible(request.store, request.user, found):
        raise not_found("Project")
    if project_level(request.store, request.user, found) < level:
        raise forbidden() if request.user else unauthorized()
    return found


def visible(store: Store, user: Row | None, project_row: Row) -> bool:
    """Whether somebody may know of a project."""
    return open_to(user, project_row) or project_level(store, user, project_row) > 0


def open_to(user: Row | None, row: Row) -> bool:
    """Whether a group or project is open to somebody who is no member: public to all, internal to who is signed in."""
    return row["visibility"] == "public" or (row["visibility"] == "internal" and user is not None)


def code(request: Request, key: str) -> Row:
    """The project whose code is read: a private one needs Reporter."""
    found = project(request, key)
    if not open_to(request.user, found) and project_level(request.store, request.user, found) < REPORTER:
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
    if level not in LEVELS:
        raise Problem(400, {"error": "access_level does not have a valid value"})
    return level
