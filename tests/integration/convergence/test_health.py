"""Health and removal against a real API server: one look, looks at what is known, and taking everything away."""

from __future__ import annotations

from typing import Any

import pytest

from nautes.clients.kubernetes import Cluster
from nautes.messages.convergence import OwnedReport
from nautes.messages.errors import NotFound, NotYet
from tests.integration.convergence.support import Runtime, config

POD = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
SPEC = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": POD}
READY = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}


def deployment(name: str = "web", **meta: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, **meta}, "spec": SPEC}


def become_ready(runtime: Runtime, name: str = "web") -> None:
    """What the controllers of a cluster with nodes do."""
    path = f"/apis/apps/v1/namespaces/{runtime.namespace}/deployments/{name}/status"
    runtime.cluster.call("PATCH", path, body={"status": READY}, content_type="application/merge-patch+json")


def test_one_look_costs_one_list_per_kind(runtime: Runtime) -> None:
    runtime.converge([config("a"), config("b"), deployment()])
    before = runtime.cluster.requests["GET"]
    report = runtime.health_observer.observe(runtime.health())
    assert runtime.cluster.requests["GET"] - before == 3  # the inventory, ConfigMaps, Deployments
    assert (report.healthy, report.total, [each.name for each in report.unhealthy]) == (False, 3, ["web"])


def test_an_owner_with_nothing_is_healthy(runtime: Runtime) -> None:
    report = runtime.health_observer.observe(runtime.health())
    assert (report.healthy, report.total) == (True, 0)


def test_a_look_at_what_is_known_ends_when_the_health_is_another(runtime: Runtime) -> None:
    runtime.converge([config("a"), deployment("one"), deployment("two")])
    observe = runtime.health_observer
    both = observe.changed(runtime.health()).unhealthy
    assert [each.name for each in both] == ["one", "two"]
    with pytest.raises(NotYet, match="Deployment/one: its controller has not seen it yet"):
        observe.changed(runtime.health(both))
    become_ready(runtime, "one")
    one = observe.changed(runtime.health(both)).unhealthy
    assert [each.name for each in one] == ["two"]
    become_ready(runtime, "two")
    assert observe.changed(runtime.health(one)).healthy


def test_removal_takes_everything_and_its_record(runtime: Runtime) -> None:
    runtime.converge([config("a"), deployment()])
    other = config("not-ours")
    runtime.cluster.call("POST", f"/api/v1/namespaces/{runtime.namespace}/configmaps", body=other)
    report = runtime.remover.delete(runtime.owned())
    assert report == OwnedReport(deleted=2)
    for kind, name, version in (
        ("ConfigMap", "a", "v1"),
        ("Deployment", "web", "apps/v1"),
        ("Secret", f"applyset-{runtime.owner}", "v1"),
    ):
        with pytest.raises(NotFound):
            runtime.get(kind, name, version)
    assert runtime.get("ConfigMap", "not-ours")
    assert runtime.remover.delete(runtime.owned()) == OwnedReport()


def test_removal_works_without_the_record(runtime: Runtime) -> None:
    runtime.converge([config("a"), deployment()])
    secrets = runtime.cluster.kind("v1", "Secret")
    assert secrets is not None
    runtime.cluster.delete(secrets, runtime.namespace, f"applyset-{runtime.owner}")
    assert runtime.remover.delete(runtime.owned()).deleted == 2


def test_removal_names_what_finalizers_hold_and_keeps_the_record_meanwhile(runtime: Runtime) -> None:
    runtime.converge([config("held", finalizers=["example.com/hold"])])
    report = runtime.remover.delete(runtime.owned())
    assert [(each.name, each.status) for each in report.remaining] == [("held", "Terminating")]
    assert "example.com/hold" in report.remaining[0].reason
    with pytest.raises(NotYet, match="1 objects are still there: ConfigMap/held"):
        runtime.remover.delete(runtime.owned(report.remaining))
    assert runtime.get("Secret", f"applyset-{runtime.owner}")
    runtime.edit("ConfigMap", "held", {"metadata": {"finalizers": None}})
    assert runtime.remover.delete(runtime.owned(report.remaining)) == OwnedReport()
    with pytest.raises(NotFound):
        runtime.get("Secret", f"applyset-{runtime.owner}")


def test_what_is_being_deleted_is_told_and_comes_back(runtime: Runtime, cluster: Cluster) -> None:
    held = config("held", finalizers=["example.com/hold"])
    runtime.converge([held])
    kind = cluster.kind("v1", "ConfigMap")
    assert kind is not None
    cluster.delete(kind, runtime.namespace, "held")
    report, writes = runtime.writes([held])
    assert (report.failed, writes) == (1, 0)
    assert "being deleted" in report.outcomes[0].reason
    runtime.edit("ConfigMap", "held", {"metadata": {"finalizers": None}})
    assert runtime.converge([held]).applied == 1


def test_the_platforms_objects_are_found_wherever_they_are(runtime: Runtime) -> None:
    space = f"{runtime.namespace}-far"
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("nautes", space)]
    runtime.converge(spaces[:1], owner="bootstrap-of-tests", account=None, namespaces=["nautes"])
    owner = f"component-{space}"
    component = [spaces[1], {**deployment(), "metadata": {"name": "web", "namespace": space}}]
    runtime.converge(component, owner=owner, account=None, namespaces=["nautes"])
    input = runtime.health().model_copy(update={"owner": owner, "namespaces": ["nautes"]})
    found = runtime.health_observer.observe(input)
    assert (found.total, [each.name for each in found.unhealthy]) == (2, ["web"])
    runtime.converge(component[:1], owner=owner, account=None, namespaces=["nautes"])
    assert runtime.health_observer.observe(input).total == 1
