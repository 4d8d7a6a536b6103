"""Patches other than apply."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.kubernetes.support import JSON_PATCH, MERGE, STRATEGIC, Space, config, deployment, refused


def test_a_merge_patch_sets_and_removes(space: Space) -> None:
    space.api.create(space.maps(), config("a", {"k": "1", "l": "1"}, labels={"x": "y"}))
    made = space.api.patch(space.maps("a"), {"data": {"k": "2", "l": None, "m": "3"}, "metadata": {"labels": None}})
    assert made["data"] == {"k": "2", "m": "3"}
    assert "labels" not in made["metadata"]


def test_a_merge_patch_replaces_lists(space: Space) -> None:
    path = space.path("deployments", group="apps/v1")
    space.api.create(path, deployment())
    containers = [{"name": "other", "image": "other:1"}]
    made = space.api.patch(f"{path}/web", {"spec": {"template": {"spec": {"containers": containers}}}})
    assert [each["name"] for each in made["spec"]["template"]["spec"]["containers"]] == ["other"]


def test_a_strategic_patch_merges_lists_by_key(space: Space) -> None:
    path = space.path("deployments", group="apps/v1")
    space.api.create(path, deployment())
    change = [{"name": "web", "image": "web:2"}, {"name": "side", "image": "side:1"}]
    made = space.api.patch(f"{path}/web", {"spec": {"template": {"spec": {"containers": change}}}}, STRATEGIC)
    found = {each["name"]: each["image"] for each in made["spec"]["template"]["spec"]["containers"]}
    assert found == {"web": "web:2", "side": "side:1"}
    drop = [{"name": "side", "$patch": "delete"}]
    made = space.api.patch(f"{path}/web", {"spec": {"template": {"spec": {"containers": drop}}}}, STRATEGIC)
    assert [each["name"] for each in made["spec"]["template"]["spec"]["containers"]] == ["web"]


def test_a_json_patch_is_carried_out_in_order(space: Space) -> None:
    space.api.create(space.maps(), config("a"))
    steps: list[dict[str, Any]] = [
        {"op": "test", "path": "/data/k", "value": "1"},
        {"op": "add", "path": "/data/a~1b", "value": "2"},
        {"op": "copy", "from": "/data/k", "path": "/data/l"},
        {"op": "remove", "path": "/data/k"},
    ]
    # A key with a slash is no good in the end: the whole patch is refused, and nothing of it stays.
    assert refused(space.api.call("PATCH", space.maps("a"), steps, JSON_PATCH)) == (422, "Invalid")
    assert space.api.get(space.maps("a"))["data"] == {"k": "1"}
    assert space.api.patch(space.maps("a"), [steps[0], *steps[2:]], JSON_PATCH)["data"] == {"l": "1"}


def test_a_json_patch_whose_test_fails_changes_nothing(space: Space) -> None:
    made = space.api.create(space.maps(), config("a"))
    steps = [{"op": "replace", "path": "/data/k", "value": "2"}, {"op": "test", "path": "/data/k", "value": "1"}]
    assert space.api.call("PATCH", space.maps("a"), steps, JSON_PATCH).status_code == 422
    assert space.api.get(space.maps("a")) == made


@pytest.mark.parametrize("sort", [MERGE, STRATEGIC])
def test_a_patch_that_changes_nothing_makes_no_version(space: Space, sort: str) -> None:
    made = space.api.create(space.maps(), config("a"))
    again = space.api.patch(space.maps("a"), {"data": {"k": "1"}}, sort)
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_a_patch_of_an_old_version_is_refused(space: Space) -> None:
    made = space.api.create(space.maps(), config("a"))
    space.api.patch(space.maps("a"), {"data": {"k": "2"}})
    patch = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"k": "3"}}
    assert refused(space.api.call("PATCH", space.maps("a"), patch, MERGE)) == (409, "Conflict")


def test_a_patch_cannot_rename(space: Space) -> None:
    space.api.create(space.maps(), config("a"))
    answer = space.api.call("PATCH", space.maps("a"), {"metadata": {"name": "b"}}, MERGE)
    assert answer.status_code in (400, 422)
    assert space.api.call("GET", space.maps("b")).status_code == 404


def test_an_unknown_kind_of_patch_is_refused(space: Space) -> None:
    space.api.create(space.maps(), config("a"))
    assert refused(space.api.call("PATCH", space.maps("a"), {}, "application/x")) == (415, "UnsupportedMediaType")
