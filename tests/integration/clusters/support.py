"""What the tests of clusters share: manifests of every form, and reads of their status."""

from __future__ import annotations

from typing import Any

import yaml

from nautes_sandbox.actions import Actions
from nautes_sandbox.process import NODE_PORTS, free_ports
from nautes_sandbox.world import HOST
from tests.integration.api.support import document


def host(actions: Actions, **spec: Any) -> str:
    """The manifest of the host."""
    kubeconfig = actions.world.kubeconfig_to_register(HOST)
    server = yaml.safe_load(kubeconfig)["clusters"][0]["cluster"]["server"]
    body = {
        "name": HOST,
        "apiServer": server,
        "clusterKind": "kubernetes",
        "clusterType": "physical",
        "usage": "host",
        "kubeconfig": kubeconfig,
    }
    return document("Cluster", **{**body, **spec})


def node_port() -> int:
    """A port of the host that a virtual cluster may have."""
    return free_ports(1, NODE_PORTS)[0]


def worker(name: str, worker_type: str, port: int, **spec: Any) -> str:
    """The manifest of a virtual worker, which has no kubeconfig."""
    body = {
        "name": name,
        "apiServer": f"https://127.0.0.1:{port}",
        "clusterKind": "kubernetes",
        "clusterType": "virtual",
        "usage": "worker",
        "workerType": worker_type,
        "hostCluster": HOST,
        "vcluster": {"httpsNodePort": str(port)},
    }
    return document("Cluster", **{**body, **spec})


def status(actions: Actions, cluster: str) -> dict[str, Any]:
    """The status of a cluster."""
    answer = actions.api("GET", f"/api/v1/clusters/{cluster}/status", "platform")
    return dict(answer.json()) if answer.status_code == 200 else {"phase": str(answer.status_code)}


def on_host(actions: Actions, kind: str) -> set[str]:
    """Names of what the host holds of a kind, everywhere."""
    return {each["metadata"]["name"] for each in actions.kubectl(HOST, "get", kind, "--all-namespaces")["items"]}
