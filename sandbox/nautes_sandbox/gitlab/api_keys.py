"""Deploy keys: a key has one title and one end; each project that it is enabled on has its own right to push."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from datetime import UTC, datetime

from nautes_sandbox.gitlab import access, permissions, present
from nautes_sandbox.gitlab.http import Reply, Request, Router
from nautes_sandbox.gitlab.parameters import truth
from nautes_sandbox.gitlab.problems import Problem, invalid, not_found
from nautes_sandbox.gitlab.store import Row, now

route = Router()
KIND = re.compile(r"(ssh-(rsa|ed25519)|ecdsa-sha2-nistp\d+)")


@route("GET", "/projects/:id/deploy_keys")
def deploy_keys(request: Request, id: str) -> Reply:
    found = access.project(request, id, permissions.MAINTAINER)
    return request.page(_keys(request, found["id"]), present.deploy_key)


@route("POST", "/projects/:id/deploy_keys")
def create_key(request: Request, id: str) -> Reply:
    found = access.project(request, id, permissions.MAINTAINER)
    title, key = request.need("title", "key")
    text, fingerprint = _parts(str(key))
    known = request.store.one("select * from keys where fingerprint = ?", fingerprint)
    key_id = _join(request, found, known, text) if known else _new(request, title, text, fingerprint)
    if not request.store.one("select 1 from key_links where key_id = ? and project_id = ?", key_id, found["id"]):
        push = int(truth(request.body.get("can_push")))
        request.store.insert("key_links", key_id=key_id, project_id=found["id"], can_push=push)
    return Reply(present.deploy_key(_key(request, found, str(key_id))), 201)


def _join(request: Request, found: Row, known: Row, text: str) -> int:
    """The existing key with this text, if it is this project's or the caller may use it."""
    linked = request.store.all("select project_id from key_links where key_id = ?", known["id"])
    here = found["id"] in {each["project_id"] for each in linked}
    if known["key"] != text or not (here or _reaches(request, linked)):
        raise invalid(**{"deploy_key.fingerprint_sha256": ["has already been taken"]})
    return int(known["id"])


def _new(request: Request, title: str, text: str, fingerprint: str) -> int:
    row = {"title": title, "key": text, "fingerprint": fingerprint, "created_at": now(), "expires_at": _end(request)}
    return request.store.insert("keys", creator_id=access.somebody(request)["id"], **row)


def _end(request: Request) -> str | None:
    """`expires_at` as GitLab shows it; a key that has ended is none."""
    given = request.body.get("expires_at")
    if not given:
        return None
    try:
        moment = datetime.fromisoformat(str(given))
    except ValueError:
        raise Problem(400, {"error": "expires_at is invalid"}) from None
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment <= datetime.now(UTC):
        raise invalid(**{"deploy_key.key": ["has expired"]})
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


@route("GET", "/projects/:id/deploy_keys/:key_id")
def one_key(request: Request, id: str, key_id: str) -> Row:
    return present.deploy_key(_key(request, access.project(request, id, permissions.MAINTAINER), key_id))


@route("PUT", "/projects/:id/deploy_keys/:key_id")
def update_key(request: Request, id: str, key_id: str) -> Row:
    found = access.project(request, id, permissions.MAINTAINER)
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
    found = access.project(request, id, permissions.MAINTAINER)
    linked = request.store.all("select project_id from key_links where key_id = ?", key_id)
    if not linked or not _reaches(request, linked):
        raise not_found("Deploy key")
    if found["id"] not in {each["project_id"] for each in linked}:
        request.store.insert("key_links", key_id=int(key_id), project_id=found["id"], can_push=0)
    return Reply(present.key(_key(request, found, key_id)), 201)


@route("DELETE", "/projects/:id/deploy_keys/:key_id")
def delete_key(request: Request, id: str, key_id: str) -> Reply:
    found = access.project(request, id, permissions.MAINTAINER)
    row = _key(request, found, key_id)
    request.store.run("delete from key_links where key_id = ? and project_id = ?", row["id"], found["id"])
    request.store.run("delete from keys where id not in (select key_id from key_links)")
    return Reply(status=204)


def _keys(request: Request, project_id: int) -> list[Row]:
    sql = "select k.*, l.can_push from keys k join key_links l on l.key_id = k.id where l.project_id = ? order by k.id"
    return request.store.all(sql, project_id)


def _key(request: Request, found: Row, key_id: str) -> Row:
    row = next((each for each in _keys(request, found["id"]) if str(each["id"]) == key_id), None)
    if row is None:
        raise not_found()
    return row


def _reaches(request: Request, linked: list[Row]) -> bool:
    """Whether the caller is Maintainer where the key is in use already."""
    for each in linked:
        row = request.store.one("select * from projects where id = ?", each["project_id"])
        if row and permissions.project_level(request.store, request.user, row) >= permissions.MAINTAINER:
            return True
    return False


def _parts(key: str) -> tuple[str, str]:
    """A key as it is kept (kind, material, first word of the comment), and its fingerprint."""
    parts = key.split()
    if len(parts) < 2 or not KIND.fullmatch(parts[0]):
        raise invalid(**{"deploy_key.key": ["is invalid"]})
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except binascii.Error:
        raise invalid(**{"deploy_key.key": ["is invalid"]}) from None
    fingerprint = "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return " ".join(parts[:3]), fingerprint
