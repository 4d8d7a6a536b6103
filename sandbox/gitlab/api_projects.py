"""Projects, deploy keys, protected branches, the activity feed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import sqlite3

from sandbox.gitlab import access, present
from sandbox.gitlab.api_groups import ACCEPTED, PATH, check_visibility
from sandbox.gitlab.http import Problem, Reply, Request, Router, Row, bad, invalid, not_found, truth
from sandbox.gitlab.repo import ZERO, commit_actions
from sandbox.gitlab.store import now
from sandbox.gitlab.webhooks import Update

route = Router()


@route("GET", "/projects")
def projects(request: Request) -> Reply:
    rows = request.store.all("select * from projects order by id desc")
    rows = [each for each in rows if access.visible(request.store, request.user, each)]
    if truth(request.query.get("membership")):
        rows = [each for each in rows if access.project_level(request.store, request.user, each) > 0]
    search = request.query.get("search", "").lower()
    rows = [each for each in rows if search in f"{each['path']} {each['name']}".lower()]
    after = request.query.get("last_activity_after")
    rows = [each for each in rows if not after or each["last_activity_at"] >= after]
    if request.query.get("order_by") == "last_activity_at":
        rows.sort(key=lambda each: each["last_activity_at"], reverse=True)
    return request.page(rows, lambda row: present.project(request, row))


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
    if namespace is None or access.group_level(request.store, user, namespace["id"]) < access.DEVELOPER:
        raise invalid(namespace=["is not valid"])
    if not PATH.fullmatch(str(path)) or str(path).endswith((".git", ".atom", ".")):
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
    request.server.repositories.create(project_id)
    if truth(request.body.get("initialize_with_readme")):
        _first_commit(request, user, project_id, str(name))
    return Reply(present.project(request, access.project(request, str(project_id))), 201)


def _first_commit(request: Request, user: Row, project_id: int, name: str) -> None:
    repository = request.server.repositories.open(project_id)
    person = (user["name"], user["email"])
    action = {"action": "create", "file_path": "README.md", "content": f"# {name}\n"}
    commit = commit_actions(repository, "main", "", [action], "Initial commit", person, person)
    project = access.project(request, str(project_id))
    request.server.webhooks.pushed(project, user, [Update("refs/heads/main", ZERO, commit)])


@route("GET", "/projects/:id")
def one_project(request: Request, id: str) -> Row:
    return present.project(request, access.project(request, id))


@route("PUT", "/projects/:id")
def update_project(request: Request, id: str) -> Row:
    found = access.project(request, id, access.MAINTAINER)
    changes = request.given("name", "description", "visibility", "default_branch")
    if "visibility" in changes:
        parent = request.store.one("select visibility from namespaces where id = ?", found["namespace_id"])
        check_visibility(changes["visibility"], parent["visibility"])
    request.store.update("projects", found["id"], **changes)
    return present.project(request, access.project(request, str(found["id"])))


@route("DELETE", "/projects/:id")
def delete_project(request: Request, id: str) -> Reply:
    found = access.project(request, id, access.OWNER)
    if truth(request.body.get("permanently_remove")):
        if request.body.get("full_path") != found["full_path"]:
            raise bad("`full_path` is incorrect. You must enter the complete path for the project.")
        if found["marked"] is None:
            raise bad("Project must be marked for deletion first.")
        request.server.remove_project(found["id"])
        return Reply(ACCEPTED, 202)
    if found["marked"]:
        raise bad("Project has been already marked for deletion")
    path = f"{found['path']}-deletion_scheduled-{found['id']}"
    full = f"{found['full_path'].rpartition('/')[0]}/{path}"
    name = f"{found['name']}-deletion_scheduled-{found['id']}"
    request.store.update("projects", found["id"], path=path, full_path=full, name=name, marked=now()[:10])
    return Reply(ACCEPTED, 202)


# Deploy keys


@route("GET", "/projects/:id/deploy_keys")
def deploy_keys(request: Request, id: str) -> Reply:
    found = access.project(request, id, access.MAINTAINER)
    return request.page(_keys(request, found["id"]), present.deploy_key)


@route("POST", "/projects/:id/deploy_keys")
def create_key(request: Request, id: str) -> Reply:
    found = access.project(request, id, access.MAINTAINER)
    title, key = request.need("title", "key")
    fingerprint = _fingerprint(key)
    known = request.store.one("select * from keys where fingerprint = ?", fingerprint)
    if known is None:
        key_id = request.store.insert(
            "keys",
            title=title,
            key=key,
            fingerprint=fingerprint,
            created_at=now(),
            creator_id=access.somebody(request)["id"],
        )
    else:
        key_id = known["id"]
        linked = request.store.all("select project_id from key_links where key_id = ?", key_id)
        if found["id"] not in {each["project_id"] for each in linked} and not _reaches(request, linked):
            raise invalid(**{"deploy_key.fingerprint_sha256": ["has already been taken"]})
    if not request.store.one("select 1 from key_links where key_id = ? and project_id = ?", key_id, found["id"]):
        push = int(truth(request.body.get("can_push")))
        request.store.insert("key_links", key_id=key_id, project_id=found["id"], can_push=push)
    return Reply(present.deploy_key(_key(request, found, str(key_id))), 201)


@route("GET", "/projects/:id/deploy_keys/:key_id")
def one_key(request: Request, id: str, key_id: str) -> Row:
    return present.deploy_key(_key(request, access.project(request, id, access.MAINTAINER), key_id))


@route("PUT", "/projects/:id/deploy_keys/:key_id")
def update_key(request: Request, id: str, key_id: str) -> Row:
    found = access.project(request, id, access.MAINTAINER)
    row = _key(request, found, key_id)
    if not request.given("title", "can_push"):
        raise Problem(400, {"error": "title, can_push are missing, at least one parameter must be provided"})
    if "title" in request.body:
        request.store.update("keys", row["id"], title=request.body["title"])
    if "can_push" in request.body:
        request.store.run(
            "update key_links set can_push = ? where key_id = ? and project_id = ?",
            int(truth(request.body["can_push"])),
            row["id"],
            found["id"],
        )
    return present.deploy_key(_key(request, found, key_id))


@route("POST", "/projects/:id/deploy_keys/:key_id/enable")
def enable_key(request: Request, id: str, key_id: str) -> Reply:
    found = access.project(request, id, access.MAINTAINER)
    linked = request.store.all("select project_id from key_links where key_id = ?", key_id)
    if not linked or not _reaches(request, linked):
        raise not_found("Deploy key")
    if found["id"] not in {each["project_id"] for each in linked}:
        request.store.insert("key_links", key_id=int(key_id), project_id=found["id"], can_push=0)
    return Reply(present.deploy_key(_key(request, found, key_id)), 201)


@route("DELETE", "/projects/:id/deploy_keys/:key_id")
def delete_key(request: Request, id: str, key_id: str) -> Reply:
    found = access.project(request, id, access.MAINTAINER)
    row = _key(request, found, key_id)
    request.store.run("delete from key_links where key_id = ? and project_id = ?", row["id"], found["id"])
    request.store.run("delete from keys where id not in (select key_id from key_links)")
    return Reply(status=204)


def _keys(request: Request, project_id: int) -> list[Row]:
    sql = "select k.*, l.can_push from keys k join key_links l on l.key_id = k.id where l.project_id = ? order by k.id"
    return list(request.store.all(sql, project_id))


def _key(request: Request, found: Row, key_id: str) -> Row:
    row = next((each for each in _keys(request, found["id"]) if str(each["id"]) == key_id), None)
    if row is None:
        raise not_found()
    return row


def _reaches(request: Request, linked: list[Row]) -> bool:
    """Whether the caller is Maintainer where the key is in use already."""
    for each in linked:
        row = request.store.one("select * from projects where id = ?", each["project_id"])
        if row and access.project_level(request.store, request.user, row) >= access.MAINTAINER:
            return True
    return False


def _fingerprint(key: str) -> str:
    parts = str(key).split()
    if len(parts) < 2 or not re.fullmatch(r"(ssh-(rsa|ed25519)|ecdsa-sha2-nistp\d+)", parts[0]):
        raise invalid(**{"deploy_key.key": ["is invalid"]})
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except binascii.Error:
        raise invalid(**{"deploy_key.key": ["is invalid"]}) from None
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


# Protected branches


@route("GET", "/projects/:id/protected_branches")
def protected_branches(request: Request, id: str) -> Reply:
    found = access.project(request, id, access.MAINTAINER)
    rows = request.store.all("select * from protected where project_id = ? order by id", found["id"])
    return request.page(rows, present.protected_branch)


@route("POST", "/projects/:id/protected_branches")
def protect(request: Request, id: str) -> Reply:
    found = access.project(request, id, access.MAINTAINER)
    (name,) = request.need("name")
    values = {
        "push_level": access.level_of(request.body.get("push_access_level", 40)),
        "merge_level": access.level_of(request.body.get("merge_access_level", 40)),
        "allow_force": int(truth(request.body.get("allow_force_push"))),
    }
    try:
        request.store.insert("protected", project_id=found["id"], name=name, **values)
    except sqlite3.IntegrityError:
        raise Problem(409, {"message": f"Protected branch '{name}' already exists"}) from None
    return Reply(present.protected_branch(_protected(request, found, name)), 201)


@route("GET", "/projects/:id/protected_branches/:name")
def one_protected(request: Request, id: str, name: str) -> Row:
    return present.protected_branch(_protected(request, access.project(request, id, access.MAINTAINER), name))


@route("DELETE", "/projects/:id/protected_branches/:name")
def unprotect(request: Request, id: str, name: str) -> Reply:
    row = _protected(request, access.project(request, id, access.MAINTAINER), name)
    request.store.run("delete from protected where id = ?", row["id"])
    return Reply(status=204)


def _protected(request: Request, found: Row, name: str) -> Row:
    row: Row | None = request.store.one("select * from protected where project_id = ? and name = ?", found["id"], name)
    if row is None:
        raise not_found()
    return row


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
    """`scope=all` is every project the caller is a member of; an administrator's mere power is not membership."""
    project = request.store.one("select * from projects where id = ?", event["project_id"])
    assert request.user is not None  # noqa: S101 - asked by the caller
    return bool(project) and access.project_level(request.store, {**request.user, "admin": 0}, project) > 0
