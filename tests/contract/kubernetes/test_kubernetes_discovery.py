"""What clients learn about the server before they ask for objects."""

from __future__ import annotations

from tests.contract.kubernetes.support import Api


def test_the_server_tells_its_version(api: Api) -> None:
    found = api.get("/version")
    assert found["major"] == "1" and int(found["minor"].rstrip("+")) >= 20
    assert found["gitVersion"].startswith("v1.")


def test_the_server_tells_that_it_is_well(api: Api) -> None:
    for path in ("/healthz", "/livez", "/readyz"):
        answer = api.call("GET", path)
        assert (answer.status_code, answer.text) == (200, "ok")


def test_health_is_told_to_everybody(api: Api) -> None:
    assert Api(api.kubeconfig, "").call("GET", "/readyz").text == "ok"


def test_groups_are_listed_with_the_version_they_prefer(api: Api) -> None:
    groups = {each["name"]: each["preferredVersion"]["groupVersion"] for each in api.get("/apis")["groups"]}
    expected = {
        "apps": "apps/v1",
        "batch": "batch/v1",
        "networking.k8s.io": "networking.k8s.io/v1",
        "rbac.authorization.k8s.io": "rbac.authorization.k8s.io/v1",
        "apiextensions.k8s.io": "apiextensions.k8s.io/v1",
        "authentication.k8s.io": "authentication.k8s.io/v1",
        "authorization.k8s.io": "authorization.k8s.io/v1",
    }
    assert expected.items() <= groups.items()
    assert api.get("/apis/apps")["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    assert api.get("/api")["versions"] == ["v1"]


def test_resources_are_listed_with_what_can_be_done(api: Api) -> None:
    found = {each["name"]: each for each in api.get("/api/v1")["resources"]}
    assert found["configmaps"]["kind"] == "ConfigMap" and found["configmaps"]["namespaced"] is True
    assert found["namespaces"]["namespaced"] is False
    assert {"create", "delete", "get", "list", "patch", "update", "watch"} <= set(found["secrets"]["verbs"])
    assert "serviceaccounts/token" in found and "namespaces/status" in found
    assert found["services"]["shortNames"] == ["svc"]


def test_every_listed_resource_can_be_listed(api: Api) -> None:
    for version in ("api/v1", "apis/apps/v1", "apis/batch/v1", "apis/rbac.authorization.k8s.io/v1"):
        for each in api.get(f"/{version}")["resources"]:
            if "list" in each["verbs"]:
                listed = api.get(f"/{version}/{each['name']}", limit=1)
                assert listed["kind"] == f"{each['kind']}List"
