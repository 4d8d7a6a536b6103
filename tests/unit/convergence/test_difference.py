"""Drift and no drift: what the server adds or rewrites is no difference, what a person changed is one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautes.convergence.difference import difference

LEAVES = st.booleans() | st.integers() | st.text(max_size=8)
TREES = st.dictionaries(
    st.text("abcdefg", min_size=1, max_size=4),
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", min_size=1), inner, max_size=3),
    ),
    max_size=5,
)


def config(data: Any, **meta: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **meta}, "data": data}


def deployment(container: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "web", "image": "web:1", **container}], **spec.pop("pod", {})}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"spec": pod}, **spec},
    }


def owning(item: dict[str, Any], fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    """`item` as it is live, with a record that we own `fields`."""
    live = copy.deepcopy(item)
    entry = {"manager": "nautes", "operation": "Apply", "apiVersion": item["apiVersion"], "fieldsV1": fields, **more}
    live["metadata"]["managedFields"] = [entry]
    return live


@given(TREES)
def test_nothing_differs_from_itself(tree: dict[str, Any]) -> None:
    item = {**tree, "apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}}
    assert difference(item, copy.deepcopy(item)) == []


@given(TREES, TREES)
def test_fields_that_the_server_or_others_added_are_no_difference(tree: dict[str, Any], added: dict[str, Any]) -> None:
    item = {**tree, "apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}}
    assert difference(item, {**added, **copy.deepcopy(item), "status": added}) == []


@given(TREES, st.text("abcdefg", min_size=1, max_size=4), st.integers(1), st.integers(1))
def test_another_value_is_a_difference_at_its_path(tree: dict[str, Any], key: str, one: int, other: int) -> None:
    item = {**tree, "apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}, key: one}
    expected = [] if one == other else [key]
    assert difference(item, {**copy.deepcopy(item), key: other}) == expected


@pytest.mark.parametrize(
    ("wanted", "live"),
    [
        ({"resources": {"limits": {"cpu": "0.5"}}}, {"resources": {"limits": {"cpu": "500m"}}}),
        ({"resources": {"requests": {"memory": "1024Mi"}}}, {"resources": {"requests": {"memory": "1Gi"}}}),
        ({"resources": {"requests": {"cpu": 1}}}, {"resources": {"requests": {"cpu": "1"}}}),
        ({"ports": [{"containerPort": 80}]}, {"ports": [{"containerPort": 80, "protocol": "TCP"}]}),
        ({"env": [{"name": "A", "value": ""}]}, {"env": [{"name": "A"}]}),
        ({"env": []}, {}),
        ({"securityContext": {"runAsUser": None}}, {"securityContext": {}}),
        ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "Z", "value": "0"}, {"name": "A", "value": "1"}]}),
        (
            {"volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": False}]},
            {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        ),
    ],
)
def test_what_the_server_only_writes_differently_is_no_difference(wanted: dict[str, Any], live: dict[str, Any]) -> None:
    assert difference(deployment(wanted), deployment({**live, "imagePullPolicy": "IfNotPresent"}, replicas=1)) == []


@pytest.mark.parametrize(
    ("wanted", "live", "path"),
    [
        ({"image": "web:2"}, {"image": "web:1"}, "image"),
        ({"resources": {"limits": {"cpu": "600m"}}}, {"resources": {"limits": {"cpu": "500m"}}}, "cpu"),
        ({"args": ["a", "b"]}, {"args": ["b", "a"]}, "args"),
        ({"args": ["a"]}, {"args": ["a", "b"]}, "args"),
        ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": "2"}]}, "env[A]"),
        ({"env": [{"name": "A", "value": "1"}]}, {"env": []}, "env[A]"),
        ({"ports": [{"containerPort": 80}]}, {"ports": [{"containerPort": 80, "protocol": "UDP"}]}, "ports[80,TCP]"),
    ],
)
def test_a_changed_value_is_found(wanted: dict[str, Any], live: dict[str, Any], path: str) -> None:
    assert any(path in each for each in difference(deployment(wanted), deployment(live)))


def test_texts_of_config_maps_are_no_quantities() -> None:
    assert difference(config({"limits": "1000m"}), config({"limits": "1"})) == ["data.limits"]


def test_a_secret_is_compared_by_its_bytes() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}
    assert difference({**secret, "data": {"k": "aGVsbG8=\n"}}, {**secret, "data": {"k": "aGVsbG8="}}) == []
    assert difference({**secret, "data": {"k": "aGVsbG8="}}, {**secret, "data": {"k": "aGVsbA=="}}) == ["data.k"]


def test_one_more_key_in_a_selector_is_a_difference() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"selector": {"app": "web"}}}
    live = {**service, "spec": {"selector": {"app": "web", "canary": "1"}, "clusterIP": "10.0.0.1"}}
    assert difference(service, live) == ["spec.selector"]


def test_a_field_that_is_no_longer_wanted_is_found_in_the_record_of_what_we_own() -> None:
    live = owning(config({"a": "1", "b": "2"}), {"f:data": {"f:a": {}, "f:b": {}}})
    assert difference(config({"a": "1"}), live) == ["data.b"]
    assert difference(config({"a": "1", "b": "2"}), live) == []


def test_fields_that_others_own_are_left_to_them() -> None:
    live = owning(config({"a": "1", "b": "2"}), {"f:data": {"f:a": {}}})
    assert difference(config({"a": "1"}), live) == []


def test_items_of_lists_are_found_by_the_keys_of_the_record() -> None:
    live_item = deployment(
        {"ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 81, "protocol": "TCP"}]}
    )
    ports: dict[str, Any] = {
        'k:{"containerPort":80,"protocol":"TCP"}': {".": {}},
        'k:{"containerPort":81,"protocol":"TCP"}': {".": {}},
    }
    fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:ports": ports}}}}}}
    live = owning(live_item, fields)
    both = deployment({"ports": [{"containerPort": 80}, {"containerPort": 81}]})
    assert difference(both, live) == []
    assert len(difference(deployment({"ports": [{"containerPort": 80}]}), live)) == 1


def test_a_set_names_its_values() -> None:
    live = owning(
        config({}, finalizers=["a/b", "c/d"]), {"f:metadata": {"f:finalizers": {".": {}, 'v:"a/b"': {}, 'v:"c/d"': {}}}}
    )
    assert difference(config({}, finalizers=["a/b"]), live) == ['metadata.finalizers["c/d"]']


def test_another_version_of_the_kind_is_written_once() -> None:
    live = owning({**config({"a": "1"}), "apiVersion": "v1"}, {"f:data": {"f:a": {}}}, apiVersion="v0")
    assert difference(config({"a": "1"}), live) == ["apiVersion"]
