"""Deletion: preconditions, finalizers, owners and namespaces."""

from __future__ import annotations

import pytest

from tests.contract.kubernetes.support import (
    Api,
    Object,
    Space,
    config,
    deployment,
    gone,
    new_space,
    owner_of,
    refused,
)
from tests.waiting import until

HOLD = "example.com/hold"


def test_a_deleted_object_is_gone_and_told(space: Space) -> None:
    made = space.api.create(space.maps(), config("a"))
    told = space.api.delete(space.maps("a"))
    assert (told["kind"], told["status"]) == ("Status", "Success")
    assert told["details"] == {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    assert gone(space.api, space.maps("a"))


def test_only_the_object_that_is_meant_is_deleted(space: Space) -> None:
    made = space.api.create(space.maps(), config("a"))
    answer = space.api.call("DELETE", space.maps("a"), {"preconditions": {"uid": "another"}})
    assert refused(answer) == (409, "Conflict")
    old = {"preconditions": {"resourceVersion": made["metadata"]["resourceVersion"]}}
    space.api.patch(space.maps("a"), {"data": {"k": "2"}})
    assert refused(space.api.call("DELETE", space.maps("a"), old)) == (409, "Conflict")
    space.api.delete(space.maps("a"), {"preconditions": {"uid": made["metadata"]["uid"]}})
    assert gone(space.api, space.maps("a"))


def test_a_finalizer_holds_an_object_until_it_is_taken_off(space: Space) -> None:
    space.api.create(space.maps(), config("a", finalizers=[HOLD]))
    held = space.api.delete(space.maps("a"))
    assert held["metadata"]["deletionTimestamp"] and held["metadata"]["deletionGracePeriodSeconds"] == 0
    again = space.api.delete(space.maps("a"))
    assert again["metadata"]["deletionTimestamp"] == held["metadata"]["deletionTimestamp"]
    space.api.patch(space.maps("a"), {"metadata": {"finalizers": None}})
    assert gone(space.api, space.maps("a"))


def test_what_is_being_deleted_gets_no_new_finalizers(space: Space) -> None:
    space.api.create(space.maps(), config("a", finalizers=[HOLD]))
    space.api.delete(space.maps("a"))
    patch = {"metadata": {"finalizers": [HOLD, "example.com/more"]}}
    answer = space.api.call("PATCH", space.maps("a"), patch, "application/merge-patch+json")
    assert refused(answer) == (422, "Invalid")
    space.api.patch(space.maps("a"), {"metadata": {"finalizers": None}})


def test_a_collection_is_deleted_by_label(space: Space) -> None:
    for name, labels in (("a", {"x": "1"}), ("b", {"x": "1"}), ("c", {"x": "2"})):
        space.api.create(space.maps(), config(name, labels=labels))
    space.api.delete(space.maps(), labelSelector="x=1")
    left = space.api.get(space.maps(), labelSelector="x")["items"]
    assert [each["metadata"]["name"] for each in left] == ["c"]


# Owners


def owned(space: Space, owner: Object, name: str = "owned", **more: object) -> str:
    """Path of an object with one owner."""
    space.api.create(space.maps(), config(name, ownerReferences=[owner_of(owner, **more)]))
    return space.maps(name)


def test_what_an_object_owns_goes_after_it(space: Space) -> None:
    owner = space.api.create(space.maps(), config("owner"))
    path = owned(space, owner)
    below = owned(space, space.api.get(path), "below")
    space.api.delete(space.maps("owner"), {"propagationPolicy": "Background"})
    assert gone(space.api, space.maps("owner"))
    until(lambda: gone(space.api, path) and gone(space.api, below), "what it owned is gone")


def test_what_has_another_owner_stays(space: Space) -> None:
    one, other = (space.api.create(space.maps(), config(name)) for name in ("one", "other"))
    both = config("both", ownerReferences=[owner_of(one), owner_of(other)])
    space.api.create(space.maps(), both)
    alone = owned(space, one, "alone")
    space.api.delete(space.maps("one"), {"propagationPolicy": "Background"})
    until(lambda: gone(space.api, alone), "what had one owner is gone")
    assert space.api.get(space.maps("both"))


def test_orphans_stay_without_their_owner(space: Space) -> None:
    owner = space.api.create(space.maps(), config("owner"))
    path = owned(space, owner)
    space.api.delete(space.maps("owner"), {"propagationPolicy": "Orphan"})
    until(lambda: gone(space.api, space.maps("owner")), "the owner is gone")
    assert "ownerReferences" not in space.api.get(path)["metadata"]


def test_an_owner_in_the_foreground_waits_for_what_it_owns(space: Space) -> None:
    owner = space.api.create(space.maps(), config("owner"))
    reference = owner_of(owner, blockOwnerDeletion=True)
    space.api.create(space.maps(), config("owned", ownerReferences=[reference], finalizers=[HOLD]))
    # The garbage collector has to have seen the object: only then does the owner wait for it.
    probe = owned(space, {**owner, "metadata": {**owner["metadata"], "uid": "nobody"}}, "probe")
    until(lambda: gone(space.api, probe), "the collector has caught up")
    space.api.delete(space.maps("owner"), {"propagationPolicy": "Foreground"})
    until(lambda: space.api.get(space.maps("owned"))["metadata"].get("deletionTimestamp"), "the owned is going")
    waiting = space.api.get(space.maps("owner"))["metadata"]
    assert waiting["finalizers"] == ["foregroundDeletion"] and waiting["deletionTimestamp"]
    space.api.patch(space.maps("owned"), {"metadata": {"finalizers": None}})
    until(lambda: gone(space.api, space.maps("owner")), "the owner is gone too")


def test_what_names_an_owner_that_is_not_there_is_collected(space: Space) -> None:
    nobody = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "nobody", "uid": "no-such-uid"}}
    path = owned(space, nobody)
    until(lambda: gone(space.api, path), "it is collected")


# Namespaces


def test_a_new_object_needs_its_namespace(api: Api) -> None:
    answer = api.call("POST", "/api/v1/namespaces/not-there-at-all/configmaps", config("a"))
    assert refused(answer) == (404, "NotFound")
    assert answer.json()["message"] == 'namespaces "not-there-at-all" not found'
    path = "/api/v1/namespaces/not-there-at-all/configmaps/a"
    assert refused(api.applying(path, config("a"))) == (404, "NotFound")


def test_a_namespace_goes_with_everything_in_it(api: Api) -> None:
    space = new_space(api)
    api.create(space.maps(), config("a"))
    api.create(space.path("deployments", group="apps/v1"), deployment())
    told = api.delete(f"/api/v1/namespaces/{space.name}")
    assert told["metadata"]["name"] == space.name and told["metadata"]["deletionTimestamp"]
    assert told["status"]["phase"] == "Terminating"
    until(lambda: gone(api, f"/api/v1/namespaces/{space.name}"), "the namespace is gone")
    for path in (space.maps("a"), space.path("deployments", "web", "apps/v1")):
        assert gone(api, path)


@pytest.fixture
def terminating(api: Api) -> Space:
    """A namespace that an object in it holds."""
    space = new_space(api)
    api.create(space.maps(), config("held", finalizers=[HOLD]))
    api.delete(f"/api/v1/namespaces/{space.name}")
    return space


def test_a_namespace_that_is_going_takes_nothing_new(terminating: Space) -> None:
    answer = terminating.api.call("POST", terminating.maps(), config("a"))
    assert refused(answer) == (403, "Forbidden")
    assert "because it is being terminated" in answer.json()["message"]
    assert answer.json()["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    assert refused(terminating.api.applying(terminating.maps("a"), config("a"))) == (403, "Forbidden")


def test_a_namespace_waits_for_what_is_held(terminating: Space) -> None:
    api = terminating.api
    until(lambda: api.get(terminating.maps("held"))["metadata"].get("deletionTimestamp"), "what is in it is going")
    assert api.get(f"/api/v1/namespaces/{terminating.name}")["status"]["phase"] == "Terminating"
    api.patch(terminating.maps("held"), {"metadata": {"finalizers": None}})
    until(lambda: gone(api, f"/api/v1/namespaces/{terminating.name}"), "the namespace is gone")


def test_a_namespace_comes_back_as_another_one(api: Api) -> None:
    space = new_space(api)
    path = f"/api/v1/namespaces/{space.name}"
    first = api.get(path)["metadata"]["uid"]
    api.delete(path)
    until(lambda: gone(api, path), "the namespace is gone")
    made = api.create("/api/v1/namespaces", {"metadata": {"name": space.name}})
    assert made["metadata"]["uid"] != first and made["status"]["phase"] == "Active"
