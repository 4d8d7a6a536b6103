"""Project access tokens: a bot that is a member of one project, and a token that is shown once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.gitlab.support import DEVELOPER, GUEST, MAINTAINER, OWNER, REPORTER, Api, Clone, Maker, day, unique


@pytest.fixture
def project(make: Maker) -> Any:
    return make.root.seen(f"/projects/{make.project(readme=True)['id']}")


def _tokens(project: Any) -> str:
    return f"/projects/{project['id']}/access_tokens"


def _made(make: Maker, project: Any, **more: Any) -> Any:
    return make.root.made(_tokens(project), **{"name": "ci", "scopes": ["api"], "expires_at": day(30), **more})


def test_a_token_is_a_maintainer_unless_told_otherwise_and_shown_once(make: Maker, project: Any) -> None:
    made = _made(make, project)
    assert (made["name"], made["scopes"], made["expires_at"]) == ("ci", ["api"], day(30))
    assert (made["access_level"], made["active"], made["revoked"]) == (MAINTAINER, True, False)
    shown = make.root.seen(f"{_tokens(project)}/{made['id']}")
    assert shown == {name: value for name, value in made.items() if name != "token"}
    assert make.root.seen(_tokens(project)) == [shown]
    assert _made(make, project, access_level=REPORTER)["access_level"] == REPORTER


def test_its_bot_is_a_member_of_the_project(make: Maker, project: Any) -> None:
    made = _made(make, project, access_level=DEVELOPER)
    assert Api(make.root.url, made["token"]).seen("/user")["id"] == made["user_id"]
    members = {each["id"]: each["access_level"] for each in make.root.seen(f"/projects/{project['id']}/members")}
    assert members[made["user_id"]] == DEVELOPER


def test_it_opens_this_project_and_no_other(make: Maker, project: Any, tmp_path: Any) -> None:
    other = make.project(namespace_id=project["namespace"]["id"], readme=True)
    bot = Api(make.root.url, _made(make, project)["token"])
    assert bot.get(f"/projects/{project['id']}/hooks").status_code == 200
    assert bot.get(f"/projects/{other['id']}").status_code == 404
    assert [each["id"] for each in bot.seen("/projects", membership=True)] == [project["id"]]
    clone = Clone(project, bot, tmp_path / "clone")
    clone.commit()
    assert clone.git("push", "--quiet", "origin", "main").returncode == 0


def test_it_may_do_what_its_level_and_scopes_allow(make: Maker, project: Any) -> None:
    guest = Api(make.root.url, _made(make, project, access_level=GUEST)["token"])
    assert guest.get(f"/projects/{project['id']}/repository/tree").status_code == 403
    reader = Api(make.root.url, _made(make, project, scopes=["read_api"])["token"])
    assert reader.get(f"/projects/{project['id']}/hooks").status_code == 200
    assert reader.put(f"/projects/{project['id']}", description="x").json()["error"] == "insufficient_scope"


def test_a_revoked_token_opens_nothing_and_its_bot_is_no_member(make: Maker, project: Any) -> None:
    made = _made(make, project)
    path = f"{_tokens(project)}/{made['id']}"
    assert make.root.delete(path).status_code == 204
    assert Api(make.root.url, made["token"]).get("/user").status_code == 401
    assert make.root.seen(_tokens(project), state="active") == []
    assert make.root.delete(f"{_tokens(project)}/999999999").status_code == 404


def test_rotation_gives_a_new_token_to_the_same_bot_and_ends_the_old_one(make: Maker, project: Any) -> None:
    old = _made(make, project, access_level=DEVELOPER)
    answer = make.root.post(f"{_tokens(project)}/{old['id']}/rotate", expires_at=day(60))
    assert answer.status_code == 200
    new = answer.json()
    assert (new["name"], new["scopes"], new["access_level"]) == ("ci", ["api"], DEVELOPER)
    assert (new["user_id"], new["expires_at"]) == (old["user_id"], day(60))
    assert new["id"] != old["id"]
    assert Api(make.root.url, old["token"]).get("/user").status_code == 401
    assert Api(make.root.url, new["token"]).get("/user").status_code == 200
    assert [each["id"] for each in make.root.seen(_tokens(project), state="active")] == [new["id"]]
    assert old["id"] in {each["id"] for each in make.root.seen(_tokens(project), state="inactive")}


def test_a_revoked_token_is_not_rotated(make: Maker, project: Any) -> None:
    old = _made(make, project)
    assert make.root.post(f"{_tokens(project)}/{old['id']}/rotate").status_code == 200
    assert make.root.post(f"{_tokens(project)}/{old['id']}/rotate").status_code == 400


def test_a_token_ends_on_its_day_and_within_a_year(make: Maker, project: Any) -> None:
    ended = _made(make, project, expires_at=day(0))
    assert ended["active"] is False
    assert Api(make.root.url, ended["token"]).get("/user").status_code == 401
    late = make.root.post(_tokens(project), name="ci", scopes=["api"], expires_at=day(500))
    assert (late.status_code, late.json()["message"].startswith("400 Bad request - ")) == (400, True)


def test_tokens_are_for_maintainers(make: Maker, project: Any) -> None:
    made, body = _made(make, project), {"name": "ci", "scopes": ["api"], "expires_at": day(30)}
    developer = make.member(project, DEVELOPER).api
    assert developer.get(_tokens(project)).status_code == 401
    refused = developer.post(_tokens(project), **body)
    words = "400 Bad request - User does not have permission to create project access token"
    assert (refused.status_code, refused.json()["message"]) == (400, words)
    assert developer.delete(f"{_tokens(project)}/{made['id']}").is_success is False
    assert developer.post(f"{_tokens(project)}/{made['id']}/rotate").status_code == 401
    assert make.user().api.get(_tokens(project)).status_code == 404
    maintainer = make.member(project, MAINTAINER).api
    assert maintainer.post(_tokens(project), **body, access_level=OWNER).status_code == 400
    assert maintainer.made(_tokens(project), **body)["active"] is True


@pytest.mark.parametrize("missing", ["name", "scopes"])
def test_what_is_missing_is_named(make: Maker, project: Any, missing: str) -> None:
    body = {"name": unique("token"), "scopes": ["api"], "expires_at": day(30)}
    answer = make.root.post(_tokens(project), **{name: value for name, value in body.items() if name != missing})
    assert (answer.status_code, answer.json()["error"]) == (400, f"{missing} is missing")


def test_the_token_of_one_project_is_not_found_in_another(make: Maker, project: Any) -> None:
    made, other = _made(make, project), make.project()
    assert make.root.get(f"{_tokens(other)}/{made['id']}").status_code == 404
    assert make.root.delete(f"{_tokens(other)}/{made['id']}").status_code == 404
    assert Api(make.root.url, made["token"]).get("/user").status_code == 200
