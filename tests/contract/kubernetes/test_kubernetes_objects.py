"""Objects: what the server adds, what it refuses, how versions guard against lost updates."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.kubernetes.support import Api, Space, config, deployment, refused
from tests.waiting import until


def test_a_created_object_gets_an_identity(space: Space) -> None:
    made = space.api.create(space.maps(), config("a"))
    meta = made["metadata"]
    assert (made["kind"], made["apiVersion"], meta["namespace"]) == ("ConfigMap", "v1", space.name)
    assert len(meta["uid"]) == 36 and meta["creationTimestamp"].endswith("Z") and int(meta["resourceVersion"]) > 0
    assert space.api.get(space.maps("a")) == made


def test_what_only_the_server_writes_cannot_be_given(space: Space) -> None:
    made = space.api.create(space.maps(), config("a", uid="mine", creationTimestamp="2001-01-01T00:00:00Z"))
    assert made["metadata"]["uid"] != "mine"
    assert made["metadata"]["creationTimestamp"] > "2020"


def test_generated_names_are_different(space: Space) -> None:
    item: dict[str, Any] = {"metadata": {"generateName": "run-"}}
    names = {space.api.create(space.maps(), item)["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("run-") and len(name) == 9 for name in names)


def test_a_name_is_taken_once(space: Space) -> None:
    space.api.create(space.maps(), config("a"))
    answer = space.api.call("POST", space.maps(), config("a"))
    assert refused(answer) == (409, "AlreadyExists")
    assert answer.json()["message"] == 'configmaps "a" already exists'


@pytest.mark.parametrize("name", ["A_", "-a", "a..b", "a" * 254, "a/b"])
def test_a_bad_name_is_refused(space: Space, name: str) -> None:
    answer = space.api.call("POST", space.maps(), config(name))
    assert refused(answer) == (422, "Invalid")
    assert answer.json()["details"]["causes"][0]["field"] == "metadata.name"


def test_an_object_needs_a_name(space: Space) -> None:
    answer = space.api.call("POST", space.maps(), {"data": {}})
    assert refused(answer) == (422, "Invalid")
    assert "name or generateName is required" in answer.json()["message"]


@pytest.mark.parametrize("labels", [{"a": "b c"}, {"a b": "c"}, {"a": "x" * 64}])
def test_a_bad_label_is_refused(space: Space, labels: dict[str, str]) -> None:
    assert refused(space.api.call("POST", space.maps(), config("a", labels=labels))) == (422, "Invalid")


@pytest.mark.parametrize(
    "item",
    [
        {**config("a"), "kind": "Secret"},
        {**config("a"), "apiVersion": "v2"},
        config("a", namespace="elsewhere"),
        {**config("a"), "data": {"k": 1}},
    ],
    ids=["kind", "version", "namespace", "type"],
)
def test_an_object_must_be_what_its_path_says(space: Space, item: dict[str, Any]) -> None:
    assert refused(space.api.call("POST", space.maps(), item)) == (400, "BadRequest")


def test_what_is_not_there_is_not_found(space: Space) -> None:
    for method, body in (("GET", None), ("PUT", config("a")), ("DELETE", None)):
        answer = space.api.call(method, space.maps("a"), body)
        assert refused(answer) == (404, "NotFound")
        assert answer.json()["message"] == 'configmaps "a" not found'
        assert answer.json()["details"] == {"name": "a", "kind": "configmaps"}


def test_a_missing_object_of_a_group_is_named_with_it(space: Space) -> None:
    answer = space.api.call("GET", space.path("deployments", "a", "apps/v1"))
    assert answer.json()["message"] == 'deployments.apps "a" not found'
    assert answer.json()["details"] == {"name": "a", "group": "apps", "kind": "deployments"}


def test_unknown_paths_are_not_found(space: Space) -> None:
    for path in (space.path("gizmos"), "/apis/example.invalid/v1/gizmos", "/apis/apps/v9"):
        assert space.api.call("GET", path).status_code == 404


def test_a_namespaced_object_is_not_created_outside_of_one(api: Api) -> None:
    assert refused(api.call("POST", "/api/v1/configmaps", config("a"))) == (405, "MethodNotAllowed")


def test_an_update_of_an_old_version_is_refused(space: Space) -> None:
    first = space.api.create(space.maps(), config("a"))
    second = space.api.replace(space.maps("a"), {**first, "data": {"k": "2"}})
    assert int(second["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])
    answer = space.api.call("PUT", space.maps("a"), {**first, "data": {"k": "3"}})
    assert refused(answer) == (409, "Conflict")
    assert "the object has been modified" in answer.json()["message"]
    assert space.api.get(space.maps("a"))["data"] == {"k": "2"}


def test_an_update_without_a_version_is_taken(space: Space) -> None:
    space.api.create(space.maps(), config("a"))
    assert space.api.replace(space.maps("a"), config("a", {"k": "2"}))["data"] == {"k": "2"}


def test_an_update_for_another_object_of_the_name_is_refused(space: Space) -> None:
    space.api.create(space.maps(), config("a"))
    assert refused(space.api.call("PUT", space.maps("a"), config("a", uid="other"))) == (409, "Conflict")


def test_an_update_keeps_the_identity(space: Space) -> None:
    first = space.api.create(space.maps(), config("a"))["metadata"]
    second = space.api.replace(space.maps("a"), config("a", {"k": "2"}))["metadata"]
    assert [second[name] for name in ("uid", "creationTimestamp")] == [first["uid"], first["creationTimestamp"]]


def test_an_update_that_changes_nothing_makes_no_version(space: Space) -> None:
    first = space.api.create(space.maps(), config("a"))
    again = space.api.replace(space.maps("a"), config("a"))
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_the_name_of_the_path_counts(space: Space) -> None:
    space.api.create(space.maps(), config("a"))
    answer = space.api.call("PUT", space.maps("a"), config("b"))
    assert refused(answer) == (400, "BadRequest")
    assert "does not match the name on the URL" in answer.json()["message"]


def test_a_dry_run_answers_and_keeps_nothing(space: Space) -> None:
    dry = space.api.create(space.maps(), config("a"), dryRun="All")
    assert dry["data"] == {"k": "1"} and "resourceVersion" not in dry["metadata"]
    assert space.api.call("GET", space.maps("a")).status_code == 404
    space.api.create(space.maps(), config("a"))
    assert space.api.patch(space.maps("a"), {"data": {"k": "2"}}, dryRun="All")["data"] == {"k": "2"}
    space.api.delete(space.maps("a"), dryRun="All")
    assert space.api.get(space.maps("a"))["data"] == {"k": "1"}
    assert refused(space.api.call("POST", space.maps(), config("b"), dryRun="perhaps")) == (422, "Invalid")


def test_a_generation_counts_changes_of_the_specification_only(space: Space) -> None:
    path = space.path("deployments", group="apps/v1")
    assert space.api.create(path, deployment())["metadata"]["generation"] == 1
    web = f"{path}/web"
    assert space.api.patch(web, {"metadata": {"labels": {"a": "b"}}})["metadata"]["generation"] == 1
    assert space.api.patch(f"{web}/status", {"status": {"replicas": 1}})["metadata"]["generation"] == 1
    assert space.api.patch(web, {"spec": {"replicas": 3}})["metadata"]["generation"] == 2


def test_status_is_written_through_its_own_path_only(space: Space) -> None:
    path = space.path("pods", group="")
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    body = {**pod, "status": {"phase": "Running"}}
    # A pod needs the account that every namespace gets, and gets a moment later.
    until(lambda: space.api.call("POST", path, body).status_code == 201, "a pod can be made")
    assert space.api.get(f"{path}/p")["status"]["phase"] == "Pending"
    assert space.api.patch(f"{path}/p", {"status": {"phase": "Running"}})["status"]["phase"] == "Pending"
    change = {"status": {"phase": "Running"}, "metadata": {"labels": {"a": "b"}}, "spec": {"nodeName": "n"}}
    now = space.api.patch(f"{path}/p/status", change)
    assert now["status"]["phase"] == "Running"
    assert "nodeName" not in now["spec"]


def test_a_body_that_cannot_be_read_is_refused(space: Space) -> None:
    answer = space.api.send("POST", space.maps(), "{", "application/json")
    assert refused(answer) == (400, "BadRequest")
