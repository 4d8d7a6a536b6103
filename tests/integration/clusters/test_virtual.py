"""Virtual workers on a host: registered from nothing but a manifest, repeated without a write, removed without a trace."""

from __future__ import annotations

from nautes_sandbox.hands import Hands
from nautes_sandbox.world import HOST
from tests.integration.clusters.support import host, node_port, on_host, status, worker
from tests.integration.door.support import nothing_written, operation, problem, together


def test_virtual_workers_come_stay_and_go(hands: Hands) -> None:
    namespaces = on_host(hands, "namespaces")
    ports = {"virt-deploy": node_port(), "virt-pipe": node_port()}
    manifests = [
        worker("virt-deploy", "deployment", ports["virt-deploy"]),
        worker("virt-pipe", "pipeline", ports["virt-pipe"]),
    ]

    # One file: what stands on the host waits until the host is ready.
    hands.apply("platform", together(host(hands), *manifests))
    assert {each: status(hands, each)["phase"] for each in (HOST, *ports)} == dict.fromkeys((HOST, *ports), "Ready")
    assert status(hands, HOST)["claims"] == {f"cluster/{each}": [each] for each in ports}
    assert status(hands, "virt-pipe")["components"] == ["tekton-sandbox"]
    assert set(ports) <= on_host(hands, "statefulsets")

    with nothing_written(hands.world):
        for text in (host(hands, kubeconfig=""), *manifests):
            again = hands.api("POST", "/api/v1/apply", "platform", content=text, params={"wait": 120})
            assert operation(again)["outcomes"][0]["action"] == "unchanged", again.text

    with nothing_written(hands.world):
        refused = problem(hands.api("DELETE", f"/api/v1/clusters/{HOST}", "platform"), 422, "cluster-in-use")
    assert {each["message"].rpartition(" ")[2] for each in refused["findings"]} == {f"cluster/{each}" for each in ports}

    hands.remove("platform", together(*manifests))
    assert {status(hands, each)["phase"] for each in ports} == {"Removed"}
    gone = hands.api("DELETE", f"/api/v1/clusters/{HOST}", "platform", params={"wait": 120})
    assert operation(gone)["outcomes"][0]["action"] == "removed", gone.text
    assert on_host(hands, "namespaces") == namespaces
    assert not set(ports) & on_host(hands, "statefulsets")
    listed = hands.api("GET", "/api/v1/clusters", "platform").json()["items"]
    assert listed == []
