"""The node player where there is no controller manager: everything that is made there becomes what it is to be, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from nautes.convergence.health import health
from nautes_sandbox import node
from nautes_sandbox.kubernetes import standin
from nautes_sandbox.kubernetes.client import Client
from nautes_sandbox.process import Supervisor, free_port
from tests.waiting import until


class Place(NamedTuple):
    """A cluster's processes and how to reach it."""

    supervisor: Supervisor
    kubeconfig: Path


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("cluster")
    made = standin.cluster("node", directory, free_port())
    supervisor = Supervisor(directory / "run")
    for service in made.services:
        supervisor.start(service)
    yield Place(supervisor, made.kubeconfig)
    for name in supervisor.running():
        supervisor.stop(name)


@pytest.fixture(scope="module")
def cluster(control_plane: Place) -> Client:
    return Client(control_plane.kubeconfig)


def workload(kind: str, version: str, image: str, **spec: Any) -> dict[str, Any]:
    labels = {"app": "a"}
    pod = {"containers": [{"name": "a", "image": image}], "restartPolicy": "Never" if kind == "Job" else "Always"}
    body = {"template": {"metadata": {"labels": labels}, "spec": pod}, **spec}
    if kind != "Job":
        body["selector"] = {"matchLabels": labels}
    return {"apiVersion": version, "kind": kind, "spec": body}


CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
GOOD = {
    "deployment": (node.DEPLOYMENT, workload("Deployment", "apps/v1", "a:1", replicas=2)),
    "stateful_set": (node.STATEFUL_SET, workload("StatefulSet", "apps/v1", "a:1", serviceName="a")),
    "daemon_set": (node.DAEMON_SET, workload("DaemonSet", "apps/v1", "a:1")),
    "replica_set": (node.REPLICA_SET, workload("ReplicaSet", "apps/v1", "a:1", replicas=2)),
    "job": (node.JOB, workload("Job", "batch/v1", "a:1")),
    "claim": (node.CLAIM, CLAIM),
}


def played(cluster: Client, play: str, name: str, item: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The object after the player saw it twice, and how many writes that took."""
    kind = GOOD[play][0]
    cluster.create(kind.path("default"), {**item, "metadata": {"name": name, "namespace": "default"}})
    before = cluster.requests.copy()
    for _ in range(2):
        getattr(node.Node(cluster), play)(cluster.get(kind, "default", name))
    writes = (cluster.requests - before)["PATCH"]
    return cluster.get(kind, "default", name), writes


@pytest.mark.parametrize("play", GOOD)
def test_what_is_made_becomes_current_with_one_write(cluster: Client, play: str) -> None:
    item = GOOD[play][1]
    assert health({**item, "metadata": {"generation": 1}}).status == "InProgress"
    found, writes = played(cluster, play, f"good-{play.replace('_', '-')}", item)
    assert health(found) == ("Current", "")
    assert writes == 1, "the second look changes nothing"


@pytest.mark.parametrize("play", ["deployment", "stateful_set", "daemon_set", "replica_set"])
def test_an_image_that_cannot_be_pulled_keeps_it_on_its_way(cluster: Client, play: str) -> None:
    item = GOOD[play][1]
    pod = {"containers": [{"name": "a", "image": "a:broken"}]}
    spec = {**item["spec"], "template": {**item["spec"]["template"], "spec": pod}}
    found, writes = played(cluster, play, f"broken-{play.replace('_', '-')}", {**item, "spec": spec})
    assert health(found).status == "InProgress"
    assert writes == 1


def test_a_job_begins_and_ends_and_a_suspended_one_does_not(cluster: Client) -> None:
    done, _ = played(cluster, "job", "done", workload("Job", "batch/v1", "a:1"))
    assert done["status"]["startTime"] <= done["status"]["completionTime"]
    stuck, writes = played(cluster, "job", "stuck", workload("Job", "batch/v1", "a:broken"))
    assert stuck["status"]["active"] == 1 and stuck["status"]["startTime"] and "succeeded" not in stuck["status"]
    assert writes == 1
    asleep, writes = played(cluster, "job", "asleep", workload("Job", "batch/v1", "a:1", suspend=True))
    assert writes == 0 and not asleep.get("status", {}).get("startTime")


def test_the_process_plays_all_of_them(cluster: Client, control_plane: Place) -> None:
    for play, (kind, item) in GOOD.items():
        name = f"alone-{play.replace('_', '-')}"
        cluster.create(kind.path("default"), {**item, "metadata": {"name": name, "namespace": "default"}})
    control_plane.supervisor.start(node.service("node", control_plane.kubeconfig, controllers=True))
    waiting = dict(GOOD)

    def all_current() -> bool:
        for play, (kind, _) in list(waiting.items()):
            if health(cluster.get(kind, "default", f"alone-{play.replace('_', '-')}")).status == "Current":
                del waiting[play]
        return not waiting

    until(all_current, "everything is Current")
    assert list(waiting) == []
