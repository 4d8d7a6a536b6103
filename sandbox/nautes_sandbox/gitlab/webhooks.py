"""Webhooks: payloads, signatures, deliveries on a few threads in no sure order, the log, and GitLab's automatic disabling.

GitLab does not retry a failed delivery; from the fourth failure in a row it backs off, after the fortieth it disables the hook.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pygit2

from nautes_sandbox.gitlab import permissions
from nautes_sandbox.gitlab.repo import ZERO, Repositories, Update, stamp
from nautes_sandbox.gitlab.store import Row, Store, listed, now

TIMEOUT = 10.0  # seconds GitLab waits for an answer
BACK_OFF_FROM, DISABLE_AT = 4, 40  # failures in a row
MANY_REFS = 3  # a push of more branches (or tags) than this fires no hooks at all
NEWEST = 20  # commits in a payload
BODY_KEPT = 8 << 10  # bytes of an answer that the log keeps


class Webhooks:
    """`mode` is deliver, pause (kept until it delivers again) or drop (lost, as a network loses them)."""

    def __init__(self, store: Store, repositories: Repositories, external_url: str, version: str) -> None:
        self._store, self._repositories = store, repositories
        self._external_url, self._version = external_url, version
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="webhook")
        self._client = httpx2.Client(timeout=TIMEOUT, follow_redirects=False)
        self._lock = threading.Lock()
        self._paused: list[tuple[int, str, Row]] = []
        self.mode = "deliver"

    def pushed(self, project: Row, user: Row, updates: list[Update]) -> None:
        """Record the push as events, set the default branch, and fire the hooks."""
        self._record(project, user, updates)
        for kind, event, trigger in (("branch", "push", "push_events"), ("tag", "tag_push", "tag_push_events")):
            of_kind = [each for each in updates if each.tag == (kind == "tag")]
            if 0 < len(of_kind) <= MANY_REFS:
                for update in of_kind:
                    self._fire(project, trigger, partial(self.payload, project, user, update, event))

    def set_mode(self, mode: str) -> None:
        """Change how deliveries are treated; going back to deliver sends what was paused."""
        with self._lock:
            self.mode = mode
            waiting, self._paused = (self._paused, []) if mode == "deliver" else ([], self._paused)
        for hook_id, trigger, payload in waiting:
            self._pool.submit(self.deliver, hook_id, trigger, payload)

    def _fire(self, project: Row, trigger: str, payload: Any) -> None:
        for hook in self._store.all("select * from hooks where project_id = ?", project["id"]):
            if trigger not in listed(hook["events"]) or not _executable(hook):
                continue
            with self._lock:
                mode = self.mode
                if mode == "pause":
                    self._paused.append((hook["id"], trigger, payload()))
            if mode == "deliver":
                self._pool.submit(self.deliver, hook["id"], trigger, payload())

    def deliver(self, hook_id: int, trigger: str, payload: Row, key: str = "") -> Row | None:
        """Send one delivery and log it; returns the log entry, None when the hook is gone.

        `key` is the Idempotency-Key of the delivery that is sent again; a new one gets a new key.
        """
        store = self._store
        hook = store.one("select * from hooks where id = ?", hook_id)
        if hook is None:
            return None
        body = json.dumps(payload).encode()
        headers = self._headers(hook, trigger, body, key or str(uuid.uuid4()))
        began = time.monotonic()
        status, answer = self._send(hook["url"], body, headers)
        shown = {name: "[REDACTED]" if name == "X-Gitlab-Token" else value for name, value in headers.items()}
        entry = store.insert(
            "deliveries",
            hook_id=hook_id,
            trigger=trigger,
            url=hook["url"],
            headers=json.dumps(shown),
            body=body.decode(),
            status=status,
            response=answer,
            duration=round(time.monotonic() - began, 4),
            created_at=now(),
        )
        self._judge(hook, status)
        return store.one("select * from deliveries where id = ?", entry)

    def _send(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[str, str]:
        if urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
            return "internal error", "the stand-in delivers to loopback only"
        try:
            answer = self._client.post(url, content=body, headers=headers)
        except httpx2.HTTPError as error:
            return "internal error", type(error).__name__
        return str(answer.status_code), answer.text[:BODY_KEPT]

    def _headers(self, hook: Row, trigger: str, body: bytes, key: str) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"GitLab/{self._version}",
            "Idempotency-Key": key,
            "X-Gitlab-Event": {"push_events": "Push Hook", "tag_push_events": "Tag Push Hook"}[trigger],
            "X-Gitlab-Webhook-UUID": str(uuid.uuid4()),
            "X-Gitlab-Instance": self._external_url,
            "X-Gitlab-Event-UUID": str(uuid.uuid4()),
        }
        if hook["token"]:
            headers["X-Gitlab-Token"] = hook["token"]
        if hook["signing_token"]:
            sent_at = str(int(time.time()))
            secret = base64.b64decode(hook["signing_token"].removeprefix("whsec_"))
            mac = hmac.new(secret, f"{key}.{sent_at}.".encode() + body, hashlib.sha256).digest()
            headers |= {
                "webhook-id": key,
                "webhook-timestamp": sent_at,
                "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
            }
        return headers

    def _judge(self, hook: Row, status: str) -> None:
        good = status.isdigit() and 200 <= int(status) < 400
        if not good and not _executable(hook):
            return  # a test delivery that fails while the hook is disabled is not counted
        failures = 0 if good else hook["failures"] + 1
        until = None
        if failures >= BACK_OFF_FROM:
            delay = min(timedelta(minutes=2 ** (failures - BACK_OFF_FROM)), timedelta(days=1))
            until = (datetime.now(UTC) + delay).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._store.update(
            "hooks", hook["id"], failures=failures, disabled_until=until, disabled=int(failures >= DISABLE_AT)
        )

    def _record(self, project: Row, user: Row, updates: list[Update]) -> None:
        store, repository = self._store, self._repositories.open(project["id"])
        counted = len(updates) if len(updates) > MANY_REFS else 1
        for update in updates[:1] if counted > 1 else updates:
            title, commits = _summary(repository, update)
            action = "created" if update.before == ZERO else "removed" if update.after == ZERO else "pushed"
            store.insert(
                "events",
                project_id=project["id"],
                author_id=user["id"],
                action=action,
                ref=update.ref.split("/", 2)[2],
                ref_type="tag" if update.tag else "branch",
                before="" if update.before == ZERO else update.before,
                after="" if update.after == ZERO else update.after,
                commits=commits,
                title=title,
                ref_count=counted,
                created_at=now(),
            )
        store.update("projects", project["id"], last_activity_at=now())
        branches = [each for each in updates if not each.tag and each.after != ZERO]
        if branches and project["default_branch"] is None:
            names = [each.ref.removeprefix("refs/heads/") for each in branches]
            name = "main" if "main" in names else names[0]
            store.update("projects", project["id"], default_branch=name)
            store.insert("protected", project_id=project["id"], name=name, push_level=40, merge_level=40)
            repository.set_head(f"refs/heads/{name}")

    def payload(self, project: Row, user: Row, update: Update, event: str) -> Row:
        """The payload for one ref that moved; `event` is push or tag_push."""
        repository = self._repositories.open(project["id"])
        base, path = self._external_url, project["full_path"]
        commits = [] if update.tag else _commits(repository, update)
        namespace = self._store.get("namespaces", project["namespace_id"])
        ssh = f"git@{urlsplit(base).hostname}:{path}.git"
        level = {"private": 0, "internal": 10, "public": 20}[project["visibility"]]
        urls = {"homepage": f"{base}/{path}", "url": ssh, "git_ssh_url": ssh, "git_http_url": f"{base}/{path}.git"}
        return {
            "object_kind": event,
            "event_name": event,
            "before": update.before,
            "after": update.after,
            "ref": update.ref,
            "ref_protected": not update.tag
            and bool(permissions.protections(self._store, project, update.ref.removeprefix("refs/heads/"))),
            "checkout_sha": None if update.after == ZERO else update.after,
            "message": None,
            "user_id": user["id"],
            "user_name": user["name"],
            "user_username": user["username"],
            "user_email": None,
            "user_avatar": None,
            "project_id": project["id"],
            "project": {
                "id": project["id"],
                "name": project["name"],
                "description": project["description"] or "",
                "web_url": f"{base}/{path}",
                "avatar_url": None,
                "namespace": namespace["name"],
                "visibility_level": level,
                "path_with_namespace": path,
                "default_branch": project["default_branch"] or "main",
                "ci_config_path": None,
                **urls,
                "ssh_url": ssh,
                "http_url": f"{base}/{path}.git",
            },
            "commits": [_shown(base, path, each) for each in reversed(commits[:NEWEST])],
            "total_commits_count": len(commits),
            "push_options": {},
            "repository": {
                "name": project["name"],
                "description": project["description"] or "",
                "visibility_level": level,
                **urls,
            },
        }


def _executable(hook: Row) -> bool:
    if hook["disabled"]:
        return False
    return not hook["disabled_until"] or hook["disabled_until"] < now()


def _commits(repository: pygit2.Repository, update: Update) -> list[pygit2.Commit]:
    """New commits, newest first."""
    if update.after == ZERO:
        return []
    walker = repository.walk(update.after, pygit2.enums.SortMode.TOPOLOGICAL)
    if update.before != ZERO:
        walker.hide(update.before)
    return [each for each, _ in zip(walker, range(1000), strict=False)]


def _summary(repository: pygit2.Repository, update: Update) -> tuple[str, int]:
    try:
        commits = _commits(repository, update)
    except (KeyError, ValueError, pygit2.GitError):
        return "", 0
    return (commits[0].message.split("\n", 1)[0] if commits else ""), len(commits)


def _shown(base: str, path: str, commit: pygit2.Commit) -> Row:
    parent = commit.parents[0].tree if commit.parents else None
    difference = parent.diff_to_tree(commit.tree) if parent else commit.tree.diff_to_tree(swap=True)
    files: dict[str, list[str]] = {"added": [], "modified": [], "removed": []}
    for delta in difference.deltas:
        files[{"A": "added", "D": "removed"}.get(delta.status_char(), "modified")].append(delta.new_file.path)
    return {
        "id": str(commit.id),
        "message": commit.message,
        "title": commit.message.split("\n", 1)[0],
        "timestamp": stamp(commit.committer),
        "url": f"{base}/{path}/-/commit/{commit.id}",
        "author": {"name": commit.author.name, "email": "[REDACTED]"},
        **files,
    }
