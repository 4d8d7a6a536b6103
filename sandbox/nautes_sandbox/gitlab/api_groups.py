"""Groups and members (of groups and of projects)."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable
from typing import Any

from nautes_sandbox.gitlab import access, permissions, present
from nautes_sandbox.gitlab.http import ACCEPTED, Reply, Request, Router
from nautes_sandbox.gitlab.namespaces import check_visibility, is_path
from nautes_sandbox.gitlab.parameters import truth
from nautes_sandbox.gitlab.problems import Problem, bad, forbidden, invalid, no_keyset, not_found
from nautes_sandbox.gitlab.store import Row, now

route = Router()
RESERVED = {
    "api",
    "admin",
    "dashboard",
    "explore",
    "groups",
    "help",
    "profile",
    "projects",
    "public",
    "search",
    "users",
}


def _check_path(path: str) -> None:
    """Raise GitLab's refusal of a path."""
    if not is_path(path):
        text = (
            "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-', end in '.', '.git' or '.atom'"
        )
        raise bad(f'Failed to save group {{path: ["{text}"]}}')


@route("GET", "/groups")
def groups(request: Request) -> Reply:
    query = request.query
    rows = [each for each in request.store.all("select * from namespaces") if _listed(request, each)]
    order, up = query.get("order_by", "name"), query.get("sort", "asc") == "asc"
    if order not in ("name", "path", "id"):
        raise Problem(400, {"error": "order_by does not have a valid value"})
    rows.sort(key=lambda each: (_place(each, order), each["id"]), reverse=not up)

    def show(row: Row) -> Row:
        return present.group(request, row)

    if query.get("pagination") != "keyset":
        return request.page(rows, show)
    if order != "name" or not up:
        raise no_keyset()
    after = _cursor(query.get("cursor", ""))
    left = [each for each in rows if not after or [_place(each, order), each["id"]] > after]
    return request.keyset(left, show, lambda row: {"cursor": _cursor_of(row)})


def _listed(request: Request, row: Row) -> bool:
    """Whether a group matches the query and the caller may see it."""
    query, wanted = request.query, access.least(request)
    if truth(query.get("owned")):
        wanted = permissions.OWNER
    if query.get("all_available") == "false":
        wanted = wanted or 1
    if query.get("search", "").lower() not in f"{row['path']} {row['name']}".lower():
        return False
    if truth(query.get("top_level_only")) and row["parent_id"]:
        return False
    if query.get("visibility") not in (None, row["visibility"]):
        return False
    if not wanted:
        return _sees(request, row)
    user = {**request.user, "admin": 0} if request.user else None
    return permissions.group_level(request.store, user, row["id"]) >= wanted


def _place(row: Row, order: str) -> str:
    return "" if order == "id" else str(row[order]).lower()


def _cursor_of(row: Row) -> str:
    """The cursor of a list of groups, opaque to clients."""
    return base64.urlsafe_b64encode(json.dumps([_place(row, "name"), row["id"]]).encode()).decode()


def _cursor(text: str) -> list[Any]:
    try:
        return list(json.loads(base64.urlsafe_b64decode(text))) if text else []
    except ValueError:
        raise Problem(400, {"error": "cursor is invalid"}) from None


def _sees(request: Request, row: Row) -> bool:
    return permissions.open_to(request.user, row) or permissions.group_level(request.store, request.user, row["id"]) > 0


@route("POST", "/groups")
def create_group(request: Request) -> Reply:
    user = access.somebody(request)
    name, path = request.need("name", "path")
    parent: Row | None = None
    if request.body.get("parent_id"):
        parent = access.group(request, str(request.body["parent_id"]), permissions.MAINTAINER)
    elif not (user["can_create_group"] or user["admin"]):
        raise forbidden()
    _check_path(path)
    full = f"{parent['path']}/{path}" if parent else path
    if not parent and path.lower() in RESERVED:
        raise bad(f'Failed to save group {{path: ["{path} is a reserved name"]}}')
    visibility = request.body.get("visibility") or "private"
    check_visibility(visibility, parent["visibility"] if parent else None)
    if request.store.one("select 1 from projects where full_path = ?", full):
        raise bad('Failed to save group {path: ["has already been taken"]}')
    try:
        group_id = request.store.insert(
            "namespaces",
            path=full,
            name=name,
            parent_id=parent["id"] if parent else None,
            visibility=visibility,
            description=request.body.get("description") or "",
            created_at=now(),
        )
    except sqlite3.IntegrityError:
        raise bad('Failed to save group {path: ["has already been taken"]}') from None
    request.store.insert(
        "members", kind="group", source_id=group_id, user_id=user["id"], access_level=50, created_at=now()
    )
    return Reply(present.group(request, access.group(request, str(group_id))), 201)


@route("GET", "/groups/:id")
def one_group(request: Request, id: str) -> Row:
    return present.group(request, access.group(request, id))


@route("PUT", "/groups/:id")
def update_group(request: Request, id: str) -> Row:
    found = access.group(request, id, permissions.OWNER)
    changes = request.given("name", "description", "visibility")
    if "visibility" in changes:
        parent = request.store.one("select visibility from namespaces where id = ?", found["parent_id"])
        check_visibility(changes["visibility"], parent["visibility"] if parent else None)
    request.store.update("namespaces", found["id"], **changes)
    return present.group(request, access.group(request, str(found["id"])))


@route("DELETE", "/groups/:id")
def delete_group(request: Request, id: str) -> Reply:
    found = access.group(request, id, permissions.OWNER)
    if truth(request.body.get("permanently_remove")):
        _check_permanent(request, found)
        _remove(request, found)
        return Reply(ACCEPTED, 202)
    if found["marked"]:
        raise bad("Group has been already marked for deletion")
    _rename(request, found, f"{found['path']}-deletion_scheduled-{found['id']}")
    name = f"{found['name']}-deletion_scheduled-{found['id']}"
    request.store.update("namespaces", found["id"], name=name, marked=now()[:10])
    return Reply(ACCEPTED, 202)


def _check_permanent(request: Request, found: Row) -> None:
    """GitLab removes a top-level group only after its retention period, never on request."""
    if found["parent_id"] is None:
        raise bad("`permanently_remove` option is only available for subgroups.")
    if not found["marked"]:
        raise bad("Group must be marked for deletion first.")
    if request.body.get("full_path") != found["path"]:
        raise bad("`full_path` is incorrect. You must enter the complete path for the subgroup.")


def _rename(request: Request, found: Row, path: str) -> None:
    """Mark for deletion: the old path is free at once."""
    old = found["path"]
    for table, column in (("namespaces", "path"), ("projects", "full_path")):
        for row in request.store.all(f"select id, {column} as path from {table}"):  # noqa: S608 - names are ours
            if row["path"] == old or row["path"].startswith(f"{old}/"):
                request.store.update(table, row["id"], **{column: path + row["path"][len(old) :]})


def _remove(request: Request, found: Row) -> None:
    for child in request.store.all("select * from namespaces where parent_id = ?", found["id"]):
        _remove(request, child)
    for project in request.store.all("select id from projects where namespace_id = ?", found["id"]):
        request.instance.remove_project(project["id"])
    request.store.run("delete from members where kind = 'group' and source_id = ?", found["id"])
    request.store.run("delete from namespaces where id = ?", found["id"])


@route("GET", "/groups/:id/projects")
def group_projects(request: Request, id: str) -> Reply:
    found = access.group(request, id)
    rows = request.store.all("select * from projects where namespace_id = ? order by id desc", found["id"])
    shown = [each for each in rows if permissions.visible(request.store, request.user, each)]
    search = request.query.get("search", "").lower()
    shown = [each for each in shown if search in f"{each['path']} {each['name']}".lower()]
    return request.page(shown, lambda row: present.project(request, row))


@route("GET", "/groups/:id/subgroups")
def subgroups(request: Request, id: str) -> Reply:
    found = access.group(request, id)
    rows = request.store.all("select * from namespaces where parent_id = ?", found["id"])
    return request.page([each for each in rows if _sees(request, each)], lambda row: present.group(request, row))


# Members: the same for groups and projects.

Finder = Callable[..., Row]


def _source(request: Request, kind: str, key: str, level: int = 0) -> Row:
    return access.group(request, key, level) if kind == "group" else access.project(request, key, level)


def _own_level(request: Request, kind: str, found: Row) -> int:
    if kind == "group":
        return permissions.group_level(request.store, request.user, found["id"])
    return permissions.project_level(request.store, request.user, found)


def _member_routes(kind: str, base: str) -> None:
    manager = permissions.OWNER if kind == "group" else permissions.MAINTAINER

    def direct(request: Request, found: Row) -> list[Row]:
        return request.store.all("select * from members where kind = ? and source_id = ?", kind, found["id"])

    def inherited(request: Request, found: Row) -> list[Row]:
        best: dict[int, Row] = {}
        rows = direct(request, found)
        group_id = found["parent_id"] if kind == "group" else found["namespace_id"]
        while group_id:
            rows += request.store.all("select * from members where kind = 'group' and source_id = ?", group_id)
            group_id = request.store.get("namespaces", group_id)["parent_id"]
        for row in rows:
            if row["access_level"] > best.get(row["user_id"], {"access_level": 0})["access_level"]:
                best[row["user_id"]] = row
        return list(best.values())

    def of(rows: list[Row], user_id: str) -> Row:
        row = next((each for each in rows if str(each["user_id"]) == user_id), None)
        if row is None:
            raise not_found()
        return row

    def show(request: Request) -> Callable[[Row], Row]:
        return lambda row: present.member(request, row)

    @route("GET", f"{base}/:id/members")
    def members(request: Request, id: str) -> Reply:
        return request.page(direct(request, _source(request, kind, id)), show(request))

    @route("GET", f"{base}/:id/members/all")
    def all_members(request: Request, id: str) -> Reply:
        return request.page(inherited(request, _source(request, kind, id)), show(request))

    @route("GET", f"{base}/:id/members/:user_id")
    def one_member(request: Request, id: str, user_id: str) -> Row:
        return present.member(request, of(direct(request, _source(request, kind, id)), user_id))

    @route("GET", f"{base}/:id/members/all/:user_id")
    def any_member(request: Request, id: str, user_id: str) -> Row:
        return present.member(request, of(inherited(request, _source(request, kind, id)), user_id))

    @route("POST", f"{base}/:id/members")
    def add_member(request: Request, id: str) -> Reply:
        found = _source(request, kind, id, manager)
        user_id, level = request.need("user_id", "access_level")
        level = access.level_of(level)
        if request.store.one("select 1 from users where id = ?", user_id) is None:
            raise not_found("User")
        if level > _own_level(request, kind, found):
            raise forbidden()
        known = next((each for each in inherited(request, found) if each["user_id"] == int(user_id)), None)
        if known and (known["kind"], known["source_id"]) == (kind, found["id"]):
            raise Problem(409, {"message": "Member already exists"})
        if known and known["access_level"] > level:
            text = "should be greater than or equal to Owner inherited membership from group"
            raise invalid(access_level=[text])
        request.store.insert(
            "members",
            kind=kind,
            source_id=found["id"],
            user_id=int(user_id),
            access_level=level,
            created_at=now(),
        )
        return Reply(present.member(request, of(direct(request, found), str(user_id))), 201)

    @route("PUT", f"{base}/:id/members/:user_id")
    def change_member(request: Request, id: str, user_id: str) -> Row:
        found = _source(request, kind, id, manager)
        level = access.level_of(request.need("access_level")[0])
        row = of(direct(request, found), user_id)
        request.store.update("members", row["id"], access_level=level)
        return present.member(request, row | {"access_level": level})

    @route("DELETE", f"{base}/:id/members/:user_id")
    def remove_member(request: Request, id: str, user_id: str) -> Reply:
        found = _source(request, kind, id, manager)
        row = of(direct(request, found), user_id)
        owners = [each for each in direct(request, found) if each["access_level"] == permissions.OWNER]
        if kind == "group" and owners == [row]:
            raise forbidden()
        request.store.run("delete from members where id = ?", row["id"])
        return Reply(status=204)


_member_routes("group", "/groups")
_member_routes("project", "/projects")
