"""What the tests of the API share: problems read strictly, the command line in this process, and the count of writes."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import io
import json
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from nautes.cli.main import main
from nautes.messages.secrets import SecretRef
from nautes_sandbox.actions import Actions, quoted
from nautes_sandbox.world import World
from tests.integration import secrets

MEMBERS = {"type", "title", "status", "code", "detail", "findings", "undone", "operation"}
API_VERSION = "nautes.resource.nautes.io/v1alpha1"


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


class Cli:
    """`nautes` as a person; what it prints is caught, standard input may be given."""

    def __init__(self, actions: Actions, monkeypatch: pytest.MonkeyPatch) -> None:
        self._hands, self._patch = actions, monkeypatch

    def __call__(self, who: str, *arguments: str, stdin: str = "", server: str = "", token: str = "") -> Ended:
        """Run one command to its end."""
        self._patch.setenv("GIT_TOKEN", token or self._hands.people[who].token)
        self._patch.setenv("API_SERVER", server or self._hands.world.api_url)
        self._patch.setattr(sys, "argv", ["nautes", *arguments])
        self._patch.setattr(sys, "stdin", io.StringIO(stdin))
        out, err, code = io.StringIO(), io.StringIO(), 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Ended(code, out.getvalue(), err.getvalue())


def problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The problem of an answer, which must be this one and of the one shape."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    found = dict(answer.json())
    assert found.keys() == MEMBERS
    assert (found["status"], found["code"], found["type"]) == (status, code, "about:blank"), answer.text
    return found


def writes(world: World) -> dict[str, int]:
    """Writes made so far, by system."""
    return {name: count for name, count in world.calls().items() if name.endswith("writes")}


@contextlib.contextmanager
def nothing_written(world: World) -> Iterator[None]:
    """GitLab, Git, Vault and the clusters see no write of ours."""
    before = writes(world)
    yield
    assert writes(world) == before


@contextlib.contextmanager
def nothing_left(actions: Actions) -> Iterator[None]:
    """As `nothing_written`, but Vault may have kept a secret for a while: in the end it holds what it held."""
    before, kept = writes(actions.world), secrets.in_vault(actions)
    yield
    after = writes(actions.world)
    assert {**after, "Vault writes": 0} == {**before, "Vault writes": 0}
    assert secrets.in_vault(actions) == kept


def document(kind: str, **spec: Any) -> str:
    """A manifest; JSON is YAML."""
    return json.dumps({"apiVersion": API_VERSION, "kind": kind, "spec": spec}) + "\n"


def product(name: str, **gitlab: Any) -> str:
    """A manifest of a product."""
    last = name.rpartition("/")[2]
    settings = {"name": last, "path": last, "visibility": "private", "description": name, **gitlab}
    return document("Product", name=name, git={"gitlab": settings})


def together(*documents: str) -> str:
    """One file of several documents."""
    return "---\n".join(documents)


def operation(answer: httpx2.Response) -> dict[str, Any]:
    """The only operation of an answer."""
    (found,) = answer.json()["operations"]
    return dict(found)


def joined(actions: Actions, who: str, group: str, level: int) -> None:
    """Make somebody a member of a group."""
    body = {"user_id": actions.people[who].id, "access_level": level}
    actions.gitlab_post(f"/groups/{quoted(group)}/members", body, tolerate=409)


@dataclass
class Delivery:
    """The webhook of a push as GitLab sends it; a test changes it into an invalid one."""

    actions: Actions
    repository: str
    payload: dict[str, Any]
    id: str = ""
    stamp: str = ""
    secret: str = ""

    @classmethod
    def of(cls, actions: Actions, repository: str) -> Delivery:
        """A true one about the head of `main`."""
        project = actions.gitlab(f"/projects/{quoted(repository)}")
        head = actions.gitlab(f"/projects/{project['id']}/repository/branches/main")["commit"]["id"]
        payload = {
            "object_kind": "push",
            "project_id": project["id"],
            "project": {"id": project["id"], "path_with_namespace": repository},
            "ref": "refs/heads/main",
            "before": "0" * 40,
            "after": head,
        }
        ref = SecretRef(engine="git", path=f"gitlab/repo-{project['id']}/default/webhook")
        secret = secrets.in_vault(actions)[f"{ref.engine}/{ref.path}"]["token"]
        return cls(actions, repository, payload, str(uuid.uuid4()), str(int(time.time())), secret)

    def send(self, body: bytes | None = None, project_id: int | None = None, **headers: str) -> httpx2.Response:
        """Sign it and send it."""
        content = json.dumps(self.payload).encode() if body is None else body
        mac = hmac.new(base64.b64decode(self.secret), f"{self.id}.{self.stamp}.".encode() + content, hashlib.sha256)
        signed = {
            "webhook-id": self.id,
            "webhook-timestamp": self.stamp,
            "webhook-signature": f"v1,{base64.b64encode(mac.digest()).decode()}",
            **headers,
        }
        target = self.payload["project_id"] if project_id is None else project_id
        return self.actions.api("POST", f"/api/v1/hooks/gitlab/{target}", None, content=content, headers=signed)
