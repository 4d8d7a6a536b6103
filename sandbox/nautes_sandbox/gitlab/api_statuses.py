"""Comments and statuses of commits, with the transitions GitLab allows."""

from __future__ import annotations

import pygit2

from nautes_sandbox.gitlab import access, permissions, present
from nautes_sandbox.gitlab import repo as git
from nautes_sandbox.gitlab.http import Reply, Request, Router
from nautes_sandbox.gitlab.parameters import truth
from nautes_sandbox.gitlab.problems import Problem, bad, not_found
from nautes_sandbox.gitlab.store import Row, now

route = Router()
FINAL = ("success", "failed", "canceled", "skipped")
EVENTS = {"pending": "enqueue", "running": "run", "success": "success", "failed": "drop", "canceled": "cancel"}
ALLOWED = {
    None: ("pending", "running", "success", "failed", "canceled", "skipped"),
    "pending": ("running", "success", "failed", "canceled", "skipped"),
    "running": ("success", "failed", "canceled", "skipped"),
}


# Comments and statuses


@route("GET", "/projects/:id/repository/commits/:sha/comments")
def comments(request: Request, id: str, sha: str) -> Reply:
    found = access.code(request, id)
    commit = git.need(request.repository(found), sha)
    rows = request.store.all(
        "select * from comments where project_id = ? and sha = ? order by id", found["id"], str(commit.id)
    )
    return request.page(rows, lambda row: present.comment(request, row))


@route("POST", "/projects/:id/repository/commits/:sha/comments")
def create_comment(request: Request, id: str, sha: str) -> Reply:
    found = access.code(request, id)
    commit = git.need(request.repository(found), sha)
    (note,) = request.need("note")
    said = {"note": note, "author_id": access.somebody(request)["id"], **_place(request, commit)}
    row_id = request.store.insert("comments", project_id=found["id"], sha=str(commit.id), created_at=now(), **said)
    row = request.store.get("comments", row_id)
    return Reply(present.comment(request, row), 201)


def _place(request: Request, commit: pygit2.Commit) -> Row:
    """The line of the commit's difference that a comment is about; nothing when the difference has no such line."""
    path = request.body.get("path")
    if not path:
        return {}
    (line,) = request.need("line")
    kind = request.body.get("line_type", "new")
    if kind not in ("new", "old"):
        raise Problem(400, {"error": "line_type does not have a valid value"})
    for patch in git.diff(commit):
        if patch.delta.new_file.path == path and (kind, int(line)) in _lines(patch):
            return {"path": path, "line": int(line), "line_type": kind}
    return {}


def _lines(patch: pygit2.Patch) -> set[tuple[str, int]]:
    lines = [each for hunk in patch.hunks for each in hunk.lines]
    return {("new", each.new_lineno) for each in lines if each.origin == "+"} | {
        ("old", each.old_lineno) for each in lines if each.origin == "-"
    }


@route("GET", "/projects/:id/repository/commits/:sha/statuses")
def statuses(request: Request, id: str, sha: str) -> Reply:
    found = access.code(request, id)
    commit = git.need(request.repository(found), sha)
    rows = request.store.all(
        "select * from statuses where project_id = ? and sha = ? order by id", found["id"], str(commit.id)
    )
    if not truth(request.query.get("all")):
        rows = list({each["name"]: each for each in rows}.values())
    return request.page(rows, lambda row: present.status(request, row))


@route("POST", "/projects/:id/statuses/:sha")
def set_status(request: Request, id: str, sha: str) -> Reply:
    found = access.project(request, id, permissions.DEVELOPER)
    commit = git.resolve(request.repository(found), sha)
    if commit is None:
        raise not_found("Commit")
    (state,) = request.need("state")
    if state not in ALLOWED[None]:
        raise Problem(400, {"error": "state does not have a valid value"})
    name = request.body.get("name") or request.body.get("context") or "default"
    row = request.store.one(
        "select * from statuses where project_id = ? and sha = ? and name = ? order by id desc limit 1",
        found["id"],
        str(commit.id),
        name,
    )
    row_id = _transition(request, found, row, str(commit.id), name, state)
    return Reply(present.status(request, request.store.get("statuses", row_id)), 201)


def _transition(request: Request, found: Row, row: Row | None, sha: str, name: str, state: str) -> int:
    stamp = now()
    values = request.given("description", "target_url") | {"state": state}
    if state == "running":
        values["started_at"] = stamp
    if state in FINAL:
        values["finished_at"] = stamp
    if row is None or row["state"] in FINAL:
        ref = request.body.get("ref") or found["default_branch"]
        user = access.somebody(request)
        return request.store.insert(
            "statuses",
            project_id=found["id"],
            sha=sha,
            name=name,
            ref=ref,
            author_id=user["id"],
            created_at=stamp,
            **values,
        )
    if state not in ALLOWED[row["state"]]:
        event = EVENTS.get(state, state)
        raise bad(
            f"Cannot transition status via :{event} from :{row['state']} "
            f'(Reason(s): Status cannot transition via "{event}")'
        )
    request.store.update("statuses", row["id"], **values)
    return int(row["id"])
