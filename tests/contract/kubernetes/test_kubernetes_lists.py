"""Lists: selectors and pages."""

from __future__ import annotations

import pytest

from tests.contract.kubernetes.support import Api, Space, config, new_space, refused


@pytest.fixture
def three(space: Space) -> Space:
    for name, labels in (("a", {"app": "web", "tier": "front"}), ("b", {"app": "web"}), ("c", {})):
        space.api.create(space.path("secrets"), {"metadata": {"name": name, "labels": labels}, "type": "t/t"})
    return space


def names(space: Space, **query: str) -> list[str]:
    items = space.api.get(space.path("secrets"), **{"fieldSelector": "type=t/t", **query})["items"]
    return [each["metadata"]["name"] for each in items]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=web", "ab"),
        ("app==web,tier=front", "a"),
        ("app!=web", "c"),
        ("tier", "a"),
        ("!tier", "bc"),
        ("app in (web, api)", "ab"),
        ("tier notin (front)", "bc"),
        ("app,!tier", "b"),
        ("app=", ""),
    ],
)
def test_labels_select(three: Space, selector: str, expected: str) -> None:
    assert names(three, labelSelector=selector) == list(expected)


@pytest.mark.parametrize("selector", ["app in (web", "app=web tier", "=", "app~web"])
def test_a_selector_that_cannot_be_read_is_refused(three: Space, selector: str) -> None:
    assert refused(three.api.call("GET", three.maps(), labelSelector=selector)) == (400, "BadRequest")


def test_fields_select(three: Space) -> None:
    assert names(three, fieldSelector="metadata.name=b") == ["b"]
    assert names(three, fieldSelector=f"metadata.namespace={three.name},type=t/t") == ["a", "b", "c"]
    assert names(three, fieldSelector="metadata.name!=b,type=t/t") == ["a", "c"]
    assert refused(three.api.call("GET", three.maps(), fieldSelector="data.k=1")) == (400, "BadRequest")


def test_a_list_tells_its_version_and_its_items_are_in_order(three: Space) -> None:
    found = three.api.get(three.path("secrets"), fieldSelector="type=t/t")
    assert (found["kind"], found["apiVersion"]) == ("SecretList", "v1")
    assert int(found["metadata"]["resourceVersion"]) >= int(found["items"][-1]["metadata"]["resourceVersion"])
    assert "kind" not in found["items"][0]
    assert [each["metadata"]["name"] for each in found["items"]] == ["a", "b", "c"]


def test_an_empty_list_is_a_list(space: Space) -> None:
    found = space.api.get(space.path("deployments", group="apps/v1"))
    assert (found["kind"], found["items"]) == ("DeploymentList", [])


def test_all_namespaces_are_listed_at_once(api: Api) -> None:
    one, other = new_space(api), new_space(api)
    for space in (one, other):
        api.create(space.maps(), config("a", labels={"of": one.name}))
    found = api.get("/api/v1/configmaps", labelSelector=f"of={one.name}")["items"]
    assert sorted(each["metadata"]["namespace"] for each in found) == sorted([one.name, other.name])


def test_pages_together_are_the_list(space: Space) -> None:
    for number in range(5):
        space.api.create(space.maps(), config(f"page-{number}", labels={"paged": "yes"}))
    seen, token, versions = [], "", set()
    while True:
        more = {"continue": token} if token else {}
        page = space.api.get(space.maps(), limit=2, labelSelector="paged", **more)
        seen.append([each["metadata"]["name"] for each in page["items"]])
        versions.add(page["metadata"]["resourceVersion"])
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert seen == [["page-0", "page-1"], ["page-2", "page-3"], ["page-4"]]
    assert len(versions) == 1


def test_pages_are_of_one_moment(space: Space) -> None:
    for name in ("a", "b", "c"):
        space.api.create(space.maps(), config(name, labels={"paged": "yes"}))
    first = space.api.get(space.maps(), limit=1, labelSelector="paged")
    space.api.delete(space.maps("b"))
    space.api.create(space.maps(), config("d", labels={"paged": "yes"}))
    query = {"continue": first["metadata"]["continue"], "labelSelector": "paged"}
    rest = space.api.get(space.maps(), **query)
    assert [each["metadata"]["name"] for each in rest["items"]] == ["b", "c"]


def test_what_is_left_is_counted(space: Space) -> None:
    path = space.path("deployments", group="apps/v1")
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    for name in ("a", "b", "c"):
        space.api.create(path, {"metadata": {"name": name}, "spec": spec})
    assert space.api.get(path, limit=1)["metadata"]["remainingItemCount"] == 2


def test_a_page_nobody_gave_is_refused(space: Space) -> None:
    query = {"limit": "1", "continue": "xx"}
    assert refused(space.api.call("GET", space.maps(), **query)) == (400, "BadRequest")
