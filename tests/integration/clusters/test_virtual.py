"""Virtual workers on a host: registered from nothing but a manifest, repeated without a write, removed without a trace."""

from __future__ import annotations

from nautes_sandbox.actions import Actions
from nautes_sandbox.world import HOST
from tests.integration.api.support import nothing_written, operation, problem, together
from tests.integration.clusters.support import host, node_port, on_host, status, worker


def test_virtual_workers_come_stay_and_go(actions: Actions) -> None:
    namespaces = on_host(actions, "namespaces")
    ports = {"virt-deploy": node_port(), "virt-pipe": node_port()}
    manifests = [
        worker("virt-deploy", "deployment", ports["virt-deploy"]),
        worker("virt-pipe", "pipeline", ports["virt-pipe"]),
    ]

    # One file: what stands on the host waits until the host is ready.
    actions.apply("platform", together(host(actions), *manifests))
    assert {each: status(actions, each)["phase"] for each in (HOST, *ports)} == dict.fromkeys((HOST, *ports), "Ready")
    users = status(actions, HOST)["users"]["users"]
    assert {each["name"]: each["namespaces"] for each in users} == {f"cluster/{each}": [each] for each in ports}
    assert status(actions, "virt-pipe")["components"] == ["tekton-sandbox"]
    assert set(ports) <= on_host(actions, "statefulsets")

    with nothing_written(actions.world):
        for text in (host(actions, kubeconfig=""), *manifests):
            again = actions.api("POST", "/api/v1/apply", "platform", content=text, params={"wait": 120})
            assert operation(again)["outcomes"][0]["action"] == "unchanged", again.text

    with nothing_written(actions.world):
        refused = problem(actions.api("DELETE", f"/api/v1/clusters/{HOST}", "platform"), 422, "cluster-in-use")
    assert {each["message"].rpartition(" ")[2] for each in refused["findings"]} == {f"cluster/{each}" for each in ports}

    actions.remove("platform", together(*manifests))
    assert {status(actions, each)["phase"] for each in ports} == {"Removed"}
    gone = actions.api("DELETE", f"/api/v1/clusters/{HOST}", "platform", params={"wait": 120})
    assert operation(gone)["outcomes"][0]["action"] == "removed", gone.text
    assert on_host(actions, "namespaces") == namespaces
    assert not set(ports) & on_host(actions, "statefulsets")
    listed = actions.api("GET", "/api/v1/clusters", "platform").json()["items"]
    assert listed == []
