"""Users, their personal access tokens, and the version."""

from __future__ import annotations

from nautes_sandbox.gitlab import access, present
from nautes_sandbox.gitlab.http import Reply, Request, Router
from nautes_sandbox.gitlab.problems import Problem, not_found
from nautes_sandbox.gitlab.store import Row, now
from nautes_sandbox.gitlab.tokens import issue

route = Router()


@route("GET", "/version")
def version(request: Request) -> Row:
    access.somebody(request)
    return {"version": request.instance.version, "revision": "stand-in"}


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
    found = request.store.one("select * from users where id = ?", key)
    if found is None:
        raise not_found("User")
    return found
