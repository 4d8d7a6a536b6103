"""Protected branches: who may push where, by exact name or by pattern."""

from __future__ import annotations

import sqlite3
from typing import Any

from nautes_sandbox.gitlab import access, permissions, present
from nautes_sandbox.gitlab.http import Reply, Request, Router
from nautes_sandbox.gitlab.parameters import truth
from nautes_sandbox.gitlab.problems import Problem, not_found
from nautes_sandbox.gitlab.store import Row

route = Router()


@route("GET", "/projects/:id/protected_branches")
def protected_branches(request: Request, id: str) -> Reply:
    found = access.project(request, id, permissions.MAINTAINER)
    rows = request.store.all("select * from protected where project_id = ? order by id", found["id"])
    search = request.query.get("search", "")
    return request.page([each for each in rows if search in each["name"]], present.protected_branch)


@route("POST", "/projects/:id/protected_branches")
def protect(request: Request, id: str) -> Reply:
    found = access.project(request, id, permissions.MAINTAINER)
    (name,) = request.need("name")
    _only(request, "name", "push_access_level", "merge_access_level", "allow_force_push")
    values = {
        "push_level": _level(request.body.get("push_access_level", 40), "push_access_level"),
        "merge_level": _level(request.body.get("merge_access_level", 40), "merge_access_level"),
        "allow_force": int(truth(request.body.get("allow_force_push"))),
    }
    try:
        request.store.insert("protected", project_id=found["id"], name=name, **values)
    except sqlite3.IntegrityError:
        raise Problem(409, {"message": f"Protected branch '{name}' already exists"}) from None
    return Reply(present.protected_branch(_protected(request, found, name)), 201)


@route("GET", "/projects/:id/protected_branches/:name")
def one_protected(request: Request, id: str, name: str) -> Row:
    return present.protected_branch(_protected(request, access.project(request, id, permissions.MAINTAINER), name))


@route("PATCH", "/projects/:id/protected_branches/:name")
def change_protection(request: Request, id: str, name: str) -> Row:
    found = access.project(request, id, permissions.MAINTAINER)
    row = _protected(request, found, name)
    _only(request, "allow_force_push", "allowed_to_push", "allowed_to_merge")
    changes = {}
    if "allow_force_push" in request.body:
        changes["allow_force"] = int(truth(request.body["allow_force_push"]))
    shown = present.protected_branch(row)
    for column, asked, levels in (
        ("push_level", "allowed_to_push", shown["push_access_levels"]),
        ("merge_level", "allowed_to_merge", shown["merge_access_levels"]),
    ):
        if asked in request.body:
            changes[column] = _changed(request, request.body[asked], levels[0])
    request.store.update("protected", row["id"], **changes)
    return present.protected_branch(_protected(request, found, name))


@route("DELETE", "/projects/:id/protected_branches/:name")
def unprotect(request: Request, id: str, name: str) -> Reply:
    row = _protected(request, access.project(request, id, permissions.MAINTAINER), name)
    request.store.run("delete from protected where id = ?", row["id"])
    return Reply(status=204)


def _changed(request: Request, asked: Any, level: Row) -> int:
    """The level after a change of the existing one; the stand-in does not support several levels."""
    if len(asked) != 1 or set(asked[0]) != {"id", "access_level"}:
        raise _unable(request, "several access levels of a branch")
    if int(asked[0]["id"]) != level["id"]:
        raise not_found()
    return _level(asked[0]["access_level"], "access_level")


def _level(value: Any, name: str) -> int:
    level = int(value) if str(value).isdigit() else -1
    if level not in present.LEVELS:
        raise Problem(400, {"error": f"{name} does not have a valid value"})
    return level


def _only(request: Request, *known: str) -> None:
    """Refuse parameters that the stand-in does not support, instead of ignoring them."""
    for name in ("allowed_to_push", "allowed_to_merge", "allowed_to_unprotect", "unprotect_access_level"):
        if name in request.body and name not in known:
            raise _unable(request, name)


def _unable(request: Request, what: str) -> Problem:
    return Problem(501, {"message": f"not implemented by the stand-in: {request.method} {request.path}: {what}"})


def _protected(request: Request, found: Row, name: str) -> Row:
    row = request.store.one("select * from protected where project_id = ? and name = ?", found["id"], name)
    if row is None:
        raise not_found()
    return row
