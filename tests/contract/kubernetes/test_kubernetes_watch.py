"""Watches: from a version on, from now, with selectors, until their time is over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from tests.contract.kubernetes.support import Space, config, deployment


def of(events: Iterator[dict[str, Any]], count: int) -> list[tuple[str, str]]:
    """(type, name) of the next events."""
    found = (next(events) for _ in range(count))
    return [(each["type"], each["object"]["metadata"]["name"]) for each in found]


def version(space: Space) -> str:
    return str(space.api.get(space.maps())["metadata"]["resourceVersion"])


def test_what_happens_after_a_version_is_told_in_order(space: Space) -> None:
    since = version(space)
    space.api.create(space.maps(), config("a", labels={"mine": "1"}))
    with space.api.watch(space.maps(), resourceVersion=since, labelSelector="mine") as events:
        assert of(events, 1) == [("ADDED", "a")]
        space.api.patch(space.maps("a"), {"data": {"k": "2"}})
        space.api.create(space.maps(), config("b", labels={"mine": "1"}))
        space.api.delete(space.maps("a"))
        assert of(events, 3) == [("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "a")]


def test_a_watch_without_a_version_begins_with_what_is_there(space: Space) -> None:
    space.api.create(space.maps(), config("a"))
    with space.api.watch(space.maps(), fieldSelector="metadata.name=a") as events:
        assert of(events, 1) == [("ADDED", "a")]
        space.api.delete(space.maps("a"))
        assert of(events, 1) == [("DELETED", "a")]


def test_versions_of_events_can_be_watched_from(space: Space) -> None:
    since = version(space)
    for name in ("a", "b", "c"):
        space.api.create(space.maps(), config(name, labels={"mine": "1"}))
    with space.api.watch(space.maps(), resourceVersion=since, labelSelector="mine") as events:
        seen = [next(events)["object"]["metadata"]["resourceVersion"] for _ in range(3)]
    assert [int(each) for each in seen] == sorted(int(each) for each in seen)
    with space.api.watch(space.maps(), resourceVersion=seen[1], labelSelector="mine") as events:
        assert of(events, 1) == [("ADDED", "c")]


def test_an_event_carries_the_whole_object(space: Space) -> None:
    since = version(space)
    made = space.api.create(space.maps(), config("a"))
    with space.api.watch(space.maps(), resourceVersion=since, fieldSelector="metadata.name=a") as events:
        assert next(events)["object"] == made


def test_an_object_comes_and_goes_as_its_labels_do(space: Space) -> None:
    space.api.create(space.maps(), config("a"))
    with space.api.watch(space.maps(), resourceVersion=version(space), labelSelector="x=1") as events:
        for value in ("1", "2"):
            space.api.patch(space.maps("a"), {"metadata": {"labels": {"x": value}}})
        assert of(events, 2) == [("ADDED", "a"), ("DELETED", "a")]


def test_other_namespaces_are_not_told(space: Space) -> None:
    since = version(space)
    space.api.create("/api/v1/namespaces/default/configmaps", {"metadata": {"generateName": f"{space.name}-"}})
    space.api.create(space.maps(), config("a"))
    with space.api.watch(space.maps(), resourceVersion=since) as events:
        seen = [next(events)["object"]["metadata"]["namespace"]]
    assert seen == [space.name]


def test_all_namespaces_can_be_watched(space: Space) -> None:
    since = version(space)
    space.api.create(space.maps(), config("a", labels={"of": space.name}))
    with space.api.watch("/api/v1/configmaps", resourceVersion=since, labelSelector=f"of={space.name}") as events:
        assert of(events, 1) == [("ADDED", "a")]


def test_a_watch_ends_when_its_time_is_over(space: Space) -> None:
    began = time.monotonic()
    with space.api.watch(space.maps(), 1, resourceVersion=version(space), labelSelector="none") as events:
        assert list(events) == []
    assert 0.5 < time.monotonic() - began < 5


def test_a_write_of_nothing_is_no_event(space: Space) -> None:
    space.api.create(space.maps(), config("a", labels={"mine": "1"}))
    with space.api.watch(space.maps(), resourceVersion=version(space), labelSelector="mine") as events:
        space.api.patch(space.maps("a"), {"data": {"k": "1"}})
        space.api.create(space.maps(), config("b", labels={"mine": "1"}))
        assert of(events, 1) == [("ADDED", "b")]


def test_a_status_that_is_written_is_told(space: Space) -> None:
    path = space.path("deployments", group="apps/v1")
    made = space.api.create(path, deployment())
    since = made["metadata"]["resourceVersion"]
    with space.api.watch(path, resourceVersion=since, fieldSelector="metadata.name=web") as events:
        condition = {"type": "Contract", "status": "True"}
        space.api.patch(f"{path}/web/status", {"status": {"conditions": [condition]}})
        told = (each["object"].get("status", {}).get("conditions") or [] for each in events)
        assert next(True for found in told if any(each["type"] == "Contract" for each in found))
