"""The main process as a person would carry it out: through the public API, the command line and plain Git.

One class with one method per step; each raises `StepFailedError` when the step did not hold. Used by `nautes demo`, by the
integration tests and by the fault suite, so that all three speak of the same path.
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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

import httpx
import yaml

from sandbox.world import World

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PATIENCE = 120.0  # seconds any condition may take, outages included
EMAIL = "{name}@example.invalid"


class StepFailedError(Exception):
    """A step of the main process did not hold; the message says what was expected and what was seen."""


@dataclass
class Person:
    """A GitLab user with a token."""

    id: int
    username: str
    token: str


@dataclass
class Journey:
    """`suffix` keeps journeys apart that share one world; `clusters` are the names in the world."""

    world: World
    suffix: str = ""
    say: Callable[[str], None] = print
    patience: float = PATIENCE
    people: dict[str, Person] = field(default_factory=dict)
    work: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="nautes-journey-")))
    operations: list[str] = field(default_factory=list)

    @property
    def product(self) -> str:
        """Path of the product's group."""
        return f"shop{self.suffix}"

    @property
    def deploy_cluster(self) -> str:
        """Name the deployment worker is registered under."""
        return f"deploy{self.suffix}"

    @property
    def pipeline_cluster(self) -> str:
        """Name the pipeline worker is registered under."""
        return f"pipeline{self.suffix}"

    @property
    def namespace(self) -> str:
        """Where the deployment runtime's objects live."""
        return f"{self.product}-web"

    def close(self) -> None:
        """Forget the work trees."""
        shutil.rmtree(self.work, ignore_errors=True)

    # Steps

    def install(self) -> None:
        """The platform answers, the tenant is ready, and the two people of this story exist."""
        self.until(lambda: self._api("GET", "/readyz", None).status_code == 200, "the platform is ready")
        for name in ("platform", "team"):
            self.people[name] = self._person(f"{name}{self.suffix}")
        self.until(self._tenant_ready, "the tenant configuration repository exists")
        self._gitlab_post(
            f"/projects/{_quoted('nautes/management')}/members",
            {"user_id": self.people["platform"].id, "access_level": 40},
            tolerate=409,
        )

    def register_clusters(self) -> None:
        """Two physical workers, one for deployments and one for pipelines."""
        names = {"deploy": self.deploy_cluster, "pipeline": self.pipeline_cluster}
        values: dict[str, str] = dict(names)
        for cluster in names:
            kubeconfig = self.world.kubeconfig(cluster).read_text()
            values[f"{cluster}_server"] = yaml.safe_load(kubeconfig)["clusters"][0]["cluster"]["server"]
            values[f"{cluster}_kubeconfig"] = kubeconfig.replace("\n", "\n    ")
        self.apply("platform", self._example("clusters.yaml", values))

    def initialize_product(self) -> None:
        """Product, environments, project, repositories, authorization and runtimes from one file, as one change."""
        self.apply("team", self._product())
        head = self.gitlab(f"/projects/{_quoted(f'{self.product}/default.project')}/repository/commits?per_page=100")
        if len(head) != 2:  # the first commit of the repository, and ours
            raise StepFailedError(f"default.project should have one commit of ours, it has {len(head) - 1}")

    def deploy(self) -> float:
        """Push manifests; objects arrive and are healthy. Returns seconds from push to converged."""
        tree = self._clone("deploy")
        shutil.copytree(EXAMPLES / "manifests", tree / "production")
        seconds = self.push_and_wait(tree, "first version")
        found = self.kubectl("deploy", "get", "deployment,service,configmap,serviceaccount", "-n", self.namespace)
        names = {(each["kind"], each["metadata"]["name"]) for each in found["items"]}
        expected = {("Deployment", "web"), ("Service", "web"), ("ServiceAccount", "web"), ("ConfigMap", "settings")}
        if not expected <= names:
            raise StepFailedError(f"missing in the cluster: {sorted(expected - names)}")
        return seconds

    def change_one(self) -> None:
        """A second push changes one object: exactly one write."""
        tree = self._clone("deploy")
        settings = tree / "production" / "settings.yaml"
        settings.write_text(settings.read_text().replace("greeting: hello", "greeting: good morning"))
        self.push_and_wait(tree, "change one object")
        status = self.deployment()
        if status["writes"] != 1:
            raise StepFailedError(f"one object changed, but {status['writes']} writes were made")

    def prune(self) -> None:
        """A file removed: its objects go."""
        tree = self._clone("deploy")
        settings = tree / "production" / "settings.yaml"
        documents = settings.read_text().split("---\n")
        settings.write_text("---\n".join(documents[:-1]))
        self.push_and_wait(tree, "remove one object")
        gone = self.kubectl("deploy", "get", "configmap", "-n", self.namespace)
        if "page-6" in {each["metadata"]["name"] for each in gone["items"]}:
            raise StepFailedError("the object whose manifest was removed is still there")

    def refuse_foreign(self) -> None:
        """A manifest aimed at another namespace is refused with the reason; the rest still converges."""
        tree = self._clone("deploy")
        stray = tree / "production" / "stray.yaml"
        stray.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stray, namespace: kube-system}\n")
        (tree / "production" / "extra.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n")
        commit = self._push(tree, "aim at another namespace")
        self.until(
            lambda: self.deployment()["commit"] == commit and self.deployment()["phase"] == "Degraded", "refused"
        )
        status = self.deployment()
        refused = [each for each in status["outcomes"] if each["action"] == "refused"]
        if [each["name"] for each in refused] != ["stray"] or "kube-system" not in refused[0]["reason"]:
            raise StepFailedError(f"expected one refusal that names the namespace, got {refused}")
        self.kubectl("deploy", "get", "configmap/extra", "-n", self.namespace)
        stray.unlink()
        self.push_and_wait(tree, "take it back")

    def correct_drift(self) -> None:
        """A hand edit in the cluster is put back."""
        self.kubectl(
            "deploy",
            "patch",
            "configmap/settings",
            "-n",
            self.namespace,
            "--type=merge",
            "-p",
            '{"data":{"greeting":"x"}}',
        )

        def put_back() -> bool:
            live = self.kubectl("deploy", "get", "configmap/settings", "-n", self.namespace)
            return bool(live["data"]["greeting"] == "good morning")

        self.until(put_back, "the hand edit is put back")

    def lose_webhook(self) -> float:
        """A push whose webhook is lost is deployed within the sweep's interval. Returns seconds."""
        self._faults({"webhooks": "drop"})
        try:
            tree = self._clone("deploy")
            settings = tree / "production" / "settings.yaml"
            settings.write_text(settings.read_text().replace("good morning", "good evening"))
            return self.push_and_wait(tree, "a push nobody is told of")
        finally:
            self._faults({"webhooks": "deliver"})

    def run_pipeline(self) -> None:
        """Push source code: a run succeeds and GitLab says so beside the commit."""
        pipelines = self._clone("pipelines")
        url = f"{self.world.gitlab_url}/{self.product}/source.git"
        text = (EXAMPLES / "pipelines" / "build.yaml").read_text().replace("$source_url", url)
        (pipelines / "build.yaml").write_text(text)
        self._push(pipelines, "the pipeline")
        self._push_source((EXAMPLES / "source" / "app.py").read_text(), "first version", "success")

    def break_build(self) -> None:
        """A push that breaks the build fails the run and says so in GitLab."""
        self._push_source("def main(:\n", "break the build", "failed")

    def view(self) -> str:
        """Status as a person reads it; returns the tree that `nautes status` prints."""
        tree = self.nautes("team", "status", self.product, "--all")
        runs = json.loads(self.nautes("team", "get", "runs", "-p", self.product, "-o", "json"))
        phases = sorted(each["phase"] for each in _items(runs))
        if phases != ["Failed", "Succeeded"]:
            raise StepFailedError(f"one run should have failed and one succeeded, got {phases}")
        self.nautes("team", "wait", "deployment/web", "-p", self.product, "--for=converged")
        explained = self.nautes("team", "explain", f"deployment/{self.product}/web").strip()
        return f"{tree.rstrip()}\n{explained}"

    def destroy(self) -> None:
        """Remove in reverse order; GitLab, Vault and the clusters then hold nothing of the product."""
        self.remove("team", self._product())
        self.expect_nothing_left()

    def unregister(self) -> None:
        """Remove the clusters; nothing of the platform stays in them."""
        names = {"deploy": self.deploy_cluster, "pipeline": self.pipeline_cluster}
        values = {**names, **{f"{each}_server": "https://127.0.0.1:1" for each in names}}
        values |= {f"{each}_kubeconfig": "" for each in names}
        self.remove("platform", self._example("clusters.yaml", values))

    def expect_nothing_left(self) -> None:
        """Raise when GitLab or a cluster still holds something of the product."""
        group = self._gitlab_get(f"/groups/{_quoted(self.product)}")
        if group.status_code != 404:
            raise StepFailedError(f"the group is still there ({group.status_code})")
        for cluster in ("deploy", "pipeline"):
            listed = self.kubectl(cluster, "get", "namespaces")
            left = [each["metadata"]["name"] for each in listed["items"]]
            stray = [name for name in left if name.startswith(f"{self.product}-")]
            if stray:
                raise StepFailedError(f"namespaces left in {cluster}: {stray}")

    # What a person does

    def apply(self, who: str, text: str) -> None:
        """`nautes apply -f`."""
        self._with_file("apply", who, text)

    def remove(self, who: str, text: str) -> None:
        """`nautes remove -f`."""
        self._with_file("remove", who, text)

    def nautes(self, who: str, *arguments: str) -> str:
        """The command line, as this person. Returns what it printed."""
        token = self.people[who].token
        environment = {**_environment(), "GIT_TOKEN": token, "API_SERVER": self.world.api_url}
        command = [sys.executable, "-m", "cli.main", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise StepFailedError(
                f"nautes {' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}"
            )
        return done.stdout

    def deployment(self) -> dict[str, Any]:
        """The deployment runtime's status."""
        answer = self._api("GET", f"/api/v1/products/{_quoted(self.product)}/status", "team")
        if answer.status_code != 200:
            raise StepFailedError(f"status answered {answer.status_code}: {answer.text[:500]}")
        for each in answer.json()["deployments"]:
            if each["runtime"] == "web":
                return dict(each)
        return {"phase": "Unknown", "commit": "", "converged_commit": "", "outcomes": [], "writes": -1}

    def push_and_wait(self, tree: Path, message: str) -> float:
        """Push, wait until that commit is converged; returns the seconds between."""
        began = time.monotonic()
        commit = self._push(tree, message)

        def converged() -> bool:
            status = self.deployment()
            return bool(status["converged_commit"] == commit and status["phase"] == "Converged")

        self.until(converged, f"{commit[:12]} ({message}) is converged")
        return time.monotonic() - began

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition; an error of a look counts as not yet."""
        deadline = time.monotonic() + self.patience
        last = ""
        while time.monotonic() < deadline:
            try:
                if condition():
                    return
                last = "not yet"
            except (StepFailedError, httpx.HTTPError, KeyError) as error:
                last = str(error)
            time.sleep(0.05)
        raise StepFailedError(f"waited {self.patience:.0f} s in vain until {what}; last look: {last}")

    def kubectl(self, cluster: str, *arguments: str) -> dict[str, Any]:
        """kubectl against a cluster of the world, behind the platform's back; returns its JSON."""
        kubectl = shutil.which("kubectl", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
        assert kubectl is not None  # noqa: S101 - a wheel of the sandbox brings it
        command = [kubectl, "--kubeconfig", str(self.world.kubeconfig(cluster)), *arguments, "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise StepFailedError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return dict(json.loads(done.stdout))

    def gitlab(self, path: str) -> Any:
        """GET from GitLab as the administrator; returns the JSON."""
        answer = self._gitlab_get(path)
        if answer.status_code != 200:
            raise StepFailedError(f"GitLab {path}: {answer.status_code}")
        return answer.json()

    # Inside

    def _push_source(self, text: str, message: str, expected: str) -> None:
        tree = self._clone("source")
        (tree / "app.py").write_text(text)
        commit = self._push(tree, message)
        project = _quoted(f"{self.product}/source")

        def said() -> bool:
            states = {
                each["status"] for each in self.gitlab(f"/projects/{project}/repository/commits/{commit}/statuses")
            }
            if states & {"success", "failed", "canceled"} - {expected}:
                raise StepFailedError(f"commit status is {states}, expected {expected}")
            return expected in states

        self.until(said, f"GitLab shows {expected} beside {commit[:12]}")

    def _product(self) -> str:
        names = {"product": self.product, "deploy": self.deploy_cluster, "pipeline": self.pipeline_cluster}
        return self._example("product.yaml", names)

    def _example(self, name: str, values: Mapping[str, str]) -> str:
        return Template((EXAMPLES / name).read_text()).safe_substitute(values)

    def _with_file(self, command: str, who: str, text: str) -> None:
        path = self.work / f"{command}-{len(self.operations)}.yaml"
        path.write_text(text)
        path.chmod(0o600)
        self.operations.append(command)
        try:
            self.say(self.nautes(who, command, "-f", str(path), "--wait", str(int(self.patience))))
        finally:
            path.unlink()

    def _clone(self, repository: str) -> Path:
        tree = self.work / repository
        shutil.rmtree(tree, ignore_errors=True)
        self._git(self.work, "clone", "-q", f"{self.world.gitlab_url}/{self.product}/{repository}.git", str(tree))
        return tree

    def _push(self, tree: Path, message: str) -> str:
        self._git(tree, "add", "-A")
        self._git(tree, "commit", "-q", "-m", message)
        self._git(tree, "push", "-q", "origin", "HEAD:refs/heads/main")
        return self._git(tree, "rev-parse", "HEAD").strip()

    def _git(self, where: Path, *arguments: str) -> str:
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

    def _person(self, username: str) -> Person:
        found = self.gitlab(f"/users?username={username}")
        if not found:
            body = {
                "username": username,
                "name": username.capitalize(),
                "email": EMAIL.format(name=username),
                "password": base64.b64encode(os.urandom(18)).decode(),
                "skip_confirmation": True,
            }
            self._gitlab_post("/users", body, tolerate=409)
            found = self.gitlab(f"/users?username={username}")
        user = found[0]
        token = self._gitlab_post(
            f"/users/{user['id']}/personal_access_tokens",
            {"name": "journey", "scopes": ["api", "read_user", "read_repository", "write_repository"]},
        )["token"]
        return Person(id=int(user["id"]), username=username, token=str(token))

    def _tenant_ready(self) -> bool:
        return self._gitlab_get(f"/projects/{_quoted('nautes/management')}").status_code == 200

    def _faults(self, faults: dict[str, str]) -> None:
        headers = {"PRIVATE-TOKEN": self.world.root_token}
        answer = httpx.post(f"{self.world.gitlab_url}/-/sandbox/faults", json=faults, headers=headers, timeout=30)
        answer.raise_for_status()

    def _gitlab_get(self, path: str) -> httpx.Response:
        headers = {"PRIVATE-TOKEN": self.world.root_token}
        return httpx.get(f"{self.world.gitlab_url}/api/v4{path}", headers=headers, timeout=30)

    def _gitlab_post(self, path: str, body: dict[str, Any], tolerate: int = 0) -> Any:
        headers = {"PRIVATE-TOKEN": self.world.root_token}
        answer = httpx.post(f"{self.world.gitlab_url}/api/v4{path}", json=body, headers=headers, timeout=30)
        if answer.status_code >= 400 and answer.status_code != tolerate:
            raise StepFailedError(f"GitLab POST {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    def _api(self, method: str, path: str, who: str | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.people[who].token}"} if who else {}
        return httpx.request(method, f"{self.world.api_url}{path}", headers=headers, timeout=60)


def _quoted(path: str) -> str:
    return path.replace("/", "%2F")


def _items(answer: Any) -> list[dict[str, Any]]:
    return list(answer["items"] if isinstance(answer, dict) else answer)


def _environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"NO_COLOR": "1"}
