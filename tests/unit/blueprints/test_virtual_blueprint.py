"""What a virtual worker becomes on its host: everything in one namespace, reached by one port."""

from __future__ import annotations

from typing import Any

import pytest

from nautes.blueprints import virtual

SERVER = "https://host.example.com:31443"


def objects(kind: str, port: int = 31443) -> dict[str, dict[str, Any]]:
    found = [each for each in virtual.objects("virt", SERVER, port) if each["kind"] == kind]
    return {each["metadata"]["name"]: each for each in found}


def manifest(**spec: Any) -> dict[str, Any]:
    body = {"name": "virt", "apiServer": SERVER, "clusterType": "virtual", "hostCluster": "big"}
    return {"kind": "Cluster", "spec": {**body, **spec}}


def test_all_of_it_is_in_a_namespace_called_like_it() -> None:
    made = virtual.objects("virt", SERVER, 0)
    assert [each["metadata"]["name"] for each in made if each["kind"] == "Namespace"] == ["virt"]
    assert {each["metadata"].get("namespace") for each in made if each["kind"] != "Namespace"} == {"virt"}
    assert not {"ClusterRole", "ClusterRoleBinding"} & {each["kind"] for each in made}


def test_its_control_plane_is_found_by_its_label_and_answers_under_the_declared_name() -> None:
    (plane,) = objects("StatefulSet").values()
    key, value = virtual.LABEL.split("=")
    assert (plane["metadata"]["name"], plane["metadata"]["labels"][key]) == ("virt", value)
    selected = plane["spec"]["selector"]["matchLabels"]
    assert selected.items() <= plane["spec"]["template"]["metadata"]["labels"].items()
    arguments = [each for container in plane["spec"]["template"]["spec"]["containers"] for each in container["args"]]
    assert "--tls-san=host.example.com" in arguments
    assert plane["spec"]["template"]["spec"]["serviceAccountName"] in objects("ServiceAccount")


def test_its_api_is_a_node_port_of_the_host() -> None:
    services = objects("Service")
    assert set(services) == {"virt", "virt-headless", "svc-virt"}
    service = services["svc-virt"]["spec"]
    assert (service["type"], service["ports"]) == (
        "NodePort",
        [{"name": "https", "port": 443, "targetPort": 8443, "protocol": "TCP", "nodePort": 31443}],
    )
    assert "nodePort" not in objects("Service", 0)["svc-virt"]["spec"]["ports"][0]
    selector = objects("StatefulSet")["virt"]["spec"]["selector"]["matchLabels"]
    assert all(each["spec"]["selector"] == selector for each in services.values())


def test_its_rights_end_at_its_namespace() -> None:
    (binding,) = objects("RoleBinding").values()
    assert binding["roleRef"]["kind"] == "Role" and binding["roleRef"]["name"] in objects("Role")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "vc-virt", "namespace": "virt"}]
    assert "*" not in repr(objects("Role"))


@pytest.mark.parametrize(
    ("spec", "port"),
    [
        ({}, 31443),
        ({"vcluster": {"httpsNodePort": "30001"}}, 30001),
        ({"vcluster": {"httpsNodePort": ""}}, 31443),
        ({"vcluster": None}, 31443),
        ({"apiServer": "https://host.example.com"}, 0),
        ({"apiServer": "https://host.example.com:6443"}, 0),
        ({"apiServer": "https://host.example.com:99999"}, 0),
    ],
)
def test_its_port_is_the_declared_one_or_that_of_its_address_if_it_can_be(spec: dict[str, Any], port: int) -> None:
    assert virtual.node_port(manifest(**spec)) == port


def test_only_a_virtual_cluster_has_a_host() -> None:
    assert virtual.host_of(manifest()) == "big"
    assert virtual.host_of(manifest(clusterType="physical")) == ""
    assert virtual.host_of({}) == ""
