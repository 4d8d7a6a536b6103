"""Webhooks of a project: settings, test deliveries, and the log of deliveries."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from nautes_sandbox.gitlab import access, permissions, present
from nautes_sandbox.gitlab.http import Reply, Request, Router
from nautes_sandbox.gitlab.parameters import truth
from nautes_sandbox.gitlab.problems import Problem, not_found
from nautes_sandbox.gitlab.repo import ZERO, Update, head
from nautes_sandbox.gitlab.store import Row, listed, now

route = Router()


# Hooks


@route("GET", "/projects/:id/hooks")
def hooks(request: Request, id: str) -> Reply:
    found = access.project(request, id, permissions.MAINTAINER)
    rows = request.store.all("select * from hooks where project_id = ? order by id", found["id"])
    return request.page(rows, present.hook)


@route("POST", "/projects/:id/hooks")
def create_hook(request: Request, id: str) -> Reply:
    found = access.project(request, id, permissions.MAINTAINER)
    (url,) = request.need("url")
    hook_id = request.store.insert(
        "hooks", project_id=found["id"], created_at=now(), **_hook_values(request, url, ["push_events"])
    )
    return Reply(present.hook(_hook(request, found, str(hook_id))), 201)


@route("GET", "/projects/:id/hooks/:hook_id")
def one_hook(request: Request, id: str, hook_id: str) -> Row:
    return present.hook(_hook(request, access.project(request, id, permissions.MAINTAINER), hook_id))


@route("PUT", "/projects/:id/hooks/:hook_id")
def update_hook(request: Request, id: str, hook_id: str) -> Row:
    found = access.project(request, id, permissions.MAINTAINER)
    row = _hook(request, found, hook_id)
    (url,) = request.need("url")
    request.store.update("hooks", row["id"], **_hook_values(request, url, listed(row["events"])))
    return present.hook(_hook(request, found, hook_id))


@route("DELETE", "/projects/:id/hooks/:hook_id")
def delete_hook(request: Request, id: str, hook_id: str) -> Reply:
    row = _hook(request, access.project(request, id, permissions.MAINTAINER), hook_id)
    request.store.run("delete from hooks where id = ?", row["id"])
    return Reply(status=204)


@route("POST", "/projects/:id/hooks/:hook_id/test/:trigger")
def test_hook(request: Request, id: str, hook_id: str, trigger: str) -> Reply:
    found = access.project(request, id, permissions.MAINTAINER)
    row = _hook(request, found, hook_id)
    if trigger != "push_events":
        raise Problem(501, {"message": f"not implemented by the stand-in: test of {trigger}"})
    tip = head(request.repository(found), found["default_branch"] or "main")
    if not tip:
        raise Problem(422, {"message": "Ensure the project has at least one commit."})
    payload = request.instance.webhooks.payload(
        found, access.somebody(request), Update(f"refs/heads/{found['default_branch']}", ZERO, tip), "push"
    )
    request.instance.webhooks.deliver(row["id"], "push_events", payload)
    return Reply({"message": "201 Created"}, 201)


@route("GET", "/projects/:id/hooks/:hook_id/events")
def hook_events(request: Request, id: str, hook_id: str) -> Reply:
    row = _hook(request, access.project(request, id, permissions.MAINTAINER), hook_id)
    rows = request.store.all("select * from deliveries where hook_id = ? order by id desc", row["id"])
    return request.page(rows, _delivery)


@route("POST", "/projects/:id/hooks/:hook_id/events/:event_id/resend")
def resend(request: Request, id: str, hook_id: str, event_id: str) -> Reply:
    row = _hook(request, access.project(request, id, permissions.MAINTAINER), hook_id)
    event = request.store.one("select * from deliveries where id = ? and hook_id = ?", event_id, row["id"])
    if event is None:
        raise not_found()
    key = json.loads(event["headers"])["Idempotency-Key"]
    sent = request.instance.webhooks.deliver(row["id"], event["trigger"], json.loads(event["body"]), key)
    return Reply({"response_status": sent["status"] if sent else None}, 201)


def _delivery(row: Row) -> Row:
    return {
        "id": row["id"],
        "url": row["url"],
        "trigger": row["trigger"],
        "request_headers": json.loads(row["headers"]),
        "request_data": json.loads(row["body"]),
        "response_headers": {},
        "response_body": row["response"],
        "execution_duration": row["duration"],
        "response_status": row["status"],
    }


def _hook(request: Request, found: Row, hook_id: str) -> Row:
    row = request.store.one("select * from hooks where id = ? and project_id = ?", hook_id, found["id"])
    if row is None:
        raise not_found()
    return row


def _hook_values(request: Request, url: str, events: list[str]) -> Row:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Problem(422, {"error": "Invalid url given"})
    wanted = set(events)
    for name in present.HOOK_EVENTS:
        if name in request.body:
            (wanted.add if truth(request.body[name]) else wanted.discard)(name)
    values: Row = {"url": url, "events": json.dumps(sorted(wanted))}
    values |= request.given("token", "signing_token")
    if "push_events_branch_filter" in request.body:
        values["branch_filter"] = request.body["push_events_branch_filter"]
    return values
