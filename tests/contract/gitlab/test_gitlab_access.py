"""Who is there, how they prove it, and what they may see and do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.contract.gitlab.support import (
    DEVELOPER,
    GUEST,
    MAINTAINER,
    OWNER,
    REPORTER,
    Api,
    Maker,
    quoted,
    unique,
)


def test_a_caller_is_known_by_the_token(make: Maker) -> None:
    person = make.user()
    shown = person.api.seen("/user")
    assert (shown["id"], shown["username"]) == (person.id, person.username)
    assert "is_admin" not in shown
    assert make.root.seen("/user")["is_admin"] is True


@pytest.mark.parametrize("path", ["/user", "/version", "/projects/1/hooks"])
def test_a_wrong_token_is_401_whatever_is_asked_for(root: Api, path: str) -> None:
    answer = Api(root.url, unique("glpat")).get(path)
    assert (answer.status_code, answer.json()) == (401, {"message": "401 Unauthorized"})


def test_without_a_token_nothing_can_be_written(anonymous: Api, make: Maker) -> None:
    project = make.project(visibility="public")
    assert anonymous.post("/groups", name="x", path="x").status_code == 401
    assert anonymous.put(f"/projects/{project['id']}", description="x").status_code == 401
    assert anonymous.get(f"/projects/{project['id']}").status_code == 200


def test_a_revoked_token_says_so(make: Maker) -> None:
    person = make.user()
    assert person.api.delete("/personal_access_tokens/self").status_code == 204
    answer = person.api.get("/user")
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_token"
    assert "revoked" in answer.json()["error_description"]


def test_a_token_ends_on_the_day_it_expires(make: Maker) -> None:
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    answer = Api(make.root.url, make.token(make.user().id, expires_at=today)).get("/user")
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_token"
    assert "expired" in answer.json()["error_description"]


def test_a_token_is_taken_as_bearer_too(make: Maker, anonymous: Api) -> None:
    person = make.user()
    anonymous_with_header = Api(anonymous.url)
    anonymous_with_header._client.headers["Authorization"] = f"Bearer {person.api.token}"
    assert anonymous_with_header.seen("/user")["id"] == person.id


def test_a_token_that_may_only_read_cannot_write(make: Maker) -> None:
    reader = Api(make.root.url, make.token(make.user().id, ("read_api",)))
    assert reader.get("/user").status_code == 200
    answer = reader.post("/groups", name="x", path=unique("x"))
    assert answer.status_code == 403
    assert answer.json()["error"] == "insufficient_scope"


def test_a_blocked_account_is_refused(make: Maker) -> None:
    person = make.user()
    assert make.root.post(f"/users/{person.id}/block").status_code == 201
    assert person.api.get("/user").status_code == 403


def test_only_an_administrator_makes_users_and_names_are_taken_once(make: Maker) -> None:
    person = make.user()
    name = unique("user")
    body = {"name": "x", "username": name, "password": unique("Pw!")}
    assert person.api.post("/users", email=f"{name}@example.com", **body).status_code == 403
    taken = make.root.post("/users", email=f"{person.username}@example.com", **body)
    assert (taken.status_code, taken.json()["message"]) == (409, "Email has already been taken")


def test_what_is_hidden_looks_like_what_is_not_there(make: Maker) -> None:
    project, stranger = make.project(), make.user()
    hidden = stranger.api.get(f"/projects/{project['id']}")
    missing = stranger.api.get("/projects/999999999")
    assert (hidden.status_code, hidden.json()) == (missing.status_code, missing.json())
    assert hidden.json() == {"message": "404 Project Not Found"}
    group = stranger.api.get(f"/groups/{project['namespace']['id']}")
    assert (group.status_code, group.json()) == (404, {"message": "404 Group Not Found"})
    assert stranger.api.delete(f"/projects/{project['id']}").status_code == 404


def test_what_is_seen_but_not_allowed_is_403(make: Maker) -> None:
    project = make.project()
    guest = make.member(project, GUEST)
    assert guest.api.get(f"/projects/{project['id']}").status_code == 200
    assert guest.api.delete(f"/projects/{project['id']}").status_code == 403
    assert guest.api.get(f"/projects/{project['id']}/hooks").status_code == 403


@pytest.mark.parametrize(
    ("level", "reads", "commits", "administers"),
    [
        (GUEST, False, False, False),
        (REPORTER, True, False, False),
        (DEVELOPER, True, True, False),
        (MAINTAINER, True, True, True),
    ],
)
def test_levels_open_code_commits_and_settings(
    make: Maker, level: int, reads: bool, commits: bool, administers: bool
) -> None:
    project = make.project(readme=True)
    api, base = make.member(project, level).api, f"/projects/{project['id']}"
    make.root.made(f"{base}/repository/branches", branch="topic", ref="main")
    assert api.get(f"{base}/repository/tree").is_success is reads
    action = {"action": "create", "file_path": "a.txt", "content": "a"}
    commit = {"branch": "topic", "commit_message": "m", "actions": [action]}
    assert api.post(f"{base}/repository/commits", **commit).is_success is commits
    assert api.get(f"{base}/deploy_keys").is_success is administers


def test_membership_of_a_group_counts_in_everything_below_it(make: Maker) -> None:
    top = make.group()
    below = make.group(parent_id=top["id"])
    project = make.project(namespace_id=below["id"])
    person = make.user()
    make.root.made(f"/groups/{top['id']}/members", user_id=person.id, access_level=MAINTAINER)
    assert person.api.get(f"/projects/{project['id']}/hooks").status_code == 200
    found = make.root.seen(f"/projects/{project['id']}/members/all/{person.id}")
    assert found["access_level"] == MAINTAINER
    assert make.root.get(f"/projects/{project['id']}/members/{person.id}").status_code == 404


def test_members_are_added_once_and_nobody_grants_more_than_they_have(make: Maker) -> None:
    project, newcomer = make.project(), make.user()
    base = f"/projects/{project['id']}/members"
    maintainer = make.member(project, MAINTAINER)
    refused = maintainer.api.post(base, user_id=newcomer.id, access_level=OWNER)
    assert refused.status_code == 403
    maintainer.api.made(base, user_id=newcomer.id, access_level=DEVELOPER)
    again = maintainer.api.post(base, user_id=newcomer.id, access_level=DEVELOPER)
    assert (again.status_code, again.json()["message"]) == (409, "Member already exists")
    unknown = maintainer.api.post(base, user_id=999999999, access_level=DEVELOPER)
    assert (unknown.status_code, unknown.json()["message"]) == (404, "404 User Not Found")
    assert maintainer.api.delete(f"{base}/{newcomer.id}").status_code == 204
    assert maintainer.api.delete(f"{base}/{newcomer.id}").status_code == 404


def test_an_access_level_that_is_none_is_refused(make: Maker) -> None:
    project, person = make.project(), make.user()
    answer = make.root.post(f"/projects/{project['id']}/members", user_id=person.id, access_level=31)
    assert (answer.status_code, answer.json()["error"]) == (400, "access_level does not have a valid value")


def test_public_is_for_all_and_internal_for_who_is_signed_in(make: Maker, anonymous: Api) -> None:
    stranger = make.user()
    for visibility, signed_in, anybody in (("public", 200, 200), ("internal", 200, 404), ("private", 404, 404)):
        path = f"/projects/{make.project(visibility=visibility)['id']}"
        assert stranger.api.get(path).status_code == signed_in, visibility
        assert anonymous.get(path).status_code == anybody, visibility


def test_a_thing_is_found_by_id_and_by_encoded_path_without_regard_to_case(make: Maker) -> None:
    below = make.group(parent_id=make.group()["id"])
    project = make.project(namespace_id=below["id"], path="default.project")
    path = project["path_with_namespace"]
    assert path == f"{below['full_path']}/default.project"
    for key in (project["id"], quoted(path), quoted(path.upper())):
        assert make.root.seen(f"/projects/{key}")["id"] == project["id"]
    for key in (below["id"], quoted(below["full_path"])):
        assert make.root.seen(f"/groups/{key}")["id"] == below["id"]
    assert make.root.get("/projects/default.project").status_code == 404
