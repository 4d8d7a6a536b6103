"""The state of one stand-in: its database, repositories, webhooks and counters.

It does not depend on requests: handlers use it as `request.instance`, and smart_http.py shares it.
"""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

from nautes_sandbox.gitlab import tokens
from nautes_sandbox.gitlab.repo import Repositories, collect_garbage
from nautes_sandbox.gitlab.store import Store, now
from nautes_sandbox.gitlab.webhooks import Webhooks

VERSION = "18.9.0"
GARBAGE_EVERY = 200  # API commits between two packings of a repository


class Instance:
    """A GitLab instance; all its data is in the directory `data`."""

    version = VERSION

    def __init__(self, data: Path, external_url: str) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data = data
        self.external_url = external_url.rstrip("/")
        self.store = Store(data / "gitlab.db")
        self.repositories = Repositories(data / "repositories")
        self.webhooks = Webhooks(self.store, self.repositories, self.external_url, self.version)
        self.calls: Counter[str] = Counter()
        self._commits: Counter[int] = Counter()
        self._lock = threading.Lock()

    def seed(self, root_token: str, platform_token: str) -> None:
        """The administrator and the platform's account, with their tokens. Idempotent."""
        for username, name, token in (("root", "Administrator", root_token), ("nautes", "Nautes", platform_token)):
            user = self.store.one("select id from users where username = ?", username)
            user_id = user["id"] if user else self._seed_user(username, name)
            if tokens.authenticate(self.store, token, api=False) is None:
                tokens.keep(self.store, token, user_id, "seed", ["api"], "2099-01-01")

    def _seed_user(self, username: str, name: str) -> int:
        email = f"{username}@example.invalid"
        return self.store.insert("users", username=username, name=name, email=email, admin=1, created_at=now())

    def remove_project(self, project_id: int) -> None:
        """Delete a project and everything that belongs to it."""
        for table in ("hooks", "key_links", "protected", "statuses", "comments", "events", "tokens"):
            self.store.run(f"delete from {table} where project_id = ?", project_id)  # noqa: S608 - ours
        self.store.run("delete from members where kind = 'project' and source_id = ?", project_id)
        self.store.run("delete from keys where id not in (select key_id from key_links)")
        self.store.run("delete from projects where id = ?", project_id)
        self.repositories.delete(project_id)

    def committed(self, project_id: int) -> None:
        """Count an API commit; loose objects are packed now and then."""
        self._commits[project_id] += 1
        if self._commits[project_id] % GARBAGE_EVERY == 0:
            collect_garbage(self.repositories.path(project_id))

    def count(self, kind: str) -> None:
        """Count a call: reads, writes, git reads, git writes."""
        with self._lock:
            self.calls[kind] += 1
