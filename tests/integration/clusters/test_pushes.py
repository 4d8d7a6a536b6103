"""Clusters by plain Git: what somebody pushes to the tenant repository is followed, refused or left alone, file by file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nautes_sandbox.hands import Hands, quoted
from nautes_sandbox.world import HOST
from tests.integration.clusters.support import host, node_port, on_host, status
from tests.integration.door.support import operation

REPOSITORY = "nautes/management"
CLUSTERS = "nautes/overlays/production/clusters"
GUEST = "virt-pushed"


@pytest.fixture(scope="module")
def tree(hands: Hands) -> Iterator[Path]:
    """The tenant repository as somebody of the platform team has it, with the host registered."""
    member = {"user_id": hands.people["team"].id, "access_level": 40}
    hands.gitlab_post(f"/projects/{quoted(REPOSITORY)}/members", member, tolerate=409)
    hands.apply("platform", host(hands))
    yield hands.clone(REPOSITORY)
    hands.api("DELETE", f"/api/v1/clusters/{HOST}", "platform", params={"wait": 60})


def _changed(hands: Hands, tree: Path, files: dict[str, str | None], message: str) -> str:
    """One commit of these files (None removes), on top of what the platform has committed; the commit."""
    hands.git(tree, "pull", "-q", "origin", "main")
    for name, text in files.items():
        path = tree / CLUSTERS / f"{name}.yaml"
        path.unlink() if text is None else path.write_text(text)
    return hands.push(tree, message)


def _said(hands: Hands, commit: str) -> str:
    """The comments on a commit."""
    notes = hands.gitlab(f"/projects/{quoted(REPOSITORY)}/repository/commits/{commit}/comments")
    return "\n".join(str(each["note"]) for each in notes)


def _is(hands: Hands, cluster: str, phase: str) -> None:
    hands.until(lambda: status(hands, cluster)["phase"] == phase, f"{cluster} is {phase}")


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
    hands: Hands, tree: Path, slip: str
) -> None:
    hands.git(tree, "pull", "-q", "origin", "main")
    good = (tree / CLUSTERS / f"{HOST}.yaml").read_text()
    twice = good.replace("  usage: host\n", "  usage: host\n  usage: worker\n")
    commit = _changed(hands, tree, {HOST: twice if slip == "usage twice" else slip}, "a slip")
    hands.until(lambda: f"{HOST}.yaml" in _said(hands, commit), "a comment on the commit")
    found = status(hands, HOST)
    assert (found["phase"], found["findings"], found["usage"], found["queued"]) == ("Ready", [], "host", [])
    assert "nautes" in on_host(hands, "namespaces")
    _changed(hands, tree, {HOST: good}, "put it right")


def test_what_the_rules_refuse_stands_in_the_clusters_status_until_it_is_put_right(hands: Hands, tree: Path) -> None:
    hands.git(tree, "pull", "-q", "origin", "main")
    good = (tree / CLUSTERS / f"{HOST}.yaml").read_text()
    bad = good.replace("workerType: ''", "workerType: pipeline")
    assert bad != good
    commit = _changed(hands, tree, {HOST: bad}, "no host is a worker")
    hands.until(lambda: bool(status(hands, HOST)["findings"]), "a finding in the status")
    found = status(hands, HOST)
    assert (found["phase"], [each["rule"] for each in found["findings"]]) == ("Ready", ["cluster-host"])
    hands.until(lambda: "a host is physical" in _said(hands, commit), "a comment on the commit")
    _changed(hands, tree, {HOST: good}, "put it right")
    hands.until(lambda: not status(hands, HOST)["findings"], "no finding in the status")
    assert _said(hands, commit).count("<!-- nautes:") == 1


def test_a_virtual_worker_comes_with_its_file_and_goes_with_it_and_its_host_waits(hands: Hands, tree: Path) -> None:
    _changed(hands, tree, {GUEST: _guest(node_port())}, "a virtual worker")
    _is(hands, GUEST, "Ready")
    assert GUEST in on_host(hands, "statefulsets")

    commit = _changed(hands, tree, {HOST: None}, "no host any more")
    hands.until(lambda: bool(status(hands, HOST)["findings"]), "a finding in the status")
    found = status(hands, HOST)
    assert (found["phase"], {each["rule"] for each in found["findings"]}) == ("Ready", {"cluster-in-use"})
    hands.until(lambda: f"is used by cluster/{GUEST}" in _said(hands, commit), "a comment on the commit")
    again = hands.api("POST", "/api/v1/apply", "platform", content=host(hands, kubeconfig=""), params={"wait": 60})
    assert operation(again)["state"] == "done", "its file is back"
    hands.until(lambda: not status(hands, HOST)["findings"], "no finding in the status")

    _changed(hands, tree, {GUEST: None}, "no virtual worker any more")
    hands.until(lambda: GUEST not in on_host(hands, "namespaces"), "it is off its host")
    _is(hands, GUEST, "Removed")
    _changed(hands, tree, {HOST: None}, "no host any more")
    _is(hands, HOST, "Removed")
    assert "nautes" not in on_host(hands, "namespaces")
