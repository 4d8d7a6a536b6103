"""Deploy keys: one key may open several projects, each with its own right to push, and belongs to who put it there."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.contract.gitlab.support import DEVELOPER, MAINTAINER, Maker


def _public_key() -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return f"{key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} test"


def _keys(project: Any) -> str:
    return f"/projects/{project['id']}/deploy_keys"


def test_a_key_may_read_unless_it_is_told_to_push(make: Maker) -> None:
    project = make.project()
    reads = make.root.made(_keys(project), title="reads", key=_public_key())
    writes = make.root.made(_keys(project), title="writes", key=_public_key(), can_push=True)
    assert (reads["can_push"], writes["can_push"]) == (False, True)
    assert {each["title"] for each in make.root.seen(_keys(project))} == {"reads", "writes"}


def test_the_same_key_again_is_the_key_that_is_there(make: Maker) -> None:
    project, key = make.project(), _public_key()
    first = make.root.made(_keys(project), title="first", key=key)
    again = make.root.made(_keys(project), title="other", key=key, can_push=True)
    assert (again["id"], again["title"], again["can_push"]) == (first["id"], "first", False)
    assert len(make.root.seen(_keys(project))) == 1


def test_a_key_of_another_project_is_joined_and_pushes_where_it_is_allowed_to(make: Maker) -> None:
    one, two, key = make.project(), make.project(), _public_key()
    first = make.root.made(_keys(one), title="first", key=key)
    joined = make.root.made(_keys(two), title="other", key=key, can_push=True)
    assert (joined["id"], joined["title"], joined["can_push"]) == (first["id"], "first", True)
    assert make.root.seen(f"{_keys(one)}/{first['id']}")["can_push"] is False
    assert make.root.delete(f"{_keys(one)}/{first['id']}").status_code == 204
    assert make.root.seen(f"{_keys(two)}/{first['id']}")["id"] == first["id"]


def test_a_key_somebody_else_uses_is_taken_and_cannot_be_enabled(make: Maker) -> None:
    theirs, ours, key = make.project(), make.project(), _public_key()
    known = make.root.made(_keys(theirs), title="theirs", key=key)
    stranger = make.member(ours, MAINTAINER)
    taken = stranger.api.post(_keys(ours), title="ours", key=key)
    words = {"deploy_key.fingerprint_sha256": ["has already been taken"]}
    assert (taken.status_code, taken.json()["message"]) == (400, words)
    enabled = stranger.api.post(f"{_keys(ours)}/{known['id']}/enable")
    assert (enabled.status_code, enabled.json()["message"]) == (404, "404 Deploy key Not Found")
    assert make.root.post(f"{_keys(ours)}/{known['id']}/enable").status_code == 201
    assert [each["id"] for each in make.root.seen(_keys(ours))] == [known["id"]]


def test_the_right_to_push_is_changed_in_place(make: Maker) -> None:
    project = make.project()
    key = make.root.made(_keys(project), title="k", key=_public_key())
    path = f"{_keys(project)}/{key['id']}"
    assert make.root.put(path, can_push=True).status_code == 200
    assert make.root.seen(path)["can_push"] is True
    assert make.root.put(path).status_code == 400


def test_a_removed_key_may_be_put_elsewhere_by_anybody(make: Maker) -> None:
    one, two, text = make.project(), make.project(), _public_key()
    key = make.root.made(_keys(one), title="k", key=text)
    path = f"{_keys(one)}/{key['id']}"
    assert make.root.delete(path).status_code == 204
    assert make.root.get(path).json() == {"message": "404 Not found"}
    assert make.root.delete(path).status_code == 404
    make.member(two, MAINTAINER).api.made(_keys(two), title="k", key=text)


@pytest.mark.parametrize("key", ["nonsense", "ssh-ed25519 ???", "ssh-unknown AAAA"])
def test_what_is_no_key_is_refused(make: Maker, key: str) -> None:
    assert make.root.post(_keys(make.project()), title="k", key=key).status_code == 400


def test_keys_are_for_maintainers(make: Maker) -> None:
    project = make.project()
    developer = make.member(project, DEVELOPER).api
    assert developer.get(_keys(project)).status_code == 403
    assert developer.post(_keys(project), title="k", key=_public_key()).status_code == 403
