"""What GitLab shows beside a commit, and the feed of pushes that heals lost webhooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract.gitlab.support import DEVELOPER, GUEST, REPORTER, Api, Clone, Maker, Person
from tests.waiting import until


@pytest.fixture
def project(make: Maker) -> Any:
    return make.root.seen(f"/projects/{make.project(readme=True)['id']}")


@pytest.fixture
def commit(make: Maker, project: Any) -> str:
    return str(make.root.seen(f"/projects/{project['id']}/repository/branches/main")["commit"]["id"])


def test_a_status_goes_from_pending_to_its_end(make: Maker, project: Any, commit: str) -> None:
    path = f"/projects/{project['id']}/statuses/{commit}"
    for state in ("pending", "running", "success"):
        shown = make.root.made(path, state=state, name="build", target_url="http://127.0.0.1/run", description="d")
        assert (shown["status"], shown["name"], shown["sha"]) == (state, "build", commit)
        assert (shown["target_url"], shown["description"]) == ("http://127.0.0.1/run", "d")
    listed = make.root.seen(f"/projects/{project['id']}/repository/commits/{commit}/statuses")
    assert [(each["name"], each["status"]) for each in listed] == [("build", "success")]


def test_a_status_does_not_stand_still_and_an_ended_one_starts_a_new_row(
    make: Maker, project: Any, commit: str
) -> None:
    path = f"/projects/{project['id']}/statuses/{commit}"
    first = make.root.made(path, state="pending", name="build")
    again = make.root.post(path, state="pending", name="build")
    words = 'Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via "enqueue")'
    assert (again.status_code, again.json()["message"]) == (400, words)
    make.root.made(path, state="failed", name="build")
    new = make.root.made(path, state="running", name="build")
    assert new["id"] != first["id"]
    base = f"/projects/{project['id']}/repository/commits/{commit}/statuses"
    assert [each["status"] for each in make.root.seen(base)] == ["running"]
    assert {each["status"] for each in make.root.seen(base, all=True)} == {"failed", "running"}


def test_a_status_needs_a_developer_a_commit_and_a_state(make: Maker, project: Any, commit: str) -> None:
    path = f"/projects/{project['id']}/statuses"
    assert make.member(project, REPORTER).api.post(f"{path}/{commit}", state="success").status_code == 403
    developer = make.member(project, DEVELOPER).api
    assert developer.made(f"{path}/{commit}", state="success")["name"] == "default"
    missing = developer.post(f"{path}/{'f' * 40}", state="success")
    assert (missing.status_code, missing.json()["message"]) == (404, "404 Commit Not Found")
    assert developer.post(f"{path}/{commit}", state="great").json() == {"error": "state does not have a valid value"}


def test_a_comment_is_what_was_said_and_by_whom(make: Maker, project: Any, commit: str) -> None:
    path = f"/projects/{project['id']}/repository/commits/{commit}/comments"
    person = make.member(project, REPORTER)
    made = person.api.made(path, note="well done")
    assert (made["note"], made["author"]["id"]) == ("well done", person.id)
    assert (made["path"], made["line"], made["line_type"]) == (None, None, None)
    assert make.root.seen(path) == [made]
    assert person.api.post(path).json() == {"error": "note is missing"}


def test_a_comment_may_be_about_a_line_that_changed(make: Maker, project: Any) -> None:
    make.commit(project, "a.txt", "one\ntwo\n")
    action = {"action": "update", "file_path": "a.txt", "content": "one\n2\n"}
    body = {"branch": "main", "commit_message": "m", "actions": [action]}
    commit = make.root.made(f"/projects/{project['id']}/repository/commits", **body)["id"]
    path = f"/projects/{project['id']}/repository/commits/{commit}/comments"
    for line, kind, kept in ((2, "new", True), (2, "old", True), (1, "new", False)):
        made = make.root.made(path, note="n", path="a.txt", line=line, line_type=kind)
        shown = (made["path"], made["line"], made["line_type"])
        assert shown == (("a.txt", line, kind) if kept else (None, None, None))
    assert make.root.post(path, note="n", path="a.txt").status_code == 400
    assert make.root.post(path, note="n", path="a.txt", line=2, line_type="x").status_code == 400


def test_who_may_not_read_the_code_may_not_comment_on_it(make: Maker, project: Any, commit: str) -> None:
    path = f"/projects/{project['id']}/repository/commits/{commit}/comments"
    assert make.member(project, GUEST).api.post(path, note="n").status_code == 403
    assert make.user().api.post(path, note="n").status_code == 404
    missing = make.root.post(f"/projects/{project['id']}/repository/commits/{'f' * 40}/comments", note="n")
    assert (missing.status_code, missing.json()["message"]) == (404, "404 Commit Not Found")


def test_a_public_commit_is_commented_by_anybody_who_is_signed_in(make: Maker, anonymous: Api) -> None:
    project = make.project(readme=True, visibility="public")
    path = f"/projects/{project['id']}/repository/commits/main/comments"
    assert make.user().api.made(path, note="n")["note"] == "n"
    assert anonymous.post(path, note="n").status_code == 401
    assert len(anonymous.seen(path)) == 1


@pytest.fixture
def member(make: Maker, project: Any) -> Person:
    """Somebody whose feed holds nothing but this project."""
    return make.member(project, DEVELOPER)


def test_the_feed_tells_of_pushes_by_anybody_newest_first(make: Maker, project: Any, member: Person) -> None:
    commits = [make.commit(project)["id"] for _ in range(3)]
    feed = member.api.seen("/events", scope="all", action="pushed", per_page=2)
    assert [each["push_data"]["commit_to"] for each in feed] == [commits[2], commits[1]]
    assert feed[0]["id"] > feed[1]["id"]
    data = feed[0]["push_data"]
    assert (data["commit_from"], data["ref"], data["ref_type"]) == (commits[1], "main", "branch")
    assert feed[0]["project_id"] == project["id"]
    second = member.api.seen("/events", scope="all", action="pushed", per_page=2, page=2)
    assert second[0]["push_data"]["commit_to"] == commits[0]


def test_the_feed_tells_of_branches_that_begin_and_end_and_of_tags(
    make: Maker, project: Any, member: Person, commit: str
) -> None:
    base = f"/projects/{project['id']}/repository"
    make.root.made(f"{base}/branches", branch="topic", ref="main")
    assert make.root.delete(f"{base}/branches/topic").status_code == 204
    make.root.made(f"{base}/tags", tag_name="v1", ref="main")
    tag, ended, begun = member.api.seen("/events", scope="all", action="pushed", per_page=3)
    assert (begun["push_data"]["ref"], begun["push_data"]["commit_from"]) == ("topic", None)
    assert (ended["push_data"]["commit_from"], ended["push_data"]["commit_to"]) == (commit, None)
    assert (tag["push_data"]["ref_type"], tag["push_data"]["ref"], tag["push_data"]["commit_to"]) == (
        "tag",
        "v1",
        commit,
    )


def test_a_push_of_many_branches_is_one_event_without_names(
    make: Maker, project: Any, member: Person, tmp_path: Path
) -> None:
    clone = Clone(project, member.api, tmp_path / "clone")
    assert clone.git("push", "--quiet", "origin", *(f"main:b{number}" for number in range(5))).returncode == 0

    def look() -> Any:
        newest = member.api.seen("/events", scope="all", action="pushed", per_page=1)
        return newest[0]["push_data"] if newest and newest[0]["push_data"]["ref_count"] else None

    data = until(look, "the push is in the feed")
    assert (data["ref_count"], data["ref"], data["commit_to"]) == (5, None, None)


def test_the_feed_is_for_members(make: Maker, project: Any) -> None:
    stranger = make.user()
    make.commit(project)
    assert stranger.api.seen("/events", scope="all", action="pushed") == []
