"""Deploy keys: one key may open several projects, each with its own right to push, and belongs to who put it there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.gitlab.support import DEVELOPER, MAINTAINER, Maker, day, public_key


def _keys(project: Any) -> str:
    return f"/projects/{project['id']}/deploy_keys"


def test_a_key_may_read_unless_it_is_told_to_push(make: Maker) -> None:
    project = make.project()
    reads = make.root.made(_keys(project), title="reads", key=public_key())
    writes = make.root.made(_keys(project), title="writes", key=public_key(), can_push=True)
    assert (reads["can_push"], writes["can_push"]) == (False, True)
    assert {each["title"] for each in make.root.seen(_keys(project))} == {"reads", "writes"}


def test_the_same_key_again_is_the_key_that_is_there(make: Maker) -> None:
    project, key = make.project(), public_key()
    first = make.root.made(_keys(project), title="first", key=key)
    again = make.root.made(_keys(project), title="other", key=key, can_push=True)
    assert (again["id"], again["title"], again["can_push"]) == (first["id"], "first", False)
    assert len(make.root.seen(_keys(project))) == 1


def test_a_key_of_another_project_is_joined_and_pushes_where_it_is_allowed_to(make: Maker) -> None:
    one, two, key = make.project(), make.project(), public_key()
    first = make.root.made(_keys(one), title="first", key=key)
    joined = make.root.made(_keys(two), title="other", key=key, can_push=True)
    assert (joined["id"], joined["title"], joined["can_push"]) == (first["id"], "first", True)
    assert make.root.seen(f"{_keys(one)}/{first['id']}")["can_push"] is False
    assert make.root.delete(f"{_keys(one)}/{first['id']}").status_code == 204
    assert make.root.seen(f"{_keys(two)}/{first['id']}")["id"] == first["id"]


def test_a_key_somebody_else_uses_is_taken_and_cannot_be_enabled(make: Maker) -> None:
    theirs, ours, key = make.project(), make.project(), public_key()
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
    key = make.root.made(_keys(project), title="k", key=public_key())
    path = f"{_keys(project)}/{key['id']}"
    assert make.root.put(path, can_push=True).status_code == 200
    assert make.root.seen(path)["can_push"] is True
    assert make.root.put(path).status_code == 400


def test_a_removed_key_may_be_put_elsewhere_by_anybody(make: Maker) -> None:
    one, two, text = make.project(), make.project(), public_key()
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
    assert developer.post(_keys(project), title="k", key=public_key()).status_code == 403


def test_a_key_opens_several_projects_each_with_its_own_right(make: Maker) -> None:
    one, two, three = (make.project() for _ in range(3))
    key = make.root.made(_keys(one), title="shared", key=public_key())
    make.root.made(_keys(two), title="other", key=key["key"], can_push=True)
    make.root.made(f"{_keys(three)}/{key['id']}/enable")
    assert make.root.put(f"{_keys(three)}/{key['id']}", can_push=True).status_code == 200
    assert make.root.put(f"{_keys(two)}/{key['id']}", can_push=False).status_code == 200
    rights = [make.root.seen(f"{_keys(each)}/{key['id']}")["can_push"] for each in (one, two, three)]
    assert rights == [False, False, True]


def test_the_title_of_a_shared_key_is_shared(make: Maker) -> None:
    one, two, key = make.project(), make.project(), public_key()
    known = make.root.made(_keys(one), title="first", key=key)
    make.root.made(_keys(two), title="second", key=key)
    assert make.root.put(f"{_keys(two)}/{known['id']}", title="third").status_code == 200
    assert make.root.seen(f"{_keys(one)}/{known['id']}")["title"] == "third"


def test_an_enabled_key_may_read(make: Maker) -> None:
    one, two = make.project(), make.project()
    key = make.root.made(_keys(one), title="k", key=public_key(), can_push=True)
    assert "can_push" not in make.root.made(f"{_keys(two)}/{key['id']}/enable"), "that answer does not tell"
    assert make.root.seen(f"{_keys(two)}/{key['id']}")["can_push"] is False
    again = make.root.post(f"{_keys(two)}/{key['id']}/enable")
    assert (again.status_code, len(make.root.seen(_keys(two)))) == (201, 1)


def test_a_key_that_differs_in_its_comment_alone_is_taken(make: Maker) -> None:
    project, key = make.project(), public_key("first")
    make.root.made(_keys(project), title="first", key=key)
    taken = make.root.post(_keys(project), title="second", key=f"{key.rpartition(' ')[0]} second")
    words = {"deploy_key.fingerprint_sha256": ["has already been taken"]}
    assert (taken.status_code, taken.json()["message"]) == (400, words)


def test_a_key_has_the_end_it_was_given_wherever_it_is_joined(make: Maker) -> None:
    one, two, key = make.project(), make.project(), public_key()
    made = make.root.made(_keys(one), title="k", key=key, expires_at=f"{day(30)}T00:00:00Z")
    assert made["expires_at"].startswith(f"{day(30)}T00:00:00")
    assert make.root.made(_keys(two), title="k", key=key, expires_at=f"{day(60)}T00:00:00Z") == made
    assert make.root.made(_keys(two), title="for ever", key=public_key())["expires_at"] is None


def test_a_key_that_has_ended_already_is_refused(make: Maker) -> None:
    project = make.project()
    assert (
        make.root.post(_keys(project), title="k", key=public_key(), expires_at=f"{day(0)}T00:00:00Z").is_success
        is False
    )
    assert make.root.seen(_keys(project)) == []


def test_a_key_is_gone_with_the_last_project_it_opens(make: Maker) -> None:
    one, two, key = make.project(), make.project(), public_key()
    known = make.root.made(_keys(one), title="k", key=key)
    make.root.made(f"{_keys(two)}/{known['id']}/enable")
    assert make.root.delete(f"{_keys(one)}/{known['id']}").status_code == 204
    assert make.root.get(f"{_keys(one)}/{known['id']}").status_code == 404
    assert make.root.made(f"{_keys(one)}/{known['id']}/enable")["id"] == known["id"], "the other project still has it"
    for project in (one, two):
        assert make.root.delete(f"{_keys(project)}/{known['id']}").status_code == 204
    gone = make.root.post(f"{_keys(one)}/{known['id']}/enable")
    assert (gone.status_code, gone.json()["message"]) == (404, "404 Deploy key Not Found")
