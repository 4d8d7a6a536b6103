"""The rules of built-in kinds that clients run into."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.contract.kubernetes.support import Space, config, deployment, refused

RBAC = "rbac.authorization.k8s.io/v1"


def binding(role: str) -> dict[str, Any]:
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    subject = {"kind": "ServiceAccount", "name": "web", "namespace": "x"}
    return {"metadata": {"name": "b"}, "roleRef": ref, "subjects": [subject]}


def test_a_deployment_is_completed(space: Space) -> None:
    made = space.api.create(space.path("deployments", group="apps/v1"), deployment())
    assert made["spec"]["replicas"] == 1
    assert made["spec"]["strategy"]["type"] == "RollingUpdate"
    assert made["spec"]["template"]["spec"]["restartPolicy"] == "Always"
    assert made["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_a_deployment_selects_its_own_pods(space: Space) -> None:
    item = deployment()
    item["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    answer = space.api.call("POST", space.path("deployments", group="apps/v1"), item)
    assert refused(answer) == (422, "Invalid")
    assert "`selector` does not match template `labels`" in answer.json()["message"]


def test_the_selector_of_a_deployment_stays(space: Space) -> None:
    path = space.path("deployments", group="apps/v1")
    space.api.create(path, deployment())
    labels = {"app": "other"}
    patch = {"spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}}
    answer = space.api.call("PATCH", f"{path}/web", patch, "application/merge-patch+json")
    assert refused(answer) == (422, "Invalid")
    assert "field is immutable" in answer.json()["message"]


@pytest.mark.parametrize("change", [{"containers": []}, {"containers": [{"name": "web"}]}], ids=["none", "no image"])
def test_a_workload_needs_containers_with_images(space: Space, change: dict[str, Any]) -> None:
    item = deployment()
    item["spec"]["template"]["spec"] = change
    assert refused(space.api.call("POST", space.path("deployments", group="apps/v1"), item)) == (422, "Invalid")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "replicas"), "two"),
        (("spec", "template"), "text"),
        (("spec", "template", "spec", "containers"), "text"),
        (
            ("spec", "template", "spec", "containers"),
            [{"name": "web", "image": "i", "env": [{"name": "A", "value": 1}]}],
        ),
        (("metadata", "labels"), ["text"]),
        (("metadata", "annotations"), {"a": 1}),
    ],
    ids=["number", "map", "list", "text", "labels", "annotations"],
)
def test_a_value_of_another_type_is_refused(space: Space, path: tuple[str, ...], value: Any) -> None:
    item = deployment()
    place = item
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert refused(space.api.call("POST", space.path("deployments", group="apps/v1"), item)) == (400, "BadRequest")


def test_a_service_gets_an_address_and_keeps_it(space: Space) -> None:
    path = space.path("services")
    item = {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    made = space.api.create(path, item)
    address = made["spec"]["clusterIP"]
    assert address.startswith("10.0.0.") and made["spec"]["type"] == "ClusterIP"
    assert made["spec"]["ports"] == [{"protocol": "TCP", "port": 80, "targetPort": 80}]
    again = space.api.patch(f"{path}/web", {"metadata": {"labels": {"a": "b"}}})
    assert again["spec"]["clusterIP"] == address
    change = {"spec": {"clusterIP": "10.0.0.253", "clusterIPs": None}}
    answer = space.api.call("PATCH", f"{path}/web", change, "application/merge-patch+json")
    assert refused(answer) == (422, "Invalid")


def test_a_port_out_of_range_is_refused(space: Space) -> None:
    item = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 99999999}]}}
    answer = space.api.call("POST", space.path("services"), item)
    assert refused(answer) == (422, "Invalid")
    assert "99999999" in answer.json()["message"]


def test_text_of_a_secret_becomes_data(space: Space) -> None:
    made = space.api.create(space.path("secrets"), {"metadata": {"name": "s"}, "stringData": {"a": "hello"}})
    assert (made["type"], made["data"]) == ("Opaque", {"a": base64.b64encode(b"hello").decode()})
    assert "stringData" not in made


def test_data_of_a_secret_is_base64(space: Space) -> None:
    answer = space.api.call("POST", space.path("secrets"), {"metadata": {"name": "s"}, "data": {"a": "no base64"}})
    assert answer.status_code in (400, 500)  # the code depends on the version
    assert space.api.call("GET", space.path("secrets", "s")).status_code == 404


def test_the_type_of_a_secret_stays(space: Space) -> None:
    space.api.create(space.path("secrets"), {"metadata": {"name": "s"}})
    answer = space.api.call("PATCH", space.path("secrets", "s"), {"type": "x"}, "application/merge-patch+json")
    assert refused(answer) == (422, "Invalid")


def test_what_is_immutable_stays(space: Space) -> None:
    space.api.create(space.maps(), {**config("a"), "immutable": True})
    assert refused(space.api.call("PUT", space.maps("a"), {**config("a", {}), "immutable": True})) == (422, "Invalid")


def test_the_role_of_a_binding_stays(space: Space) -> None:
    path = space.path("rolebindings", group=RBAC)
    space.api.create(path, binding("view"))
    answer = space.api.call("PUT", f"{path}/b", binding("edit"))
    assert refused(answer) == (422, "Invalid")
    assert "roleRef" in answer.json()["message"]


def test_a_job_selects_its_own_pods(space: Space) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    made = space.api.create(
        space.path("jobs", group="batch/v1"), {"metadata": {"name": "j"}, "spec": {"template": template}}
    )
    selected = made["spec"]["selector"]["matchLabels"]
    assert selected.items() <= made["spec"]["template"]["metadata"]["labels"].items()
    assert made["spec"]["completions"] == 1


def test_empty_text_of_a_variable_is_left_out(space: Space) -> None:
    item = deployment()
    item["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "EMPTY", "value": ""}]
    made = space.api.create(space.path("deployments", group="apps/v1"), item)
    assert made["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "EMPTY"}]
