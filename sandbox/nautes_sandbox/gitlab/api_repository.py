"""Contents of a repository: branches, tags, tree, files, commits, comparison."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pygit2

from nautes_sandbox.gitlab import access, permissions, present
from nautes_sandbox.gitlab import repo as git
from nautes_sandbox.gitlab.http import Reply, Request, Router
from nautes_sandbox.gitlab.parameters import truth
from nautes_sandbox.gitlab.problems import Problem, bad, forbidden, not_found
from nautes_sandbox.gitlab.store import Row

route = Router()
NOT_ALLOWED = "You are not allowed to push into this branch"


# Branches and tags


@route("GET", "/projects/:id/repository/branches")
def branches(request: Request, id: str) -> Reply:
    found = access.code(request, id)
    repository = request.repository(found)
    names = sorted(each.removeprefix("refs/heads/") for each in repository.references if each.startswith("refs/heads/"))
    return request.page(names, lambda name: _branch(request, found, repository, name))


@route("GET", "/projects/:id/repository/branches/:branch")
def one_branch(request: Request, id: str, branch: str) -> Row:
    found = access.code(request, id)
    repository = request.repository(found)
    if not git.head(repository, branch):
        raise not_found("Branch")
    return _branch(request, found, repository, branch)


@route("POST", "/projects/:id/repository/branches")
def create_branch(request: Request, id: str) -> Reply:
    found = access.project(request, id, permissions.DEVELOPER)
    branch, ref = request.need("branch", "ref")
    repository = request.repository(found)
    if git.head(repository, branch):
        raise bad("Branch already exists")
    commit = git.resolve(repository, ref)
    if commit is None:
        raise bad(f"Failed to create branch '{branch}': invalid reference name '{ref}'")
    git.move(repository, f"refs/heads/{branch}", "", str(commit.id), branch)
    _pushed(request, found, git.Update(f"refs/heads/{branch}", git.ZERO, str(commit.id)))
    return Reply(_branch(request, found, repository, branch), 201)


@route("DELETE", "/projects/:id/repository/branches/:branch")
def delete_branch(request: Request, id: str, branch: str) -> Reply:
    found = access.project(request, id, permissions.DEVELOPER)
    repository = request.repository(found)
    tip = git.head(repository, branch)
    if not tip:
        raise not_found("Branch")
    if branch == found["default_branch"] or permissions.protections(request.store, found, branch):
        raise forbidden()
    repository.references.delete(f"refs/heads/{branch}")
    _pushed(request, found, git.Update(f"refs/heads/{branch}", tip, git.ZERO))
    return Reply(status=204)


@route("GET", "/projects/:id/repository/tags")
def tags(request: Request, id: str) -> Reply:
    found = access.code(request, id)
    repository = request.repository(found)
    names = sorted(each.removeprefix("refs/tags/") for each in repository.references if each.startswith("refs/tags/"))
    return request.page(names, lambda name: _tag(repository, name))


@route("GET", "/projects/:id/repository/tags/:name")
def one_tag(request: Request, id: str, name: str) -> Row:
    repository = request.repository(access.code(request, id))
    if f"refs/tags/{name}" not in repository.references:
        raise not_found("Tag")
    return _tag(repository, name)


@route("POST", "/projects/:id/repository/tags")
def create_tag(request: Request, id: str) -> Reply:
    found = access.project(request, id, permissions.DEVELOPER)
    name, ref = request.need("tag_name", "ref")
    repository = request.repository(found)
    if f"refs/tags/{name}" in repository.references:
        raise bad(f"Tag {name} already exists")
    commit = git.resolve(repository, ref)
    if commit is None:
        raise bad(f"Target {ref} is invalid")
    repository.references.create(f"refs/tags/{name}", commit.id)
    _pushed(request, found, git.Update(f"refs/tags/{name}", git.ZERO, str(commit.id)))
    return Reply(_tag(repository, name), 201)


def _branch(request: Request, found: Row, repository: pygit2.Repository, name: str) -> Row:
    protected = permissions.protections(request.store, found, name)
    return {
        "name": name,
        "commit": present.commit(git.need(repository, f"refs/heads/{name}", "Branch")),
        "merged": False,
        "protected": bool(protected),
        "developers_can_push": any(each["push_level"] == permissions.DEVELOPER for each in protected),
        "developers_can_merge": any(each["merge_level"] == permissions.DEVELOPER for each in protected),
        "can_push": permissions.may_push(request.store, request.user, found, name),
        "default": name == found["default_branch"],
        "web_url": f"{request.instance.external_url}/{found['full_path']}/-/tree/{name}",
    }


def _tag(repository: pygit2.Repository, name: str) -> Row:
    commit = git.need(repository, f"refs/tags/{name}", "Tag")
    return {
        "name": name,
        "message": "",
        "target": str(commit.id),
        "commit": present.commit(commit),
        "release": None,
        "protected": False,
    }


# Tree and files


@route("GET", "/projects/:id/repository/tree")
def tree(request: Request, id: str) -> Reply:
    found = access.code(request, id)
    repository = request.repository(found)
    commit = git.resolve(repository, request.query.get("ref") or found["default_branch"] or "main")
    path = request.query.get("path", "").strip("/")
    root = git.entry(commit, path) if commit else None
    if root is None or root.type_str != "tree":
        raise not_found("Tree")
    prefix = f"{path}/" if path else ""
    rows = git.tree(repository, root, prefix, recursive=truth(request.query.get("recursive")))
    return request.page(rows, lambda row: row)


@route("GET", "/projects/:id/repository/blobs/:sha/raw")
def raw_blob(request: Request, id: str, sha: str) -> Reply:
    blob = request.repository(access.code(request, id)).get(sha)
    if not isinstance(blob, pygit2.Blob):
        raise not_found("Blob")
    return Reply(bytes(blob.data))


@route("GET", "/projects/:id/repository/files/:file_path")
def one_file(request: Request, id: str, file_path: str) -> Reply:
    repository, commit, blob = _file(request, id, file_path)
    data = bytes(blob.data)
    last = str(git.last_commit(repository, commit, file_path).id)
    shown = {
        "file_name": file_path.rpartition("/")[2],
        "file_path": file_path,
        "size": len(data),
        "encoding": "base64",
        "content_sha256": hashlib.sha256(data).hexdigest(),
        "ref": request.query["ref"],
        "blob_id": str(blob.id),
        "commit_id": str(commit.id),
        "last_commit_id": last,
        "execute_filemode": False,
    }
    headers = {f"x-gitlab-{name.replace('_', '-')}": str(value) for name, value in shown.items()}
    return Reply(shown | {"content": base64.b64encode(data).decode()}, headers=headers)


@route("GET", "/projects/:id/repository/files/:file_path/raw")
def raw_file(request: Request, id: str, file_path: str) -> Reply:
    request.query.setdefault("ref", "HEAD")
    return Reply(bytes(_file(request, id, file_path)[2].data))


def _file(request: Request, id: str, path: str) -> tuple[pygit2.Repository, pygit2.Commit, Any]:
    found = access.code(request, id)
    repository = request.repository(found)
    if "ref" not in request.query:
        raise Problem(400, {"error": "ref is missing"})
    ref = request.query["ref"]
    commit = git.need(repository, (found["default_branch"] or "main") if ref == "HEAD" else ref)
    blob = git.entry(commit, path)
    if blob is None or blob.type_str != "blob":
        raise not_found("File")
    return repository, commit, blob


@route("POST", "/projects/:id/repository/files/:file_path")
def create_file(request: Request, id: str, file_path: str) -> Reply:
    return Reply(_single(request, id, file_path, "create"), 201)


@route("PUT", "/projects/:id/repository/files/:file_path")
def update_file(request: Request, id: str, file_path: str) -> Row:
    return _single(request, id, file_path, "update")


@route("DELETE", "/projects/:id/repository/files/:file_path")
def delete_file(request: Request, id: str, file_path: str) -> Reply:
    _single(request, id, file_path, "delete")
    return Reply(status=204)


def _single(request: Request, id: str, path: str, action: str) -> Row:
    branch, message = request.need("branch", "commit_message")
    if action != "delete":
        request.need("content")
    found = access.project(request, id, permissions.DEVELOPER)
    given = request.given("content", "encoding", "last_commit_id", "execute_filemode")
    if not permissions.may_push(request.store, request.user, found, branch):
        raise bad(NOT_ALLOWED)
    _commit(request, found, branch, message, [{"action": action, "file_path": path, **given}])
    return {"file_path": path, "branch": branch}


# Commits


@route("GET", "/projects/:id/repository/commits")
def commits(request: Request, id: str) -> Reply:
    found = access.code(request, id)
    repository = request.repository(found)
    name = request.query.get("ref_name") or found["default_branch"] or "main"
    start = git.resolve(repository, name)
    if start is None:
        if request.query.get("ref_name"):
            raise not_found("Commit")
        return request.page([], present.commit)
    rows = list(repository.walk(start.id, pygit2.enums.SortMode.TOPOLOGICAL))
    path = request.query.get("path")
    if path:
        rows = [each for each in rows if _touches(each, path)]
    return request.page(rows, present.commit)


def _touches(commit: pygit2.Commit, path: str) -> bool:
    own = getattr(git.entry(commit, path), "id", None)
    before = [getattr(git.entry(parent, path), "id", None) for parent in commit.parents]
    return own is not None if not before else all(each != own for each in before)


@route("GET", "/projects/:id/repository/commits/:sha")
def one_commit(request: Request, id: str, sha: str) -> Row:
    repository = request.repository(access.code(request, id))
    return present.commit(git.need(repository, sha)) | {"status": None}


@route("GET", "/projects/:id/repository/commits/:sha/diff")
def commit_diff(request: Request, id: str, sha: str) -> Reply:
    repository = request.repository(access.code(request, id))
    return request.page(git.diff(git.need(repository, sha)), _patch)


@route("GET", "/projects/:id/repository/compare")
def compare(request: Request, id: str) -> Row:
    repository = request.repository(access.code(request, id))
    if "from" not in request.query or "to" not in request.query:
        raise Problem(400, {"error": "from is missing, to is missing"})
    old, new = git.need(repository, request.query["from"]), git.need(repository, request.query["to"])
    walker = repository.walk(new.id, pygit2.enums.SortMode.TOPOLOGICAL)
    walker.hide(old.id)
    shown = [present.commit(each) for each in walker][::-1]
    return {
        "commit": present.commit(new),
        "commits": shown,
        "diffs": [_patch(each) for each in old.tree.diff_to_tree(new.tree)],
        "compare_timeout": False,
        "compare_same_ref": old.id == new.id,
    }


def _patch(patch: Any) -> Row:
    delta = patch.delta
    return {
        "old_path": delta.old_file.path,
        "new_path": delta.new_file.path,
        "a_mode": f"{delta.old_file.mode:o}",
        "b_mode": f"{delta.new_file.mode:o}",
        "new_file": delta.status_char() == "A",
        "renamed_file": delta.status_char() == "R",
        "deleted_file": delta.status_char() == "D",
        "diff": patch.text or "",
    }


@route("POST", "/projects/:id/repository/commits")
def create_commit(request: Request, id: str) -> Reply:
    found = access.project(request, id, permissions.DEVELOPER)
    branch, message = request.need("branch", "commit_message")
    actions = request.body.get("actions") or []
    if not actions and not truth(request.body.get("allow_empty")):
        raise Problem(400, {"error": "actions is missing"})
    if request.body.get("start_sha") and request.body.get("start_branch"):
        raise bad("You can't pass both start_branch and start_sha")
    if not permissions.may_push(request.store, request.user, found, branch):
        raise forbidden(NOT_ALLOWED)
    commit = _commit(request, found, branch, message, actions)
    return Reply(present.commit(commit) | {"stats": {"additions": 0, "deletions": 0, "total": 0}}, 201)


def _commit(request: Request, found: Row, branch: str, message: str, actions: list[Row]) -> pygit2.Commit:
    user = access.somebody(request)
    repository = request.repository(found)
    author = (request.body.get("author_name") or user["name"], request.body.get("author_email") or user["email"])
    with request.instance.repositories.lock(found["id"]):
        old = git.head(repository, branch)
        start = _start(request, found, repository, branch, old)
        new = git.commit_actions(repository, branch, start, actions, message, author, (user["name"], user["email"]))
    _pushed(request, found, git.Update(f"refs/heads/{branch}", old or git.ZERO, new))
    request.instance.committed(found["id"])
    return repository[new].peel(pygit2.Commit)


def _start(request: Request, found: Row, repository: pygit2.Repository, branch: str, old: str) -> str:
    """The commit a new one starts from, or "" in an empty repository."""
    sha, start_branch = request.body.get("start_sha"), request.body.get("start_branch")
    if (sha or (start_branch and start_branch != branch)) and old:
        raise bad(f"A branch called '{branch}' already exists. Switch to that branch in order to make changes")
    if sha:
        commit = git.resolve(repository, sha)
        if commit is None:
            raise bad(f"Cannot find start_sha '{sha}'")
        return str(commit.id)
    if start_branch and not old:
        start = git.head(repository, start_branch)
        if not start:
            raise bad(f"Invalid start_branch '{start_branch}'")
        return start
    if not old and found["default_branch"]:
        raise bad("You can only create or edit files when you are on a branch")
    return old


def _pushed(request: Request, found: Row, update: git.Update) -> None:
    request.instance.webhooks.pushed(found, access.somebody(request), [update])
