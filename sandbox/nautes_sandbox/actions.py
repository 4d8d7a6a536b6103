"""Actions of a person in the sandbox: the command line, plain Git, kubectl, GitLab's and our API.

Base class of the main process (sandbox/nautes_sandbox/scenario.py); tests use it for actions of their own.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import yaml

from nautes_sandbox.world import World

TIMEOUT = 120.0  # seconds any condition may take, outages included
EMAIL = "{name}@example.invalid"


class StepFailedError(Exception):
    """A step of the main process failed; the message says what was expected and what was seen."""


@dataclass
class Person:
    """A GitLab user with a token."""

    id: int
    username: str
    token: str


@dataclass
class Actions:
    """`people` by role; `work` holds clones and manifests; `timeout` is seconds any condition may take."""

    world: World
    suffix: str = ""
    say: Callable[[str], None] = print
    timeout: float = TIMEOUT
    people: dict[str, Person] = field(default_factory=dict)
    work: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="nautes-scenario-")))
    operations: list[str] = field(default_factory=list)

    def close(self) -> None:
        """Delete the work trees."""
        shutil.rmtree(self.work, ignore_errors=True)

    # The command line

    def apply(self, who: str, text: str) -> None:
        """`nautes apply -f`."""
        self._with_file("apply", who, text)

    def remove(self, who: str, text: str) -> None:
        """`nautes remove -f`, with the confirmation that many deletions need."""
        gone = sum(each["kind"] != "Cluster" for each in yaml.safe_load_all(text))
        self._with_file("remove", who, text, *(["--confirm-deletions", str(gone)] if gone else []))

    def nautes(self, who: str, *arguments: str) -> str:
        """The command line, as this person. Returns what it printed."""
        token = self.people[who].token
        environment = {**_environment(), "GIT_TOKEN": token, "API_SERVER": self.world.api_url}
        command = [sys.executable, "-m", "nautes.cli.main", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise StepFailedError(
                f"nautes {' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}"
            )
        return done.stdout

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition; an error while checking it counts as not yet."""
        deadline = time.monotonic() + self.timeout
        last = ""
        while time.monotonic() < deadline:
            try:
                if condition():
                    return
                last = "not yet"
            except (StepFailedError, httpx2.HTTPError, KeyError) as error:
                last = str(error)
            time.sleep(0.05)
        raise StepFailedError(f"waited {self.timeout:.0f} s in vain until {what}; last seen: {last}")

    def kubectl(self, cluster: str, *arguments: str) -> dict[str, Any]:
        """kubectl against a cluster of the sandbox, without the platform; returns its JSON."""
        kubectl = shutil.which("kubectl", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
        assert kubectl is not None  # noqa: S101 - a wheel of the sandbox brings it
        command = [kubectl, "--kubeconfig", str(self.world.kubeconfig(cluster)), *arguments, "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise StepFailedError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return dict(json.loads(done.stdout))

    def gitlab(self, path: str) -> Any:
        """GET from GitLab as the administrator; returns the JSON."""
        answer = self.gitlab_get(path)
        if answer.status_code != 200:
            raise StepFailedError(f"GitLab {path}: {answer.status_code}")
        return answer.json()

    def _with_file(self, command: str, who: str, text: str, *flags: str) -> None:
        path = self.work / f"{command}-{len(self.operations)}.yaml"
        path.write_text(text)
        path.chmod(0o600)
        self.operations.append(command)
        try:
            self.say(self.nautes(who, command, "-f", str(path), "--wait", str(int(self.timeout)), *flags))
        finally:
            path.unlink()

    # Git and GitLab

    def clone(self, path: str) -> Path:
        """A fresh clone of a repository, by its full path."""
        tree = self.work / path.replace("/", "-")
        shutil.rmtree(tree, ignore_errors=True)
        self.git(self.work, "clone", "-q", f"{self.world.gitlab_url}/{path}.git", str(tree))
        return tree

    def push(self, tree: Path, message: str) -> str:
        """Commit everything and push it to main; returns the commit."""
        self.git(tree, "add", "-A")
        self.git(tree, "commit", "-q", "-m", message)
        self.git(tree, "push", "-q", "origin", "HEAD:refs/heads/main")
        return self.git(tree, "rev-parse", "HEAD").strip()

    def git(self, where: Path, *arguments: str) -> str:
        """git over HTTP as the team's person; returns what it printed."""
        person = self.people["team"]
        basic = base64.b64encode(f"{person.username}:{person.token}".encode()).decode()
        environment = {
            **_environment(),
            "GIT_CONFIG_COUNT": "4",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
            "GIT_CONFIG_KEY_1": "user.name",
            "GIT_CONFIG_VALUE_1": person.username,
            "GIT_CONFIG_KEY_2": "user.email",
            "GIT_CONFIG_VALUE_2": EMAIL.format(name=person.username),
            "GIT_CONFIG_KEY_3": "init.defaultBranch",
            "GIT_CONFIG_VALUE_3": "main",
            "GIT_TERMINAL_PROMPT": "0",
        }
        command = ["git", "-C", str(where), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise StepFailedError(f"git {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def person(self, username: str) -> Person:
        """A user of this name, with a new token."""
        found = self.gitlab(f"/users?username={username}")
        if not found:
            body = {
                "username": username,
                "name": username.capitalize(),
                "email": EMAIL.format(name=username),
                "password": base64.b64encode(os.urandom(18)).decode(),
                "skip_confirmation": True,
            }
            self.gitlab_post("/users", body, tolerate=409)
            found = self.gitlab(f"/users?username={username}")
        user = found[0]
        token = self.gitlab_post(
            f"/users/{user['id']}/personal_access_tokens",
            {"name": "scenario", "scopes": ["api", "read_user", "read_repository", "write_repository"]},
        )["token"]
        return Person(id=int(user["id"]), username=username, token=str(token))

    def faults(self, faults: dict[str, str]) -> None:
        """Set faults of the GitLab stand-in, e.g. {"webhooks": "drop"}, {"every": "10", "status": "429,502"}."""
        headers = {"PRIVATE-TOKEN": self.world.root_token}
        answer = httpx2.post(f"{self.world.gitlab_url}/-/sandbox/faults", json=faults, headers=headers, timeout=30)
        answer.raise_for_status()

    def gitlab_get(self, path: str) -> httpx2.Response:
        """GET from GitLab as the administrator; the unparsed answer."""
        headers = {"PRIVATE-TOKEN": self.world.root_token}
        return httpx2.get(f"{self.world.gitlab_url}/api/v4{path}", headers=headers, timeout=30)

    def gitlab_post(self, path: str, body: dict[str, Any], tolerate: int = 0) -> Any:
        """POST to GitLab as the administrator; one status of refusal may be tolerated."""
        headers = {"PRIVATE-TOKEN": self.world.root_token}
        answer = httpx2.post(f"{self.world.gitlab_url}/api/v4{path}", json=body, headers=headers, timeout=30)
        if answer.status_code >= 400 and answer.status_code != tolerate:
            raise StepFailedError(f"GitLab POST {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    # Our API

    def api(self, method: str, path: str, who: str | None, **request: Any) -> httpx2.Response:
        """One request, as a person or without a token; `request` as httpx2 defines it."""
        headers = {"Authorization": f"Bearer {self.people[who].token}"} if who else {}
        headers |= request.pop("headers", {})
        return httpx2.request(method, f"{self.world.api_url}{path}", headers=headers, timeout=60, **request)


def quoted(path: str) -> str:
    """A path as one part of an address."""
    return path.replace("/", "%2F")


def _environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"NO_COLOR": "1"}
