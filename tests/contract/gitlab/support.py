"""A client of GitLab's API as the tests use it, git over HTTP, and a receiver of webhooks. Knows no stand-in."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

GUEST, REPORTER, DEVELOPER, MAINTAINER, OWNER = 10, 20, 30, 40, 50
DEADLINE = 10.0  # seconds


def unique(word: str) -> str:
    """A name nobody else uses."""
    return f"{word}-{uuid.uuid4().hex[:10]}"


def quoted(path: str) -> str:
    """A path as one part of a URL."""
    return quote(path, safe="")


def day(ahead: int) -> str:
    """The date so many days from today, as GitLab has dates."""
    return (datetime.now(UTC) + timedelta(days=ahead)).strftime("%Y-%m-%d")


def public_key(comment: str = "test") -> str:
    """A public key nobody else has."""
    key = Ed25519PrivateKey.generate().public_key()
    return f"{key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {comment}"


def next_page(answer: httpx2.Response) -> str:
    """The address the Link header gives for the next page, "" when there is none."""
    link = re.search(r'<([^>]+)>; rel="next"', answer.headers.get("link", ""))
    return link[1] if link else ""


class Api:
    """One account's view of the API; answers are httpx2 responses."""

    def __init__(self, url: str, token: str = "") -> None:
        headers = {"PRIVATE-TOKEN": token} if token else {}
        self.url, self.token = url, token
        self._client = httpx2.Client(base_url=f"{url}/api/v4", headers=headers, timeout=30)

    def get(self, path: str, /, **query: Any) -> httpx2.Response:
        return self._client.get(path, params=query or None)

    def head(self, path: str, /, **query: Any) -> httpx2.Response:
        return self._client.head(path, params=query or None)

    def post(self, path: str, /, **body: Any) -> httpx2.Response:
        return self._client.post(path, json=body)

    def put(self, path: str, /, **body: Any) -> httpx2.Response:
        return self._client.put(path, json=body)

    def patch(self, path: str, /, **body: Any) -> httpx2.Response:
        return self._client.patch(path, json=body)

    def delete(self, path: str, /, **query: Any) -> httpx2.Response:
        return self._client.delete(path, params=query or None)

    def made(self, path: str, /, **body: Any) -> Any:
        """POST that must create something."""
        answer = self.post(path, **body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def seen(self, path: str, /, **query: Any) -> Any:
        """GET that must succeed."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@dataclass
class Person:
    """An account with a token."""

    id: int
    username: str
    api: Api


class Maker:
    """Makes what a test needs, as the administrator, under names nobody else uses."""

    def __init__(self, root: Api) -> None:
        self.root = root

    def user(self, **more: Any) -> Person:
        name = unique("user")
        body = {"email": f"{name}@example.com", "name": name.title(), "username": name, "password": unique("Pw!")}
        row = self.root.made("/users", skip_confirmation=True, **body, **more)
        return Person(row["id"], name, Api(self.root.url, self.token(row["id"])))

    def token(self, user_id: int, scopes: tuple[str, ...] = ("api",), **more: Any) -> str:
        row = self.root.made(f"/users/{user_id}/personal_access_tokens", name="test", scopes=list(scopes), **more)
        return str(row["token"])

    def group(self, **more: Any) -> Any:
        name = unique("group")
        return self.root.made("/groups", **{"name": name, "path": name, **more})

    def project(self, *, readme: bool = False, **more: Any) -> Any:
        name = unique("project")
        space = more.pop("namespace_id", None) or self.group(visibility=more.get("visibility", "private"))["id"]
        body = {"name": name, "path": name, "namespace_id": space, "initialize_with_readme": readme}
        return self.root.made("/projects", **{**body, **more})

    def member(self, project: Any, level: int) -> Person:
        person = self.user()
        self.root.made(f"/projects/{project['id']}/members", user_id=person.id, access_level=level)
        return person

    def commit(self, project: Any, path: str = "", content: str = "x") -> Any:
        """One commit on main that creates a file."""
        action = {"action": "create", "file_path": path or unique("file"), "content": content}
        body = {"branch": "main", "commit_message": "Add a file", "actions": [action]}
        return self.root.made(f"/projects/{project['id']}/repository/commits", **body)


def git(*arguments: str, cwd: Path, token: str = "") -> subprocess.CompletedProcess[str]:
    """git with nothing of this machine's configuration; the token travels in a header."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": "Pat", f"GIT_{role}_EMAIL": "pat@example.com"}
    if token:
        basic = base64.b64encode(f"any:{token}".encode()).decode()
        environment |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader"}
        environment["GIT_CONFIG_VALUE_0"] = f"Authorization: Basic {basic}"
    return subprocess.run(
        ["git", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


class Clone:
    """A work tree of a project, as a person has it."""

    def __init__(self, project: Any, person: Api, directory: Path) -> None:
        self.directory, self._token = directory, person.token
        directory.mkdir()
        assert self.git("init", "--quiet", "--initial-branch=main").returncode == 0
        assert self.git("remote", "add", "origin", project["http_url_to_repo"]).returncode == 0
        if not project["empty_repo"]:
            done = self.git("pull", "--quiet", "origin", "main")
            assert done.returncode == 0, done.stderr

    def git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return git(*arguments, cwd=self.directory, token=self._token)

    def commit(self, name: str = "file.txt", text: str = "text\n") -> str:
        (self.directory / name).write_text(text)
        assert self.git("add", name).returncode == 0
        assert self.git("commit", "--quiet", "--allow-empty", "-m", f"Write {name}").returncode == 0
        return self.git("rev-parse", "HEAD").stdout.strip()


@dataclass
class Delivery:
    """One request as the receiver got it; header names are in lower case."""

    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Receiver:
    """Takes webhooks on loopback; `status` is what it answers."""

    status: int = 200
    url: str = ""
    got: list[Delivery] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def take(self, delivery: Delivery) -> None:
        with self._news:
            self.got.append(delivery)
            self._news.notify_all()

    def wait(self, count: int) -> list[Delivery]:
        """The first `count` deliveries; fails when they do not come in time."""
        with self._news:
            there = self._news.wait_for(lambda: len(self.got) >= count, DEADLINE)
        assert there, f"{len(self.got)} of {count} deliveries came"
        return self.got[:count]


def serve(receiver: Receiver) -> ThreadingHTTPServer:
    """Start a receiver; the caller shuts it down."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            receiver.take(Delivery({name.lower(): value for name, value in self.headers.items()}, raw))
            self.send_response(receiver.status)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the test's output is not for that."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server
