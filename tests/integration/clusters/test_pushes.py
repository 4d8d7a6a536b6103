"""Clusters by plain Git: a push to the tenant repository is followed, refused or ignored, file by file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nautes_sandbox.actions import Actions, quoted
from nautes_sandbox.world import HOST
from tests.integration.api.support import operation
from tests.integration.clusters.support import host, node_port, on_host, status

REPOSITORY = "nautes/management"
CLUSTERS = "nautes/overlays/production/clusters"
GUEST = "virt-pushed"


@pytest.fixture(scope="module")
def tree(actions: Actions) -> Iterator[Path]:
    """A clone of the tenant repository, with the host registered."""
    member = {"user_id": actions.people["team"].id, "access_level": 40}
    actions.gitlab_post(f"/projects/{quoted(REPOSITORY)}/members", member, tolerate=409)
    actions.apply("platform", host(actions))
    yield actions.clone(REPOSITORY)
    actions.api("DELETE", f"/api/v1/clusters/{HOST}", "platform", params={"wait": 60})


def _changed(actions: Actions, tree: Path, files: dict[str, str | None], message: str) -> str:
    """One commit of these files (None removes), on top of what the platform has committed; the commit."""
    actions.git(tree, "pull", "-q", "origin", "main")
    for name, text in files.items():
        path = tree / CLUSTERS / f"{name}.yaml"
        path.unlink() if text is None else path.write_text(text)
    return actions.push(tree, message)


def _said(actions: Actions, commit: str) -> str:
    """The comments on a commit."""
    notes = actions.gitlab(f"/projects/{quoted(REPOSITORY)}/repository/commits/{commit}/comments")
    return "\n".join(str(each["note"]) for each in notes)


def _is(actions: Actions, cluster: str, phase: str) -> None:
    actions.until(lambda: status(actions, cluster)["phase"] == phase, f"{cluster} is {phase}")


def _guest(port: int) -> str:
    return f"""
apiVersion: nautes.resource.nautes.io/v1alpha1
kind: Cluster
metadata:
  name: {GUEST}
spec:
  apiServer: https://127.0.0.1:{port}
  clusterType: virtual
  usage: worker
  workerType: deployment
  hostCluster: {HOST}
  vcluster:
    httpsNodePort: "{port}"
"""


@pytest.mark.parametrize("slip", ["{[ not YAML", "kind: Cluster\n", "usage twice"])
def test_a_file_that_cannot_be_read_harms_nobody_and_is_said_beside_its_commit(
    actions: Actions, tree: Path, slip: str
) -> None:
    actions.git(tree, "pull", "-q", "origin", "main")
    good = (tree / CLUSTERS / f"{HOST}.yaml").read_text()
    twice = good.replace("  usage: host\n", "  usage: host\n  usage: worker\n")
    commit = _changed(actions, tree, {HOST: twice if slip == "usage twice" else slip}, "a slip")
    actions.until(lambda: f"{HOST}.yaml" in _said(actions, commit), "a comment on the commit")
    found = status(actions, HOST)
    assert (found["phase"], found["findings"], found["usage"], found["queued"]) == ("Ready", [], "host", [])
    assert "nautes" in on_host(actions, "namespaces")
    _changed(actions, tree, {HOST: good}, "put it right")


def test_what_the_rules_refuse_stands_in_the_clusters_status_until_it_is_put_right(
    actions: Actions, tree: Path
) -> None:
    actions.git(tree, "pull", "-q", "origin", "main")
    good = (tree / CLUSTERS / f"{HOST}.yaml").read_text()
    bad = good.replace("workerType: ''", "workerType: pipeline")
    assert bad != good
    commit = _changed(actions, tree, {HOST: bad}, "no host is a worker")
    actions.until(lambda: bool(status(actions, HOST)["findings"]), "a finding in the status")
    found = status(actions, HOST)
    assert (found["phase"], [each["rule"] for each in found["findings"]]) == ("Ready", ["cluster-host"])
    actions.until(lambda: "a host is physical" in _said(actions, commit), "a comment on the commit")
    _changed(actions, tree, {HOST: good}, "put it right")
    actions.until(lambda: not status(actions, HOST)["findings"], "no finding in the status")
    assert _said(actions, commit).count("<!-- nautes:") == 1


def test_a_virtual_worker_comes_with_its_file_and_goes_with_it_and_its_host_waits(actions: Actions, tree: Path) -> None:
    _changed(actions, tree, {GUEST: _guest(node_port())}, "a virtual worker")
    _is(actions, GUEST, "Ready")
    assert GUEST in on_host(actions, "statefulsets")

    commit = _changed(actions, tree, {HOST: None}, "no host any more")
    actions.until(lambda: bool(status(actions, HOST)["findings"]), "a finding in the status")
    found = status(actions, HOST)
    assert (found["phase"], {each["rule"] for each in found["findings"]}) == ("Ready", {"cluster-in-use"})
    actions.until(lambda: f"is used by cluster/{GUEST}" in _said(actions, commit), "a comment on the commit")
    again = actions.api("POST", "/api/v1/apply", "platform", content=host(actions, kubeconfig=""), params={"wait": 60})
    assert operation(again)["state"] == "done", "its file is back"
    actions.until(lambda: not status(actions, HOST)["findings"], "no finding in the status")

    _changed(actions, tree, {GUEST: None}, "no virtual worker any more")
    actions.until(lambda: GUEST not in on_host(actions, "namespaces"), "it is off its host")
    _is(actions, GUEST, "Removed")
    _changed(actions, tree, {HOST: None}, "no host any more")
    _is(actions, HOST, "Removed")
    assert "nautes" not in on_host(actions, "namespaces")
