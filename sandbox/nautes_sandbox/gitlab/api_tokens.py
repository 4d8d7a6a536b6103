"""Project access tokens: a bot becomes a member of the project, and its token has the bot's rights there."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime, timedelta
from typing import Any

from nautes_sandbox.gitlab import access, permissions, present
from nautes_sandbox.gitlab.http import Reply, Request, Router
from nautes_sandbox.gitlab.problems import Problem, bad, not_found, unauthorized
from nautes_sandbox.gitlab.store import Row, listed, now
from nautes_sandbox.gitlab.tokens import issue

route = Router()
LONGEST = 365  # days a token may live
ROTATED = 7  # days a rotated token lives unless told otherwise
SCOPES = {"api", "read_api", "read_repository", "write_repository", "read_registry", "write_registry"}
LEVELS = (10, 15, 20, 30, 40, 50)
NOT_ALLOWED = "400 Bad request - User does not have permission to create project access token"


@route("GET", "/projects/:id/access_tokens")
def tokens(request: Request, id: str) -> Reply:
    rows = _tokens(request, _readable(request, id))
    state = request.query.get("state", "")
    if state:
        rows = [each for each in rows if present.active(each) == (state == "active")]
    return request.page(rows, present.project_token)


@route("GET", "/projects/:id/access_tokens/:token_id")
def one_token(request: Request, id: str, token_id: str) -> Row:
    return present.project_token(_token(request, _readable(request, id), token_id))


@route("POST", "/projects/:id/access_tokens")
def create(request: Request, id: str) -> Reply:
    found = access.project(request, id)
    name, scopes, expires_at = request.need("name", "scopes", "expires_at")
    if not set(scopes) <= SCOPES:
        raise Problem(400, {"error": "scopes does not have a valid value"})
    level = access.level_of(request.body.get("access_level", permissions.MAINTAINER))
    if level not in LEVELS:
        raise Problem(400, {"error": "access_level does not have a valid value"})
    own = permissions.project_level(request.store, request.user, found)
    if own < permissions.MAINTAINER:
        raise bad(NOT_ALLOWED)
    if level > own:
        raise bad("400 Bad request - Access level of the token can't be greater the access level of the user")
    end = _end(expires_at)
    bot = _bot(request, found, str(name), level)
    more = {"project_id": found["id"], "access_level": level}
    row, text = issue(request.store, bot, str(name), list(scopes), end, **more)
    return Reply(present.project_token(row) | {"token": text}, 201)


def _bot(request: Request, found: Row, name: str, level: int) -> int:
    username = f"project_{found['id']}_bot_{secrets.token_hex(16)}"
    email = f"{username}@noreply.localhost"
    person = {"username": username, "name": name, "email": email, "created_at": now()}
    bot = request.store.insert("users", bot=1, can_create_group=0, **person)
    place = {"kind": "project", "source_id": found["id"], "user_id": bot}
    request.store.insert("members", access_level=level, created_at=now(), **place)
    return bot


@route("POST", "/projects/:id/access_tokens/:token_id/rotate")
def rotate(request: Request, id: str, token_id: str) -> Row:
    found = _readable(request, id)
    old = _token(request, found, token_id)
    if old["revoked"]:
        raise bad("400 Bad request - token already revoked")
    soon = (datetime.now(UTC) + timedelta(days=ROTATED)).strftime("%Y-%m-%d")
    end = _end(request.body.get("expires_at") or soon)
    request.store.update("tokens", old["id"], revoked=1)
    more = {"project_id": found["id"], "access_level": old["access_level"]}
    row, text = issue(request.store, old["user_id"], old["name"], listed(old["scopes"]), end, **more)
    return present.project_token(row) | {"token": text}


@route("DELETE", "/projects/:id/access_tokens/:token_id")
def revoke(request: Request, id: str, token_id: str) -> Reply:
    """Revoke the token and end the bot's membership, which makes its older tokens useless."""
    row = _token(request, _readable(request, id), token_id)
    request.store.update("tokens", row["id"], revoked=1)
    request.store.run("delete from members where kind = 'project' and user_id = ?", row["user_id"])
    return Reply(status=204)


def _readable(request: Request, id: str) -> Row:
    """The project, for its Maintainers; others get 401."""
    found = access.project(request, id)
    if permissions.project_level(request.store, request.user, found) < permissions.MAINTAINER:
        raise unauthorized()
    return found


def _tokens(request: Request, found: Row) -> list[Row]:
    """The tokens of the project's bots."""
    sql = (
        "select t.* from tokens t join members m on m.user_id = t.user_id and m.kind = 'project'"
        " and m.source_id = t.project_id where t.project_id = ? order by t.id"
    )
    return request.store.all(sql, found["id"])


def _token(request: Request, found: Row, token_id: str) -> Row:
    row = next((each for each in _tokens(request, found) if str(each["id"]) == token_id), None)
    if row is None:
        raise not_found(f"Could not find project access token with token_id: {token_id}")
    return row


def _end(value: Any) -> str:
    """The day a token ends, no later than GitLab lets it."""
    try:
        day = date.fromisoformat(str(value)[:10])
    except ValueError:
        raise Problem(400, {"error": "expires_at is invalid"}) from None
    last = datetime.now(UTC).date() + timedelta(days=LONGEST)
    if day > last:
        raise bad(f"400 Bad request - Expires at must be before {last + timedelta(days=1)}")
    return day.isoformat()
