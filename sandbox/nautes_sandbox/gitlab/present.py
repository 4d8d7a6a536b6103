"""Rows as GitLab's JSON: one function per entity. Keys are GitLab's own, no invented ones."""

from __future__ import annotations

from typing import Any

import pygit2

from nautes_sandbox.gitlab.http import Request
from nautes_sandbox.gitlab.repo import stamp
from nautes_sandbox.gitlab.store import Row, listed, now

HOOK_EVENTS = (
    "push_events",
    "tag_push_events",
    "merge_requests_events",
    "issues_events",
    "confidential_issues_events",
    "note_events",
    "confidential_note_events",
    "job_events",
    "pipeline_events",
    "deployment_events",
    "releases_events",
    "wiki_page_events",
)


def user(request: Request, row: Row) -> Row:
    """The public record of a user."""
    return {
        "id": row["id"],
        "username": row["username"],
        "name": row["name"],
        "state": row["state"],
        "locked": False,
        "avatar_url": None,
        "web_url": f"{request.instance.external_url}/{row['username']}",
    }


def self_user(request: Request, row: Row) -> Row:
    """The caller's own record."""
    shown = user(request, row) | {
        "email": row["email"],
        "public_email": "",
        "commit_email": row["email"],
        "bot": bool(row["bot"]),
        "created_at": row["created_at"],
        "can_create_group": bool(row["can_create_group"] or row["admin"]),
        "can_create_project": True,
        "external": False,
        "two_factor_enabled": False,
    }
    return shown | ({"is_admin": True} if row["admin"] else {})


def token(row: Row) -> Row:
    """A personal access token, without the token."""
    return {
        "id": row["id"],
        "name": row["name"],
        "revoked": bool(row["revoked"]),
        "created_at": row["created_at"],
        "scopes": listed(row["scopes"]),
        "user_id": row["user_id"],
        "active": active(row),
        "last_used_at": None,
        "expires_at": row["expires_at"],
    }


def active(row: Row) -> bool:
    """Whether a token still opens something; it ends at the beginning of the day it expires."""
    return not row["revoked"] and row["expires_at"] > now()[:10]


def project_token(row: Row) -> Row:
    """A project access token, without the token."""
    where = {"resource_type": "project", "resource_id": row["project_id"]}
    return token(row) | {"access_level": row["access_level"], **where}


def group(request: Request, row: Row) -> Row:
    """A group."""
    return {
        "id": row["id"],
        "web_url": f"{request.instance.external_url}/groups/{row['path']}",
        "name": row["name"],
        "path": row["path"].rpartition("/")[2],
        "description": row["description"] or "",
        "visibility": row["visibility"],
        "full_name": row["path"].replace("/", " / "),
        "full_path": row["path"],
        "parent_id": row["parent_id"],
        "created_at": row["created_at"],
        "avatar_url": None,
        "project_creation_level": "developer",
        "subgroup_creation_level": "maintainer",
        "marked_for_deletion_on": row["marked"],
    }


def project(request: Request, row: Row) -> Row:
    """A project."""
    base = request.instance.external_url
    namespace = request.store.get("namespaces", row["namespace_id"])
    host = base.split("://")[1].split(":")[0]
    return {
        "id": row["id"],
        "description": row["description"],
        "name": row["name"],
        "name_with_namespace": f"{namespace['name']} / {row['name']}",
        "path": row["path"],
        "path_with_namespace": row["full_path"],
        "created_at": row["created_at"],
        "default_branch": row["default_branch"],
        "ssh_url_to_repo": f"git@{host}:{row['full_path']}.git",
        "http_url_to_repo": f"{base}/{row['full_path']}.git",
        "web_url": f"{base}/{row['full_path']}",
        "visibility": row["visibility"],
        "archived": False,
        "empty_repo": row["default_branch"] is None,
        "creator_id": row["creator_id"],
        "last_activity_at": row["last_activity_at"],
        "marked_for_deletion_on": row["marked"],
        "namespace": {
            "id": namespace["id"],
            "name": namespace["name"],
            "path": namespace["path"].rpartition("/")[2],
            "kind": "group",
            "full_path": namespace["path"],
            "parent_id": namespace["parent_id"],
        },
        "permissions": permissions(request, row),
    }


BASIC = (
    *(
        "id",
        "description",
        "name",
        "name_with_namespace",
        "path",
        "path_with_namespace",
        "created_at",
        "default_branch",
    ),
    *("ssh_url_to_repo", "http_url_to_repo", "web_url", "last_activity_at", "visibility", "namespace"),
)


def basic_project(request: Request, row: Row) -> Row:
    """A project as lists show it that were asked for `simple`."""
    whole = project(request, row)
    return {name: whole[name] for name in BASIC}


def permissions(request: Request, row: Row) -> Row:
    """The caller's own memberships of a project and of its group."""
    found: dict[str, Any] = {}
    for kind, source in (("project", row["id"]), ("group", row["namespace_id"])):
        member = request.user and request.store.one(
            "select access_level from members where kind = ? and source_id = ? and user_id = ?",
            kind,
            source,
            request.user["id"],
        )
        found[f"{kind}_access"] = {"access_level": member["access_level"], "notification_level": 3} if member else None
    return found


def member(request: Request, row: Row) -> Row:
    """A membership, with its user."""
    shown = user(request, request.store.get("users", row["user_id"]))
    return shown | {"access_level": row["access_level"], "created_at": row["created_at"], "expires_at": None}


def hook(row: Row) -> Row:
    """A project hook; its tokens are never returned."""
    events = set(listed(row["events"]))
    backing_off = row["disabled_until"] is not None and row["disabled_until"] >= now()
    status = "disabled" if row["disabled"] else "temporarily_disabled" if backing_off else "executable"
    return {
        "id": row["id"],
        "url": row["url"],
        "project_id": row["project_id"],
        "created_at": row["created_at"],
        "enable_ssl_verification": bool(row["ssl"]),
        "push_events_branch_filter": row["branch_filter"],
        "branch_filter_strategy": "wildcard",
        "alert_status": status,
        "disabled_until": row["disabled_until"],
        **{name: name in events for name in HOOK_EVENTS},
    }


def key(row: Row) -> Row:
    """A deploy key by itself."""
    return {
        "id": row["id"],
        "title": row["title"],
        "key": row["key"],
        "created_at": row["created_at"],
        "expires_at": row["expires_at"],
        "last_used_at": None,
        "usage_type": "auth",
        "fingerprint_sha256": row["fingerprint"],
    }


def deploy_key(row: Row) -> Row:
    """A deploy key as a project sees it."""
    return key(row) | {"can_push": bool(row["can_push"])}


LEVELS = {0: "No one", 30: "Developers + Maintainers", 40: "Maintainers", 60: "Admins"}


def protected_branch(row: Row) -> Row:
    """A protected branch."""
    return {
        "id": row["id"],
        "name": row["name"],
        "push_access_levels": [_allowed(2 * row["id"], row["push_level"])],
        "merge_access_levels": [_allowed(2 * row["id"] + 1, row["merge_level"])],
        "allow_force_push": bool(row["allow_force"]),
    }


def _allowed(number: int, level: int) -> Row:
    return {"id": number, "access_level": level, "access_level_description": LEVELS[level]}


def commit(found: pygit2.Commit) -> Row:
    """A commit."""
    title = found.message.split("\n", 1)[0]
    return {
        "id": str(found.id),
        "short_id": str(found.id)[:8],
        "created_at": stamp(found.committer),
        "parent_ids": [str(each) for each in found.parent_ids],
        "title": title,
        "message": found.message,
        "author_name": found.author.name,
        "author_email": found.author.email,
        "authored_date": stamp(found.author),
        "committer_name": found.committer.name,
        "committer_email": found.committer.email,
        "committed_date": stamp(found.committer),
        "trailers": trailers(found.message),
    }


def trailers(message: str) -> dict[str, str]:
    """The trailers at the end of a message."""
    found = {}
    for line in message.rstrip().rpartition("\n\n")[2].splitlines():
        key, separator, value = line.partition(": ")
        if separator and key.replace("-", "").isalnum():
            found[key] = value
    return found


def comment(request: Request, row: Row) -> Row:
    """A comment on a commit, and the line of its difference."""
    author = request.store.get("users", row["author_id"])
    place = {name: row[name] for name in ("path", "line", "line_type")}
    return {"note": row["note"], **place, "author": user(request, author), "created_at": row["created_at"]}


def status(request: Request, row: Row) -> Row:
    """A commit status."""
    author = request.store.get("users", row["author_id"])
    return {
        "id": row["id"],
        "sha": row["sha"],
        "ref": row["ref"],
        "status": row["state"],
        "name": row["name"],
        "target_url": row["target_url"],
        "description": row["description"],
        "created_at": row["created_at"],
        "started_at": row["started_at"],
        "finished_at": row["finished_at"],
        "allow_failure": False,
        "coverage": None,
        "author": user(request, author),
    }


def event(request: Request, row: Row) -> Row:
    """A push event of the activity feed."""
    author = request.store.get("users", row["author_id"])
    single = row["ref_count"] == 1
    return {
        "id": row["id"],
        "project_id": row["project_id"],
        "action_name": {"created": "pushed new", "pushed": "pushed to", "removed": "deleted"}[row["action"]],
        "target_id": None,
        "target_iid": None,
        "target_type": None,
        "author_id": row["author_id"],
        "target_title": None,
        "created_at": row["created_at"],
        "author": user(request, author),
        "author_username": author["username"],
        "imported": False,
        "push_data": {
            "commit_count": row["commits"],
            "action": row["action"],
            "ref_type": row["ref_type"],
            "commit_from": (row["before"] or None) if single else None,
            "commit_to": (row["after"] or None) if single else None,
            "ref": row["ref"] if single else None,
            "commit_title": row["title"],
            "ref_count": None if single else row["ref_count"],
        },
    }
