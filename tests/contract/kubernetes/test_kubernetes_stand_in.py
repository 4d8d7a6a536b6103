"""The stand-in alone: it identifies itself, refuses what it does not play, and loses nothing when killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nautes_sandbox.kubernetes import Cluster, standin
from nautes_sandbox.process import Supervisor, free_port
from tests.contract.kubernetes.conftest import running
from tests.contract.kubernetes.support import Api, config, new_space, refused
from tests.waiting import until


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("alone")


@pytest.fixture(scope="module")
def alone(directory: Path) -> Cluster:
    return standin.cluster("alone", directory, free_port())


@pytest.fixture(scope="module")
def supervisor(alone: Cluster, directory: Path) -> Iterator[Supervisor]:
    with running(alone, directory) as found:
        yield found


@pytest.fixture
def own(alone: Cluster, supervisor: Supervisor) -> Api:
    return Api(alone.kubeconfig)


def test_it_says_that_it_is_a_stand_in(own: Api, supervisor: Supervisor) -> None:
    assert "stand-in" in own.get("/version")["gitVersion"]
    assert own.call("GET", "/api/v1/namespaces").headers["X-Sandbox-Stand-In"] == "rbac-not-played"
    assert "RBAC" in supervisor.log("alone-apiserver").read_text()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/namespaces/default/pods/p/log"),
        ("POST", "/api/v1/namespaces/default/pods/p/eviction"),
        ("GET", "/apis/apps/v1/namespaces/default/deployments/d/scale"),
        ("GET", "/openapi/v2"),
        ("GET", "/metrics"),
    ],
)
def test_what_it_does_not_play_it_refuses_by_name(own: Api, method: str, path: str) -> None:
    answer = own.call(method, path, {} if method == "POST" else None)
    assert refused(answer) == (501, "NotImplemented")
    assert answer.json()["message"].startswith("not implemented by the sandbox stand-in: ")


def test_it_warns_that_unknown_fields_are_not_looked_for(own: Api) -> None:
    space = new_space(own)
    answer = own.call("POST", space.maps(), config("a"), fieldValidation="Strict")
    assert "unknown fields" in answer.headers["Warning"]
    assert "Warning" not in own.call("GET", space.maps("a")).headers


def test_bookmarks_tell_how_far_a_watch_is(own: Api) -> None:
    space = new_space(own)
    since = own.get(space.maps())["metadata"]["resourceVersion"]
    own.create(space.maps(), config("a"))
    with own.watch(space.maps(), 1, resourceVersion=since, allowWatchBookmarks="true") as events:
        *_, last = events
    assert (last["type"], last["object"]["kind"]) == ("BOOKMARK", "ConfigMap")
    assert int(last["object"]["metadata"]["resourceVersion"]) > int(since)


def test_a_watch_that_begins_with_a_list_tells_where_the_list_ends(own: Api) -> None:
    space = new_space(own)
    own.create(space.maps(), config("a", labels={"x": "1"}))
    query = {"sendInitialEvents": "true", "allowWatchBookmarks": "true", "labelSelector": "x=1"}
    with own.watch(space.maps(), 1, **query) as events:
        first, second = next(events), next(events)
    assert (first["type"], second["type"]) == ("ADDED", "BOOKMARK")
    assert second["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_killed_server_comes_back_with_everything(own: Api, alone: Cluster, supervisor: Supervisor) -> None:
    space = new_space(own)
    made = own.apply(space.maps("a"), config("a"))
    held = own.create(space.maps(), config("held", finalizers=["example.com/hold"]))
    token = own.create(f"{space.path('serviceaccounts', 'default')}/token", {"spec": {}})["status"]["token"]
    supervisor.stop("alone-apiserver", kill=True)
    supervisor.start(alone.services[0])
    assert own.get(space.maps("a")) == made
    assert Api(alone.kubeconfig, token).get(space.maps("held")) == held
    again = own.apply(space.maps("a"), config("a", {"k": "2"}))
    assert int(again["metadata"]["resourceVersion"]) > int(held["metadata"]["resourceVersion"])


def test_a_watch_from_before_a_restart_begins_anew(own: Api, alone: Cluster, supervisor: Supervisor) -> None:
    space = new_space(own)
    since = own.create(space.maps(), config("a"))["metadata"]["resourceVersion"]
    own.patch(space.maps("a"), {"data": {"k": "2"}})
    supervisor.stop("alone-apiserver")
    supervisor.start(alone.services[0])
    with own.watch(space.maps(), resourceVersion=since) as events:
        event = next(events)
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    now = own.get(space.maps())["metadata"]["resourceVersion"]
    with own.watch(space.maps(), resourceVersion=now) as events:
        own.patch(space.maps("a"), {"data": {"k": "3"}})
        assert next(events)["object"]["data"] == {"k": "3"}


def test_a_namespace_that_was_going_goes_on_after_a_restart(own: Api, alone: Cluster, supervisor: Supervisor) -> None:
    space = new_space(own)
    own.create(space.maps(), config("held", finalizers=["example.com/hold"]))
    own.delete(f"/api/v1/namespaces/{space.name}")
    supervisor.stop("alone-apiserver", kill=True)
    supervisor.start(alone.services[0])
    own.patch(space.maps("held"), {"metadata": {"finalizers": None}})
    until(lambda: own.call("GET", f"/api/v1/namespaces/{space.name}").status_code == 404, "the namespace is gone")


def test_custom_kinds_are_served_after_a_restart(own: Api, alone: Cluster, supervisor: Supervisor) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    names = {"kind": "Gadget", "plural": "gadgets"}
    spec = {"group": "alone.example.com", "scope": "Cluster", "names": names, "versions": versions}
    base = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    own.create(base, {"metadata": {"name": "gadgets.alone.example.com"}, "spec": spec})
    made = own.create("/apis/alone.example.com/v1/gadgets", {"metadata": {"name": "g"}, "spec": {"a": 1}})
    supervisor.stop("alone-apiserver", kill=True)
    supervisor.start(alone.services[0])
    assert own.get("/apis/alone.example.com/v1/gadgets/g") == made
