"""Plan, waves, inventory and memory: what is created, changed, left alone, pruned, and in which order."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nautes.convergence import inventory
from nautes.convergence.inventory import PART_OF, Parent
from nautes.convergence.memory import Memory
from nautes.convergence.objects import Key, desired, key_of
from nautes.convergence.plan import plan
from nautes.convergence.waves import in_waves, wave


def config(name: str, value: str = "1", **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop", **meta},
        "data": {"k": value},
    }


def live(*items: dict[str, Any]) -> dict[Key, dict[str, Any]]:
    return {
        key_of(item): {
            **item,
            "metadata": {**item["metadata"], "uid": item["metadata"]["name"], "resourceVersion": "1"},
        }
        for item in items
    }


def nothing_known(_desired: object, _live: object) -> bool:
    return False


def names(keys: list[Key]) -> list[str]:
    return [key.name for key in keys]


def test_each_object_is_created_changed_left_alone_or_pruned() -> None:
    made = plan(
        [config("new"), config("same"), config("other", "2")],
        live(config("same"), config("other"), config("gone")),
        known=nothing_known,
        keep=(),
        prune=True,
    )
    assert [change.key.name for change in made.create] == ["new"]
    assert [(change.key.name, change.paths) for change in made.change] == [("other", ("data.k",))]
    assert names(made.unchanged) == ["same"]
    assert names(made.prune) == ["gone"]
    assert [change.why for change in made.writes] == ["new", "data.k"]


def test_without_prune_nothing_is_pruned() -> None:
    assert plan([], live(config("gone")), known=nothing_known, keep=(), prune=False).prune == []


def test_what_is_declared_but_refused_is_not_pruned() -> None:
    refused = key_of(config("refused"))
    assert plan([], live(config("refused")), known=nothing_known, keep={refused}, prune=True).prune == []


def test_what_is_being_deleted_is_waited_for() -> None:
    going = config("going", deletionTimestamp="2026-01-01T00:00:00Z")
    made = plan([config("going")], live(going), known=nothing_known, keep=(), prune=True)
    assert (names(made.going), made.writes, made.prune) == (["going"], [], [])


def test_what_the_server_writes_differently_is_remembered_until_somebody_changes_it() -> None:
    memory, wanted = Memory(), config("a", "1")
    made_of_it = next(iter(live(config("a", "one")).values()))
    assert plan([wanted], {key_of(wanted): made_of_it}, known=memory.knows, keep=(), prune=True).change
    memory.remember(wanted, made_of_it)
    assert plan([wanted], {key_of(wanted): made_of_it}, known=memory.knows, keep=(), prune=True).unchanged
    touched = {**made_of_it, "data": {"k": "two"}}
    assert plan([wanted], {key_of(wanted): touched}, known=memory.knows, keep=(), prune=True).change
    assert plan([config("a", "3")], {key_of(wanted): made_of_it}, known=memory.knows, keep=(), prune=True).change


def test_memory_is_bounded() -> None:
    memory = Memory(entries=2)
    items = [next(iter(live(config(name)).values())) for name in "abc"]
    for item in items:
        memory.remember(item, item)
    assert [memory.knows(item, item) for item in items] == [False, True, True]


@given(st.lists(st.sampled_from("abcdef")), st.lists(st.sampled_from("abcdef")))
def test_a_plan_is_complete_and_prunes_only_the_inventory(wanted: list[str], there: list[str]) -> None:
    items = [config(name) for name in dict.fromkeys(wanted)]
    made = plan(items, live(*(config(name) for name in there)), known=nothing_known, keep=(), prune=True)
    assert {*names(made.unchanged), *(change.key.name for change in made.writes)} == set(wanted)
    assert set(names(made.prune)) == set(there) - set(wanted)


def test_waves_put_first_what_others_need() -> None:
    kinds = [("networking.k8s.io/v1", "Ingress"), ("apps/v1", "Deployment"), ("v1", "ConfigMap"), ("v1", "Namespace")]
    objects = [({"apiVersion": version, "kind": kind}, kind) for version, kind in kinds]
    assert in_waves(objects) == [["Namespace"], ["ConfigMap"], ["Deployment"], ["Ingress"]]
    assert wave("example.com", "Namespace") > wave("apps", "Deployment")


def test_what_is_sent_carries_our_labels_and_nothing_of_the_servers() -> None:
    item = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a", "uid": "1", "resourceVersion": "2", "creationTimestamp": None, "labels": {"x": "y"}},
        "stringData": {"b": "two"},
        "data": {"a": "MQ=="},
        "status": {"phase": "x"},
    }
    assert desired(item, namespace="shop", labels={PART_OF: "o"}) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a", "namespace": "shop", "labels": {"x": "y", PART_OF: "o"}},
        "data": {"a": "MQ==", "b": "dHdv"},
    }


def test_ports_get_the_protocol_that_their_list_is_keyed_by() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}
    assert desired(service, namespace="", labels={})["spec"] == {"ports": [{"protocol": "TCP", "port": 80}]}
    pod = {"containers": [{"name": "a", "ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 80}]}]}
    cron = {"jobTemplate": {"spec": {"template": {"spec": pod}}}}
    item = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "a"}, "spec": cron}
    sent = desired(item, namespace="", labels={})["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert [port["protocol"] for port in sent["containers"][0]["ports"]] == ["UDP", "TCP"]


@given(
    st.sampled_from(["Service", "Pod", "Deployment", "CronJob"]), st.none() | st.integers() | st.lists(st.integers())
)
def test_what_has_another_shape_is_sent_as_it_is(kind: str, spec: Any) -> None:
    item = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec}
    assert desired(item, namespace="", labels={})["spec"] == spec


def test_a_parent_is_read_back_as_it_was_written() -> None:
    parent = Parent("product-7-web", "shop", frozenset({"ConfigMap", "Deployment.apps"}), frozenset({"shop", "data"}))
    written = parent.as_object()
    assert inventory.read(written, "product-7-web") == parent
    assert parent.agrees(written)
    assert not Parent("product-7-web", "shop", frozenset({"ConfigMap"}), frozenset({"shop"})).agrees(written)
    assert not parent.agrees(None)


@given(st.text("abc-", min_size=1, max_size=200))
def test_an_owner_always_fits_into_a_label(owner: str) -> None:
    assert len(inventory.label(owner)) <= inventory.LABEL_LENGTH
    assert inventory.label(owner) != inventory.label(owner + "x")


def test_group_kinds_are_split_where_the_group_begins() -> None:
    assert inventory.split("Deployment.apps") == ("apps", "Deployment")
    assert inventory.split("ConfigMap") == ("", "ConfigMap")
    assert inventory.split("Role.rbac.authorization.k8s.io") == ("rbac.authorization.k8s.io", "Role")
