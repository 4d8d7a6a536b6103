"""What is read out of the tenant repository: nothing is concluded from what could not be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from activities.clusters import ClusterActivities
from nautes.clients.kubernetes import Clusters
from nautes.messages.clusters import ClusterCheck
from nautes.messages.common import Requester
from nautes.messages.errors import NotFound
from nautes.messages.operations import ClusterRequest
from nautes.messages.secrets import SecretRef
from nautes.planning.steps import Manifest
from nautes.resources.declaration import DeclaredClusters
from nautes.resources.stored import read_clusters

HOME = "nautes/overlays/production/clusters"
ADA = Requester(id=7, username="ada", name="Ada", email="ada@example.com")
HEAD = "a" * 40


def stored(name: str, **spec: Any) -> str:
    body = {"apiServer": "https://k8s.example.com", "clusterType": "physical", "usage": "worker", **spec}
    lines = "".join(f"  {key}: {value}\n" for key, value in body.items())
    return f"apiVersion: nautes.resource.nautes.io/v1alpha1\nkind: Cluster\nmetadata:\n  name: {name}\nspec:\n{lines}"


HOST = stored("big", usage="host")
GUEST = stored("virt", clusterType="virtual", hostCluster="big", workerType="pipeline")
EDGE = stored("edge", workerType="deployment")


class Repository:
    """The tenant repository, without a server."""

    def __init__(self, **files: str) -> None:
        texts = {f"{HOME}/{name}.yaml": text for name, text in files.items()}
        clusters, findings = read_clusters(texts)
        self.found = DeclaredClusters(9, HEAD, {each.name: each for each in clusters}, texts, tuple(findings))

    def clusters(self) -> DeclaredClusters:
        return self.found


class GitLab:
    """Knows who we are."""

    def get(self, _: str) -> dict[str, Any]:
        return ADA.model_dump()


def unreachable(_: SecretRef) -> str:
    raise NotFound("kubeconfig-missing", "there is no kubeconfig")


def activities(repository: Repository) -> ClusterActivities:
    return ClusterActivities(repository, GitLab(), Clusters(unreachable))  # type: ignore[arg-type]


def check(repository: Repository, wanted: Manifest, **more: Any) -> list[tuple[str, str]]:
    request = ClusterRequest(operation="one", cluster="c", action="apply", manifest=wanted, requester=ADA)
    input = {"request": request, "kubeconfig": SecretRef(engine="cluster", path="c"), "server": "", **more}
    found = activities(repository).check(ClusterCheck.model_validate(input))
    return [(each.rule, each.message) for each in found]


def manifest(**spec: Any) -> Manifest:
    body = {"apiServer": "https://k8s.example.com", "clusterType": "physical", "usage": "worker"}
    return {"kind": "Cluster", "spec": {**body, "workerType": "deployment", **spec}}


def test_what_is_declared_is_told_with_the_commit_it_was_read_at() -> None:
    report = activities(Repository(big=HOST, virt=GUEST)).declared("nautes")
    assert [(each.name, each.commit, each.project_id) for each in report.clusters] == [
        ("big", HEAD, 9),
        ("virt", HEAD, 9),
    ]
    assert (report.complete, report.findings, report.requester.username) == (True, [], "ada")


@pytest.mark.parametrize(
    "wrong", ["{[", "kind: Cluster\n", f"{EDGE}  usage: host\n", stored("edge", usage="everything")]
)
def test_a_file_that_cannot_be_read_says_nothing_about_its_cluster(wrong: str) -> None:
    found = activities(Repository(big=HOST, edge=wrong))
    report = found.declared("nautes")
    assert ([each.name for each in report.clusters], report.complete) == (["big"], False)
    assert all(each.message.startswith(f"{HOME}/edge.yaml") for each in report.findings)
    assert not found.standing("big").complete


@pytest.mark.parametrize("missing", [{"project_id": 0, "head": ""}, {"head": ""}])
def test_a_repository_or_branch_that_is_not_there_says_nothing_about_anything(missing: dict[str, Any]) -> None:
    repository = Repository()
    repository.found = replace(repository.found, **missing)
    assert not activities(repository).declared("nautes").complete
    assert not activities(repository).standing("edge").complete


def test_who_stands_on_a_host_is_found_in_the_repository() -> None:
    found = activities(Repository(big=HOST, virt=GUEST))
    assert found.standing("big").model_dump() == {"complete": True, "declared": True, "guests": ["virt"]}
    assert found.standing("edge").model_dump() == {"complete": True, "declared": False, "guests": []}


def test_the_type_of_a_used_cluster_is_not_changed_and_every_user_is_named() -> None:
    before, after = manifest(name="edge"), manifest(name="edge", workerType="pipeline")
    users = ["deployment/shop/web", "environment/shop/test"]
    found = check(Repository(edge=EDGE), after, manifest=before, users=users, probe=False)
    assert found == [
        ("cluster-frozen", f"workerType may not change while the cluster is used by {', '.join(users)}"),
    ]
    assert check(Repository(edge=EDGE), after, manifest=before, probe=False) == []


def test_a_host_with_guests_is_a_used_one() -> None:
    before, after = manifest(name="big", usage="host", workerType=""), manifest(name="big")
    found = check(Repository(big=HOST, virt=GUEST), after, manifest=before, probe=False)
    assert ("cluster-frozen", "usage may not change while the cluster is used by cluster/virt") in found


def test_a_cluster_that_is_not_made_yet_is_not_looked_at() -> None:
    guest = manifest(name="virt", clusterType="virtual", hostCluster="big", vcluster={"httpsNodePort": "30100"})
    assert check(Repository(big=HOST), guest, probe=False) == []
    assert check(Repository(big=HOST), guest) == [("kubeconfig-missing", "there is no kubeconfig")]
