"""The main process as a person carries it out: through the public API, the command line and plain Git.

One class with one method per step; each raises `StepFailedError` when the step failed. Used by `nautes demo`, by the
integration tests and by the fault suite, so that all three run the same path.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import yaml

from nautes_sandbox.actions import Actions, StepFailedError, quoted

__all__ = ["Scenario", "StepFailedError"]

_PACKAGED = Path(__file__).with_name("examples")  # in a wheel; in a checkout they are a folder of the repository
EXAMPLES = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[2] / "examples"


@dataclass
class Scenario(Actions):
    """`suffix` keeps scenarios apart that share one world; `clusters` are the names in the world."""

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

    # Steps

    def install(self) -> None:
        """The platform answers, the tenant is ready, and the two people exist."""
        self.until(lambda: self.api("GET", "/readyz", None).status_code == 200, "the platform is ready")
        for name in ("platform", "team"):
            self.people[name] = self.person(f"{name}{self.suffix}")
        self.until(self._tenant_ready, "the tenant configuration repository exists")
        self.gitlab_post(
            f"/projects/{quoted('nautes/management')}/members",
            {"user_id": self.people["platform"].id, "access_level": 40},
            tolerate=409,
        )

    def register_clusters(self) -> None:
        """Two physical workers, one for deployments and one for pipelines."""
        names = {"deploy": self.deploy_cluster, "pipeline": self.pipeline_cluster}
        values: dict[str, str] = dict(names)
        for cluster in names:
            kubeconfig = self.world.kubeconfig_to_register(cluster)
            values[f"{cluster}_server"] = yaml.safe_load(kubeconfig)["clusters"][0]["cluster"]["server"]
            values[f"{cluster}_kubeconfig"] = kubeconfig.replace("\n", "\n    ")
        self.apply("platform", self._example("clusters.yaml", values))

    def initialize_product(self) -> None:
        """Product, environments, project, repositories, authorization and runtimes from one file, as one change."""
        self.apply("team", self._product())
        head = self.gitlab(f"/projects/{quoted(f'{self.product}/default.project')}/repository/commits?per_page=100")
        if len(head) != 2:  # the first commit of the repository, and ours
            raise StepFailedError(f"default.project should have one commit of ours, it has {len(head) - 1}")

    def deploy(self) -> float:
        """Push manifests; objects arrive and are healthy. Returns seconds from push to converged."""
        tree = self.clone(f"{self.product}/deploy")
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
        tree = self.clone(f"{self.product}/deploy")
        settings = tree / "production" / "settings.yaml"
        settings.write_text(settings.read_text().replace("greeting: hello", "greeting: good morning"))
        before = self.world.calls()["Kubernetes writes"]
        self.push_and_wait(tree, "change one object")
        writes = self.deployment()["writes"]
        if writes == 0:  # another look came in between and found nothing to do: the API server's own log counts
            writes = self.world.calls()["Kubernetes writes"] - before
        if writes != 1:
            raise StepFailedError(f"one object changed, but {writes} writes were made")

    def prune(self) -> None:
        """A file removed: its objects go."""
        tree = self.clone(f"{self.product}/deploy")
        settings = tree / "production" / "settings.yaml"
        documents = settings.read_text().split("---\n")
        settings.write_text("---\n".join(documents[:-1]))
        self.push_and_wait(tree, "remove one object")
        gone = self.kubectl("deploy", "get", "configmap", "-n", self.namespace)
        if "page-6" in {each["metadata"]["name"] for each in gone["items"]}:
            raise StepFailedError("the object whose manifest was removed is still there")

    def refuse_foreign(self) -> None:
        """A manifest for another namespace is refused with the reason; the rest still converges."""
        tree = self.clone(f"{self.product}/deploy")
        stray = tree / "production" / "stray.yaml"
        stray.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stray, namespace: kube-system}\n")
        (tree / "production" / "extra.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n")
        commit = self.push(tree, "aim at another namespace")
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
        """A hand edit in the cluster is reverted."""
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

        self.until(put_back, "the hand edit is reverted")

    def greet(self, greeting: str) -> float:
        """Push another greeting; returns seconds from push to converged."""
        tree = self.clone(f"{self.product}/deploy")
        settings = tree / "production" / "settings.yaml"
        lines = settings.read_text().splitlines()
        changed = [f"  greeting: {greeting}" if line.strip().startswith("greeting:") else line for line in lines]
        settings.write_text("\n".join(changed) + "\n")
        return self.push_and_wait(tree, f"greet with {greeting}")

    def lose_webhook(self) -> float:
        """A push whose webhook is lost is deployed within the sweep's interval. Returns seconds."""
        self.faults({"webhooks": "drop"})
        try:
            tree = self.clone(f"{self.product}/deploy")
            settings = tree / "production" / "settings.yaml"
            settings.write_text(settings.read_text().replace("good morning", "good evening"))
            return self.push_and_wait(tree, "a push nobody is told of")
        finally:
            self.faults({"webhooks": "deliver"})

    def run_pipeline(self) -> None:
        """Push source code: a run succeeds and the commit in GitLab shows it."""
        pipelines = self.clone(f"{self.product}/pipelines")
        url = f"{self.world.gitlab_url}/{self.product}/source.git"
        text = (EXAMPLES / "pipelines" / "build.yaml").read_text().replace("$source_url", url)
        (pipelines / "build.yaml").write_text(text)
        self.push(pipelines, "the pipeline")
        self._push_source((EXAMPLES / "source" / "app.py").read_text(), "first version", "success")

    def break_build(self) -> None:
        """A push that breaks the build fails the run, and GitLab shows it."""
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

    def lose_memory(self) -> None:
        """All of Temporal's data is lost: nothing is written to GitLab, Vault or the clusters, and all is known again."""
        known = self._known()
        before = self.world.calls()
        self.world.wipe_temporal()
        self.until(lambda: self._known() == known, "everything that was known is known again")
        after = self.world.calls()
        written = {each: after[each] - before.get(each, 0) for each in after if each.endswith("writes")}
        if any(written.values()):
            raise StepFailedError(f"nothing had to be written, but there were {written}")

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
        group = self.gitlab_get(f"/groups/{quoted(self.product)}")
        if group.status_code != 404:
            raise StepFailedError(f"the group is still there ({group.status_code})")
        for cluster in ("deploy", "pipeline"):
            listed = self.kubectl(cluster, "get", "namespaces")
            left = [each["metadata"]["name"] for each in listed["items"]]
            stray = [name for name in left if name.startswith(f"{self.product}-")]
            if stray:
                raise StepFailedError(f"namespaces left in {cluster}: {stray}")

    # Observations

    def _known(self) -> dict[str, Any]:
        """The platform's own state: clusters with their users, runtimes with their phase."""
        tree = self.api("GET", f"/api/v1/products/{quoted(self.product)}/status", "team").json()
        known: dict[str, Any] = {
            f"deployment {each['runtime']}": (each["phase"], each["commit"]) for each in tree["deployments"]
        }
        known |= {f"pipeline {each['runtime']}": (each["phase"], each["namespace"]) for each in tree["pipelines"]}
        for name in (self.deploy_cluster, self.pipeline_cluster):
            cluster = self.api("GET", f"/api/v1/clusters/{name}/status", "platform").json()
            users = [each["name"] for each in cluster["users"]["users"] if each["kind"] == "claim"]
            known[f"cluster {name}"] = (cluster["phase"], sorted(cluster["components"]), users)
        return known

    def deployment(self) -> dict[str, Any]:
        """The deployment runtime's status."""
        path = f"/api/v1/products/{quoted(self.product)}/deploymentruntimes/web/status"
        answer = self.api("GET", path, "team")
        if answer.status_code == 404:
            return {"phase": "Unknown", "commit": "", "converged_commit": "", "outcomes": [], "writes": -1}
        if answer.status_code != 200:
            raise StepFailedError(f"status answered {answer.status_code}: {answer.text[:500]}")
        return dict(answer.json())

    def push_and_wait(self, tree: Path, message: str) -> float:
        """Push, wait until that commit is converged; returns the seconds between."""
        began = time.monotonic()
        commit = self.push(tree, message)

        def converged() -> bool:
            status = self.deployment()
            return bool(status["converged_commit"] == commit and status["phase"] == "Converged")

        self.until(converged, f"{commit[:12]} ({message}) is converged")
        return time.monotonic() - began

    # Inside

    def _push_source(self, text: str, message: str, expected: str) -> None:
        tree = self.clone(f"{self.product}/source")
        (tree / "app.py").write_text(text)
        commit = self.push(tree, message)
        project = quoted(f"{self.product}/source")

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

    def _tenant_ready(self) -> bool:
        return self.gitlab_get(f"/projects/{quoted('nautes/management')}").status_code == 200


def _items(answer: Any) -> list[dict[str, Any]]:
    return list(answer["items"] if isinstance(answer, dict) else answer)
