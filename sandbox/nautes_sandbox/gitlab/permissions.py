"""Effective levels: the highest of the memberships of a project and its ancestor groups; administrators may do everything.

Reads only the database. Used by the API through access.py, and by git through smart_http.py.
"""

from __future__ import annotations

import fnmatch

from nautes_sandbox.gitlab.store import Row, Store

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
    """Effective level by membership alone, without the rights of administrators."""
    return project_level(store, {**user, "admin": 0}, project) if user else 0


def visible(store: Store, user: Row | None, project_row: Row) -> bool:
    """Whether a user may see a project."""
    return open_to(user, project_row) or project_level(store, user, project_row) > 0


def open_to(user: Row | None, row: Row) -> bool:
    """Whether a group or project is open to somebody who is no member: public to all, internal to who is signed in."""
    return row["visibility"] == "public" or (row["visibility"] == "internal" and user is not None)


def protections(store: Store, project: Row, branch: str) -> list[Row]:
    """What protects a branch, by its name and by patterns. Whatever one of them allows is allowed."""
    rows = store.all("select * from protected where project_id = ?", project["id"])
    return [
        each
        for each in rows
        if each["name"] == branch or ("*" in each["name"] and fnmatch.fnmatchcase(branch, each["name"]))
    ]


def may_push(store: Store, user: Row | None, project: Row, branch: str) -> bool:
    """Whether somebody may push to a branch."""
    level = project_level(store, user, project)
    levels = [each["push_level"] for each in protections(store, project, branch)]
    if not levels:
        return level >= DEVELOPER
    return any(level >= each for each in levels if each)  # 0: nobody, administrators included
