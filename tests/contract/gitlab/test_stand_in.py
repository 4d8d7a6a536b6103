"""The stand-in's own behaviour: it refuses what it does not implement, fails on demand, and survives a crash."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.contract.gitlab.samples import ANSWERS, samples
from tests.contract.gitlab.stand_in import StandIn
from tests.contract.gitlab.support import Clone, Maker, Receiver, public_key, unique
from tests.waiting import until


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/projects/1/issues"), ("POST", "/projects/1/merge_requests"), ("PATCH", "/user")]
)
def test_what_it_does_not_implement_it_says(stand_in: StandIn, method: str, path: str) -> None:
    answer = stand_in.root._client.request(method, path)
    assert answer.status_code == 501
    assert answer.json()["message"] == f"not implemented by the stand-in: {method} /api/v4{path}"


def test_it_does_not_pretend_to_page_by_key(stand_in: StandIn) -> None:
    assert stand_in.root.get("/users", pagination="keyset", order_by="id").status_code == 501


def test_it_does_not_pretend_to_protect_for_some_people(stand_in: StandIn) -> None:
    project = Maker(stand_in.root).project(readme=True)
    path = f"/projects/{project['id']}/protected_branches"
    assert stand_in.root.post(path, name="x", allowed_to_push=[{"user_id": 1}]).status_code == 501
    (level,) = stand_in.root.seen(f"{path}/main")["push_access_levels"]
    assert stand_in.root.patch(f"{path}/main", allowed_to_push=[{"access_level": 30}]).status_code == 501
    changed = stand_in.root.patch(f"{path}/main", allowed_to_push=[{"id": level["id"], "access_level": 30}])
    assert [each["access_level"] for each in changed.json()["push_access_levels"]] == [30]


def test_no_answer_has_a_key_that_gitlab_does_not_know(stand_in: StandIn) -> None:
    for endpoint, body in samples(Maker(stand_in.root)).items():
        invented = set(body) - set(ANSWERS[endpoint]["known"])
        assert not invented, f"{endpoint}: {sorted(invented)}"


def test_a_crash_loses_nothing_that_was_answered(stand_in: StandIn, receiver: Receiver, tmp_path: Path) -> None:
    make = Maker(stand_in.root)
    project, person = make.project(readme=True), make.user()
    hook = make.root.made(f"/projects/{project['id']}/hooks", url=receiver.url, token="kept")
    commit = make.commit(project)["id"]
    receiver.wait(1)
    stand_in.crash()
    assert person.api.seen("/user")["id"] == person.id
    assert make.root.seen(f"/projects/{project['id']}/repository/branches/main")["commit"]["id"] == commit
    assert make.root.seen(f"/projects/{project['id']}/hooks")[0]["id"] == hook["id"]
    clone = Clone(make.root.seen(f"/projects/{project['id']}"), make.root, tmp_path / "clone")
    pushed = clone.commit()
    assert clone.git("push", "--quiet", "origin", "main").returncode == 0
    told = receiver.wait(2)[1]
    assert (told.body["after"], told.headers["x-gitlab-token"]) == (pushed, "kept")


def test_a_crash_in_the_middle_of_many_commits_leaves_a_whole_history(stand_in: StandIn) -> None:
    make = Maker(stand_in.root)
    project = make.project(readme=True)
    made = [make.commit(project)["id"] for _ in range(5)]
    stand_in.crash()
    made.append(make.commit(project)["id"])
    history = make.root.seen(f"/projects/{project['id']}/repository/commits")
    assert [each["id"] for each in history[:6]] == made[::-1]


def test_a_hook_that_backs_off_is_used_again_when_its_time_is_over(stand_in: StandIn, receiver: Receiver) -> None:
    make = Maker(stand_in.root)
    project = make.project(readme=True)
    path = f"/projects/{project['id']}/hooks/{_failing_hook(make, project, receiver, 4)['id']}"
    assert make.root.seen(path)["alert_status"] == "temporarily_disabled"
    _advance(stand_in, "update hooks set disabled_until = '2020-01-01T00:00:00Z'")
    assert make.root.seen(path)["alert_status"] == "executable"
    receiver.status = 200
    told = make.commit(project)["id"]
    assert receiver.wait(5)[-1].body["after"] == told
    until(lambda: make.root.seen(path)["disabled_until"] is None, "the failures are forgotten")


def test_failures_while_a_hook_backs_off_are_not_counted(stand_in: StandIn, receiver: Receiver) -> None:
    make = Maker(stand_in.root)
    project = make.project(readme=True)
    path = f"/projects/{project['id']}/hooks/{_failing_hook(make, project, receiver, 4)['id']}"
    before = make.root.seen(path)["disabled_until"]
    make.root.made(f"{path}/test/push_events")
    assert make.root.seen(path)["disabled_until"] == before


def test_a_hook_that_fails_forty_times_is_given_up(stand_in: StandIn, receiver: Receiver) -> None:
    make = Maker(stand_in.root)
    project = make.project(readme=True)
    path = f"/projects/{project['id']}/hooks/{_failing_hook(make, project, receiver, 4)['id']}"
    _advance(stand_in, "update hooks set failures = 39, disabled_until = '2020-01-01T00:00:00Z'")
    make.root.made(f"{path}/test/push_events")
    _advance(stand_in, "update hooks set disabled_until = '2020-01-01T00:00:00Z'")
    assert make.root.seen(path)["alert_status"] == "disabled"
    receiver.status = 200
    make.root.made(f"{path}/test/push_events")
    assert make.root.seen(path)["alert_status"] == "executable"


def _failing_hook(make: Maker, project: Any, receiver: Receiver, failures: int) -> Any:
    receiver.status = 500
    hook = make.root.made(f"/projects/{project['id']}/hooks", url=receiver.url)
    for _ in range(failures):
        assert make.root.post(f"/projects/{project['id']}/hooks/{hook['id']}/test/push_events").status_code == 201
    return hook


def _advance(stand_in: StandIn, sql: str) -> None:
    """Let time pass, in its database."""
    with sqlite3.connect(stand_in.data / "gitlab.db", timeout=10) as database:
        database.execute(sql)


def test_lost_and_held_deliveries_are_switched_by_the_administrator_only(stand_in: StandIn, receiver: Receiver) -> None:
    make = Maker(stand_in.root)
    project = make.project(readme=True)
    make.root.made(f"/projects/{project['id']}/hooks", url=receiver.url)
    switch = f"{stand_in.url}/-/sandbox/faults"
    assert make.user().api._client.post(switch, json={"webhooks": "drop"}).status_code == 403
    commits = []
    for mode in ("drop", "pause"):
        assert make.root._client.post(switch, json={"webhooks": mode}).status_code == 200
        commits.append(make.commit(project)["id"])
    assert make.root._client.post(switch, json={"webhooks": "deliver"}).status_code == 200
    assert [each.body["after"] for each in receiver.wait(1)] == commits[1:]


@pytest.mark.parametrize("after", [False, True])
def test_a_chosen_call_fails_before_or_after_it_took_effect(stand_in: StandIn, after: bool) -> None:
    switch, groups = f"{stand_in.url}/-/sandbox/faults", stand_in.platform
    plan = {"call": 2, "status": 429, "retry_after": 7, "after": after}
    assert stand_in.root._client.post(switch, json={"calls": plan}).status_code == 200
    assert groups.get("/user").status_code == 200
    path = unique("fresh")
    failed = groups.post("/groups", name=path, path=path)
    assert (failed.status_code, failed.headers["retry-after"]) == (429, "7")
    assert groups.get(f"/groups/{path}").status_code == (200 if after else 404)
    seen = stand_in.root._client.post(switch, json={"calls": {}})
    assert seen.json() == {"seen": 3}


def test_every_tenth_call_fails_by_turns(stand_in: StandIn) -> None:
    switch, platform = f"{stand_in.url}/-/sandbox/faults", stand_in.platform
    assert stand_in.root._client.post(switch, json={"every": "10", "status": "429,502"}).status_code == 200
    answers = [platform.get("/user") for _ in range(40)]
    assert stand_in.root.get("/user").status_code == 200, "nobody else's"
    seen = stand_in.root._client.post(switch, json={"every": "0"})
    failed = {number: each.status_code for number, each in enumerate(answers, 1) if each.status_code != 200}
    assert failed == {10: 429, 20: 502, 30: 429, 40: 502}
    assert (answers[9].headers["retry-after"], answers[9].text) == ("1", "Retry later\n")
    assert "retry-after" not in answers[19].headers
    assert seen.json() == {"seen": 40}
    assert platform.get("/user").status_code == 200


def test_everybodys_calls_can_fail(stand_in: StandIn) -> None:
    switch, person = f"{stand_in.url}/-/sandbox/faults", Maker(stand_in.root).user().api
    stand_in.root._client.post(switch, json={"every": "2", "status": "429", "user": "*", "retry_after": "0"})
    statuses = [each.get("/user").status_code for each in (person, stand_in.platform, person, stand_in.root)]
    stand_in.root._client.post(switch, json={"every": "0"})
    assert statuses == [200, 429, 200, 429]


@pytest.mark.parametrize("plan", [{"every": "often"}, {"every": "2", "status": "200"}, {"calls": {"call": "x"}}])
def test_a_plan_that_is_none_is_refused(stand_in: StandIn, plan: dict[str, Any]) -> None:
    assert stand_in.root._client.post(f"{stand_in.url}/-/sandbox/faults", json=plan).status_code == 400
    assert stand_in.platform.get("/user").status_code == 200


def test_a_token_of_a_project_needs_an_end(stand_in: StandIn) -> None:
    project = Maker(stand_in.root).project()
    answer = stand_in.root.post(f"/projects/{project['id']}/access_tokens", name="t", scopes=["api"])
    assert (answer.status_code, answer.json()) == (400, {"error": "expires_at is missing"})


def test_an_older_database_is_taken_over(stand_in: StandIn) -> None:
    make = Maker(stand_in.root)
    project, text = make.project(readme=True), public_key()
    base = f"/projects/{project['id']}"
    key = make.root.made(f"{base}/deploy_keys", title="k", key=text)
    for table, column in (("keys", "expires_at"), ("comments", "line")):
        _advance(stand_in, f"alter table {table} drop column {column}")
    stand_in.crash()
    assert make.root.seen(f"{base}/deploy_keys") == [key]
    assert make.root.made(f"{base}/repository/commits/main/comments", note="n")["line"] is None
