"""The player of virtual clusters: one API server per StatefulSet, found again after a restart, ended with it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from nautes.clients.kubeconfig import check_kubeconfig
from nautes.clients.kubernetes import Cluster
from nautes_sandbox.kubernetes import standin
from nautes_sandbox.kubernetes.client import Client
from nautes_sandbox.process import NODE_PORTS, Supervisor, free_port, free_ports
from nautes_sandbox.virtual import SECRET, SERVICE, STATEFUL_SET, Player


class Place(NamedTuple):
    """A host, and what its player keeps."""

    host: Client
    supervisor: Supervisor
    directory: Path

    def player(self) -> Player:
        """One that has just been started."""
        return Player("host", self.host, self.directory, self.supervisor, None)

    def running(self) -> set[str]:
        """What runs for virtual clusters."""
        return {each for each in self.supervisor.running() if each.startswith("host-virtual-")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("host")
    made = standin.cluster("host", directory, free_port())
    supervisor = Supervisor(directory / "run")
    supervisor.start(made.services[0])
    yield Place(Client(made.kubeconfig), supervisor, directory / "virtual")
    for name in supervisor.running():
        supervisor.stop(name)


def _declared(host: Client, name: str, port: int) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default", "labels": {"app": "vcluster"}}
    labels = {"app": "vcluster", "release": name}
    pod = {"containers": [{"name": "vcluster", "image": "k3s:1"}]}
    spec = {
        "serviceName": name,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    ports = {"type": "NodePort", "ports": [{"port": 443, "nodePort": port}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {**meta, "name": f"svc-{name}"}, "spec": ports}
    host.create(SERVICE.path("default"), service)
    return host.create(
        STATEFUL_SET.path("default"), {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": spec}
    )


def _config(host: Client, name: str) -> str:
    return base64.b64decode(host.get(SECRET, "default", f"vc-{name}")["data"]["config"]).decode()


def test_a_virtual_cluster_serves_on_its_node_port_until_it_is_wanted_no_more(place: Place) -> None:
    port = free_ports(1, NODE_PORTS)[0]
    wanted = [_declared(place.host, "virt", port)]
    place.player().agree(wanted)
    config = check_kubeconfig(_config(place.host, "virt"), allow_loopback=True)
    assert config.server == f"https://127.0.0.1:{port}"
    assert Cluster(config).call("GET", "/version")["major"] == "1"
    running = place.supervisor.running()
    assert {"host-virtual-virt-apiserver", "host-virtual-virt-node", "host-virtual-virt-tekton"} == place.running()

    before = place.host.requests.copy()
    place.player().agree(wanted)  # as after a restart
    assert place.supervisor.running() == running
    assert (place.host.requests - before).keys() == {"GET"}

    place.player().agree([])
    assert place.running() == set()
    assert not (place.directory / "virt").exists()
