"""Projects and the activity feed."""

from __future__ import annotations

import sqlite3

from nautes_sandbox.gitlab import access, permissions, present
from nautes_sandbox.gitlab.http import ACCEPTED, Reply, Request, Router
from nautes_sandbox.gitlab.namespaces import check_visibility, is_path
from nautes_sandbox.gitlab.parameters import number, truth
from nautes_sandbox.gitlab.problems import Problem, bad, invalid, no_keyset
from nautes_sandbox.gitlab.repo import ZERO, Update, commit_actions
from nautes_sandbox.gitlab.store import Row, now

route = Router()
ORDERS = ("id", "name", "path", "created_at", "last_activity_at")


@route("GET", "/projects")
def projects(request: Request) -> Reply:
    rows = request.store.all("select * from projects")
    rows = [each for each in rows if permissions.visible(request.store, request.user, each)]
    least = access.least(request)
    if truth(request.query.get("membership")) or least:
        rows = [each for each in rows if permissions.membership(request.store, request.user, each) >= max(least, 1)]
    rows = [each for each in rows if _matches(request, each)]
    order, up = request.query.get("order_by", "created_at"), request.query.get("sort", "desc") == "asc"
    if order not in ORDERS:
        raise Problem(400, {"error": "order_by does not have a valid value"})
    rows.sort(key=lambda each: (str(each[order]).lower() if order != "id" else "", each["id"]), reverse=not up)
    simple = truth(request.query.get("simple"))

    def show(row: Row) -> Row:
        return present.basic_project(request, row) if simple else present.project(request, row)

    if request.query.get("pagination") != "keyset":
        return request.page(rows, show)
    if order != "id":
        raise no_keyset()
    return request.keyset(rows, show, lambda row: {"id_after" if up else "id_before": str(row["id"])})


def _matches(request: Request, row: Row) -> bool:
    """Whether a project matches the query."""
    query = request.query
    spaces = truth(query.get("search_namespaces"))
    names = f"{row['full_path'] if spaces else row['path']} {row['name']}".lower()
    after, before = query.get("last_activity_after"), query.get("last_activity_before")
    return (
        query.get("search", "").lower() in names
        and (not after or row["last_activity_at"] >= after)
        and (not before or row["last_activity_at"] <= before)
        and row["id"] > number(query.get("id_after"), 0)
        and ("id_before" not in query or row["id"] < number(query["id_before"], 0))
        and query.get("visibility") in (None, row["visibility"])
    )


@route("POST", "/projects")
def create_project(request: Request) -> Reply:
    user = access.somebody(request)
    path = request.body.get("path") or request.body.get("name")
    if not path:
        raise Problem(400, {"error": "name, path are missing, at least one parameter must be provided"})
    name = request.body.get("name") or path
    if not request.body.get("namespace_id"):
        raise bad("the stand-in creates projects in groups only")
    namespace = request.store.one("select * from namespaces where id = ?", request.body["namespace_id"])
    if namespace is None or permissions.group_level(request.store, user, namespace["id"]) < permissions.DEVELOPER:
        raise invalid(namespace=["is not valid"])
    if not is_path(str(path)):
        raise invalid(path=["can contain only letters, digits, '_', '-' and '.'"])
    visibility = request.body.get("visibility") or "private"
    check_visibility(visibility, namespace["visibility"])
    stamp = now()
    try:
        project_id = request.store.insert(
            "projects",
            namespace_id=namespace["id"],
            path=path,
            full_path=f"{namespace['path']}/{path}",
            name=name,
            visibility=visibility,
            description=request.body.get("description"),
            creator_id=user["id"],
            created_at=stamp,
            last_activity_at=stamp,
        )
    except sqlite3.IntegrityError:
        taken = ["has already been taken"]
        raise Problem(400, {"message": {"project_namespace.name": taken, "name": taken, "path": taken}}) from None
    request.instance.repositories.create(project_id)
    if truth(request.body.get("initialize_with_readme")):
        _first_commit(request, user, project_id, str(name))
    return Reply(present.project(request, access.project(request, str(project_id))), 201)


def _first_commit(request: Request, user: Row, project_id: int, name: str) -> None:
    repository = request.instance.repositories.open(project_id)
    person = (user["name"], user["email"])
    action = {"action": "create", "file_path": "README.md", "content": f"# {name}\n"}
    commit = commit_actions(repository, "main", "", [action], "Initial commit", person, person)
    project = access.project(request, str(project_id))
    request.instance.webhooks.pushed(project, user, [Update("refs/heads/main", ZERO, commit)])


@route("GET", "/projects/:id")
def one_project(request: Request, id: str) -> Row:
    return present.project(request, access.project(request, id))


@route("PUT", "/projects/:id")
def update_project(request: Request, id: str) -> Row:
    found = access.project(request, id, permissions.MAINTAINER)
    changes = request.given("name", "description", "visibility", "default_branch")
    if "visibility" in changes:
        parent = request.store.get("namespaces", found["namespace_id"])
        check_visibility(changes["visibility"], parent["visibility"])
    request.store.update("projects", found["id"], **changes)
    return present.project(request, access.project(request, str(found["id"])))


@route("DELETE", "/projects/:id")
def delete_project(request: Request, id: str) -> Reply:
    found = access.project(request, id, permissions.OWNER)
    if truth(request.body.get("permanently_remove")):
        if request.body.get("full_path") != found["full_path"]:
            raise bad("`full_path` is incorrect. You must enter the complete path for the project.")
        if found["marked"] is None:
            raise bad("Project must be marked for deletion first.")
        request.instance.remove_project(found["id"])
        return Reply(ACCEPTED, 202)
    if found["marked"]:
        raise bad("Project has been already marked for deletion")
    path = f"{found['path']}-deletion_scheduled-{found['id']}"
    full = f"{found['full_path'].rpartition('/')[0]}/{path}"
    name = f"{found['name']}-deletion_scheduled-{found['id']}"
    request.store.update("projects", found["id"], path=path, full_path=full, name=name, marked=now()[:10])
    return Reply(ACCEPTED, 202)


# The activity feed


@route("GET", "/events")
def events(request: Request) -> Reply:
    user = access.somebody(request)
    rows = request.store.all("select * from events order by id desc limit 2000")
    if request.query.get("scope") == "all":
        rows = [each for each in rows if _mine(request, each)]
    else:
        rows = [each for each in rows if each["author_id"] == user["id"]]
    return _feed(request, rows)


@route("GET", "/projects/:id/events")
def project_events(request: Request, id: str) -> Reply:
    found = access.project(request, id)
    return _feed(request, request.store.all("select * from events where project_id = ? order by id desc", found["id"]))


def _feed(request: Request, rows: list[Row]) -> Reply:
    if request.query.get("action") not in (None, "pushed"):
        rows = []
    after, before = request.query.get("after"), request.query.get("before")
    rows = [each for each in rows if not after or each["created_at"][:10] > after]
    rows = [each for each in rows if not before or each["created_at"][:10] < before]
    if request.query.get("sort") == "asc":
        rows = rows[::-1]
    return request.page(rows, lambda row: present.event(request, row))


def _mine(request: Request, event: Row) -> bool:
    """`scope=all` is every project the caller is a member of; being an administrator is not membership."""
    project = request.store.one("select * from projects where id = ?", event["project_id"])
    assert request.user is not None  # noqa: S101 - asked by the caller
    return project is not None and permissions.membership(request.store, request.user, project) > 0
