"""Users, tokens, version: who is there and how they prove it."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.gitlab import access, present
from sandbox.gitlab.http import Reply, Request, Router
from sandbox.gitlab.problems import Problem, forbidden, not_found
from sandbox.gitlab.store import Row, digest, listed, now

route = Router()


@route("GET", "/version")
def version(request: Request) -> Row:
    access.somebody(request)
    return {"version": request.server.version, "revision": "stand-in"}


@route("GET", "/user")
def current(request: Request) -> Row:
    return present.self_user(request, access.somebody(request))


@route("GET", "/users")
def users(request: Request) -> Reply:
    rows = request.store.all("select * from users where bot = 0 order by id desc")
    wanted, search = request.query.get("username"), request.query.get("search", "").lower()
    rows = [each for each in rows if not wanted or each["username"].lower() == wanted.lower()]
    rows = [each for each in rows if search in f"{each['username']} {each['name']}".lower()]
    return request.page(rows, lambda row: present.user(request, row))


@route("GET", "/users/:id")
def one_user(request: Request, id: str) -> Row:
    access.somebody(request)
    return present.user(request, _user(request, id))


@route("POST", "/users")
def create_user(request: Request) -> Reply:
    access.admin(request)
    email, name, username = request.need("email", "name", "username")
    for column, value, text in (("email", email, "Email"), ("username", username, "Username")):
        if request.store.one(f"select 1 from users where {column} = ?", value):  # noqa: S608 - column is ours
            raise Problem(409, {"message": f"{text} has already been taken"})
    user_id = request.store.insert(
        "users",
        username=username,
        name=name,
        email=email,
        admin=int(bool(request.body.get("admin"))),
        can_create_group=int(bool(request.body.get("can_create_group", True))),
        created_at=now(),
    )
    return Reply(present.self_user(request, _user(request, str(user_id))), 201)


@route("POST", "/users/:id/block")
def block(request: Request, id: str) -> Reply:
    access.admin(request)
    request.store.update("users", _user(request, id)["id"], state="blocked")
    return Reply(True, 201)


@route("POST", "/users/:id/unblock")
def unblock(request: Request, id: str) -> Reply:
    access.admin(request)
    request.store.update("users", _user(request, id)["id"], state="active")
    return Reply(True, 201)


@route("POST", "/users/:id/personal_access_tokens")
def create_token(request: Request, id: str) -> Reply:
    access.admin(request)
    name, scopes = request.need("name", "scopes")
    row, text = issue(request.store, _user(request, id)["id"], str(name), list(scopes), request.body.get("expires_at"))
    return Reply(present.token(row) | {"token": text}, 201)


@route("GET", "/personal_access_tokens/self")
def own_token(request: Request) -> Row:
    access.somebody(request)
    assert request.token is not None  # noqa: S101 - somebody came in by it
    return present.token(request.token)


@route("GET", "/personal_access_tokens")
def tokens(request: Request) -> Reply:
    user = access.somebody(request)
    rows = request.store.all("select * from tokens where project_id is null order by id desc")
    mine = [each for each in rows if user["admin"] or each["user_id"] == user["id"]]
    return request.page(mine, present.token)


@route("DELETE", "/personal_access_tokens/:id")
def revoke(request: Request, id: str) -> Reply:
    user = access.somebody(request)
    if id == "self" and request.token:
        row: Row | None = request.token
    else:
        row = request.store.one("select * from tokens where id = ?", id)
    if row is None or not (user["admin"] or row["user_id"] == user["id"]):
        raise not_found()
    request.store.update("tokens", row["id"], revoked=1)
    return Reply(status=204)


def _user(request: Request, key: str) -> Row:
    found: Row | None = request.store.one("select * from users where id = ?", key)
    if found is None:
        raise not_found("User")
    return found


def issue(
    store: Any, user_id: int, name: str, scopes: list[str], expires_at: str | None = None, **more: Any
) -> tuple[Row, str]:
    """A new token: its row, and the token itself, which is shown once and kept hashed."""
    text = f"glpat-{secrets.token_urlsafe(15)}"
    return keep(store, text, user_id, name, scopes, expires_at, **more), text


def keep(
    store: Any, text: str, user_id: int, name: str, scopes: list[str], expires_at: str | None = None, **more: Any
) -> Row:
    """Keep a token that is given. Raises sqlite3.IntegrityError when it is known already."""
    year = (datetime.now(UTC) + timedelta(days=365)).strftime("%Y-%m-%d")
    row_id = store.insert(
        "tokens",
        user_id=user_id,
        name=name,
        digest=digest(text),
        scopes=json.dumps(scopes),
        expires_at=expires_at or year,
        created_at=now(),
        **more,
    )
    found: Row = store.one("select * from tokens where id = ?", row_id)
    return found


def authenticate(store: Any, text: str, *, api: bool) -> tuple[Row, Row] | None:
    """(user, token row) behind a token; None when it is unknown. Raises in GitLab's words when it is no good any more."""
    row = store.one("select * from tokens where digest = ?", digest(text))
    if row is None:
        return None
    if row["revoked"] or row["expires_at"] <= datetime.now(UTC).strftime("%Y-%m-%d"):
        if not api:
            return None
        why = (
            "Token was revoked. You have to re-authorize from the user."
            if row["revoked"]
            else "Token is expired. You can either do re-authorization or token refresh."
        )
        raise Problem(401, {"error": "invalid_token", "error_description": why}, {"WWW-Authenticate": "Bearer"})
    user = store.one("select * from users where id = ?", row["user_id"])
    if user["state"] == "blocked":
        if api:
            raise forbidden("Your account has been blocked.")
        return None
    return user, row


def require_scope(token: Row, method: str, path: str) -> None:
    """Scopes: api everything, read_api every GET, read_user the caller's own record."""
    scopes = set(listed(token["scopes"]))
    reads = method in ("GET", "HEAD")
    if "api" in scopes or (reads and "read_api" in scopes) or path == "/personal_access_tokens/self":
        return
    if reads and "read_user" in scopes and path.startswith("/user"):
        return
    text = "The request requires higher privileges than provided by the access token."
    scope = "api read_api" if reads else "api"
    raise Problem(403, {"error": "insufficient_scope", "error_description": text, "scope": scope})
