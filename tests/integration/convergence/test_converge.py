"""The engine against a real API server: what it writes, what it leaves alone, what it refuses, what it takes away."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from activities.kubernetes import Converger
from nautes.clients.kubernetes import Cluster, Clusters
from nautes.messages.convergence import ConvergeInput
from nautes.messages.errors import NotFound, Unavailable
from tests.integration.convergence.support import REF, Runtime, about, config, create, place, told


def test_what_is_declared_is_applied_once_and_then_left_alone(runtime: Runtime) -> None:
    objects = [config("a"), config("b")]
    assert runtime.converge(objects).applied == 2
    report, writes = runtime.writes(objects)
    assert (report.unchanged, report.writes, writes, report.outcomes) == (2, 0, 0, [])


def test_one_changed_object_is_one_write(runtime: Runtime) -> None:
    runtime.converge([config("a"), config("b"), config("c")])
    report, writes = runtime.writes([config("a"), config("b", "2"), config("c")])
    assert (report.applied, report.unchanged, report.writes, writes) == (1, 2, 1, 1)
    assert about(report, "b").reason == "data.k"
    assert runtime.get("ConfigMap", "b")["data"] == {"k": "2"}


def test_a_field_that_is_declared_no_more_is_taken_away(runtime: Runtime) -> None:
    more = {**config("a"), "data": {"k": "1", "l": "2"}}
    runtime.converge([more])
    assert runtime.writes([config("a")])[1] == 1
    assert runtime.get("ConfigMap", "a")["data"] == {"k": "1"}
    assert runtime.writes([config("a")])[1] == 0


def test_what_is_declared_no_more_is_pruned(runtime: Runtime) -> None:
    runtime.converge([config("a"), config("b")])
    report = runtime.converge([config("a")])
    assert told(report) == {"b": "pruned"}
    with pytest.raises(NotFound):
        runtime.get("ConfigMap", "b")


def test_the_last_object_of_a_kind_is_pruned_too(runtime: Runtime) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}}
    runtime.converge([config("a"), account])
    assert told(runtime.converge([config("a")])) == {"web": "pruned"}
    assert runtime.writes([config("a")])[1] == 0


def test_pruning_works_from_an_inventory_whose_record_was_lost(runtime: Runtime) -> None:
    runtime.converge([config("a"), config("b")])
    secrets = runtime.cluster.kind("v1", "Secret")
    assert secrets is not None
    runtime.cluster.delete(secrets, runtime.namespace, f"applyset-{runtime.owner}")
    assert told(runtime.converge([config("a")])) == {"b": "pruned"}


def test_without_prune_nothing_is_taken_away(runtime: Runtime) -> None:
    runtime.converge([config("a"), config("b")])
    assert runtime.converge([config("a")], prune=False).pruned == 0
    assert runtime.get("ConfigMap", "b")
    assert told(runtime.converge([config("a")])) == {"b": "pruned"}


def test_labels_copied_by_others_do_not_make_an_object_ours(runtime: Runtime) -> None:
    runtime.converge([config("a")])
    path = f"/api/v1/namespaces/{runtime.namespace}/configmaps"
    label = {"applyset.kubernetes.io/part-of": runtime.owner}
    create(runtime.cluster, path, config("copy", labels=label))
    assert runtime.converge([config("a")]).pruned == 0
    assert runtime.get("ConfigMap", "copy")


def test_a_hand_edit_is_put_back(runtime: Runtime) -> None:
    runtime.converge([config("a")])
    runtime.edit("ConfigMap", "a", {"data": {"k": "by hand"}})
    assert runtime.writes([config("a")])[1] == 1
    assert runtime.get("ConfigMap", "a")["data"] == {"k": "1"}
    assert runtime.writes([config("a")])[1] == 0


def test_an_object_deleted_by_hand_comes_back(runtime: Runtime) -> None:
    runtime.converge([config("a")])
    kind = runtime.cluster.kind("v1", "ConfigMap")
    assert kind is not None
    runtime.cluster.delete(kind, runtime.namespace, "a")
    assert told(runtime.converge([config("a")])) == {"a": "applied"}


def test_a_label_taken_off_by_hand_comes_back(runtime: Runtime) -> None:
    runtime.converge([config("a")])
    runtime.edit("ConfigMap", "a", {"metadata": {"labels": {"applyset.kubernetes.io/part-of": None}}})
    runtime.converge([config("a")])
    assert runtime.get("ConfigMap", "a")["metadata"]["labels"]["applyset.kubernetes.io/part-of"] == runtime.owner


def test_two_owners_do_not_touch_each_other(runtime: Runtime) -> None:
    runtime.converge([config("mine")])
    report = runtime.converge([config("theirs"), config("mine", "2")], owner="product-7-other")
    assert told(report) == {"theirs": "applied", "mine": "refused"}
    assert "belongs to" in about(report, "mine").reason
    assert runtime.get("ConfigMap", "mine")["data"] == {"k": "1"}
    report, writes = runtime.writes([config("mine")])
    assert (writes, report.pruned) == (0, 0)
    assert runtime.get("ConfigMap", "theirs")


def test_what_is_aimed_elsewhere_is_refused_and_the_rest_converges(runtime: Runtime) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "x"}, "rules": []}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mine-as-well"}}
    report = runtime.converge([config("ok"), config("away", namespace="kube-system"), role, space])
    assert told(report) == {"ok": "applied", "away": "refused", "x": "refused", "mine-as-well": "refused"}
    assert "the platform's own" in about(report, "away").reason


def test_a_refused_object_that_is_there_is_not_pruned(runtime: Runtime) -> None:
    runtime.converge([config("a"), config("b")])
    twice = runtime.converge([config("a"), config("b"), config("b", "2")])
    assert told(twice) == {"b": "refused"}
    assert runtime.get("ConfigMap", "b")["data"] == {"k": "1"}


def test_an_object_the_server_refuses_stops_nothing(runtime: Runtime) -> None:
    bad = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bad"}, "spec": {"ports": [{"port": 99999999}]}}
    unknown = {"apiVersion": "example.invalid/v1", "kind": "Gadget", "metadata": {"name": "gadget"}}
    report = runtime.converge([config("ok"), bad, unknown])
    assert told(report) == {"ok": "applied", "bad": "failed", "gadget": "failed"}
    assert "99999999" in about(report, "bad").reason
    assert "does not know the kind" in about(report, "gadget").reason


def test_a_refused_secret_is_not_quoted(runtime: Runtime) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "hunter2 is no base64"}}
    report = runtime.converge([secret])
    assert about(report, "s").action == "failed"
    assert "hunter2" not in report.model_dump_json()


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(runtime: Runtime) -> None:
    runtime.converge([config("a"), config("b")])
    report, writes = runtime.writes([config("a", "2"), config("c")], dry_run=True)
    assert told(report) == {"a": "applied", "c": "applied", "b": "pruned"}
    assert (writes, report.writes) == (0, 0)
    assert runtime.get("ConfigMap", "a")["data"] == {"k": "1"}


def test_the_platform_makes_namespaces_and_definitions_before_what_needs_them(
    clusters: Clusters, cluster: Cluster, runtime: Runtime
) -> None:
    group = f"{runtime.namespace}.example.com"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    space = f"{runtime.namespace}-platform"
    widget = {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": space},
        "spec": {"a": 1},
    }
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("nautes", space)]
    input = ConvergeInput(
        cluster=REF, owner=f"component-{space}", namespaces=[], objects=[widget, definition, *spaces[1:]], prune=True
    )
    first = input.model_copy(update={"owner": "bootstrap-of-tests", "objects": spaces[:1]})
    Converger(clusters).converge(first)
    report = Converger(clusters).converge(input)
    assert (report.applied, report.failed, report.refused) == (3, 0, 0)
    again = Converger(clusters).converge(input)
    assert (again.unchanged, again.writes) == (3, 0)
    gone = Converger(clusters).converge(input.model_copy(update={"objects": input.objects[1:]}))
    assert told(gone) == {"w": "pruned"}


def test_a_missing_namespace_is_an_error_that_names_it(runtime: Runtime) -> None:
    with pytest.raises(NotFound, match="not-there"):
        runtime.converge([config("a")], namespaces=["not-there"])


def test_an_unreachable_cluster_is_an_outage(kubeconfig: str) -> None:
    config_of = yaml.safe_load(kubeconfig)
    config_of["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    nowhere = Clusters(lambda ref: json.dumps(config_of), allow_loopback=True)
    with pytest.raises(Unavailable, match="cannot be reached"):
        Converger(nowhere).converge(
            ConvergeInput(cluster=REF, owner="o", namespaces=["a"], account="x", objects=[config("a")])
        )


def test_an_outage_in_the_middle_applies_the_rest_and_prunes_nothing(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime.converge([config("old")])
    real = Cluster.apply

    def failing(self: Cluster, kind: Any, item: dict[str, Any], **more: Any) -> dict[str, Any]:
        if item["metadata"]["name"] == "b":
            raise Unavailable("kubernetes-unavailable", "the webhook does not answer")
        return real(self, kind, item, **more)

    monkeypatch.setattr(Cluster, "apply", failing)
    with pytest.raises(Unavailable, match="1 of 3 writes failed, first: the webhook does not answer"):
        runtime.converge([config("a"), config("b"), config("c")])
    assert runtime.get("ConfigMap", "a") and runtime.get("ConfigMap", "c") and runtime.get("ConfigMap", "old")
    monkeypatch.undo()
    assert told(runtime.converge([config("a"), config("b"), config("c")])) == {"b": "applied", "old": "pruned"}


def test_an_object_that_another_made_meanwhile_is_taken_over(runtime: Runtime) -> None:
    create(runtime.cluster, f"/api/v1/namespaces/{runtime.namespace}/configmaps", config("a", "by hand"))
    assert told(runtime.converge([config("a")])) == {"a": "applied"}
    assert runtime.get("ConfigMap", "a")["data"] == {"k": "1"}


def test_two_places_in_one_cluster_share_nothing(clusters: Clusters, cluster: Cluster) -> None:
    one, other = place(clusters, cluster), place(clusters, cluster)
    one.converge([config("a")])
    other.converge([config("a", "2")])
    other.converge([])
    assert one.get("ConfigMap", "a")["data"] == {"k": "1"}
