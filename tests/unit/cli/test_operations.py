"""What is going on: `wait`, `events`, `cancel`, and commands to deployments."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.fake import OPERATION, FakeApi, Nautes, Reply, event, finding, operation

EXPLAIN = "/api/v1/explain/deployment/shop/web"
STATUS = f"/api/v1/operations/{OPERATION}"
STEP = {"operation": OPERATION, "step": "Group shop", "done": [], "retry": None}
RUNNING = Reply(json={**STEP, "state": "running"})
DONE = operation("done", "Project/web created")
TOLD = [f"{OPERATION} (Group shop)", f"{OPERATION} (Commit)", f"{OPERATION} done", "Project/web created"]


def test_wait_ends_when_the_runtime_is_ready(nautes: Nautes, api: FakeApi) -> None:
    answers = [{"ready": False, "line": "web is Waiting"}, {"ready": True, "line": "web is converged at 9"}]
    api.on("GET", EXPLAIN, *(Reply(json=each) for each in answers))
    ended = nautes("wait", "deployment/web", "-p", "shop", "--for", "ready")
    assert (ended.code, ended.out, ended.err) == (0, "web is converged at 9\n", "")


def test_wait_that_is_too_short_says_why(nautes: Nautes, api: FakeApi) -> None:
    api.on("GET", EXPLAIN, Reply(json={"ready": False, "line": "web is Waiting"}))
    ended = nautes("wait", "web", "-p", "shop", "--timeout", "0")
    assert (ended.code, ended.out, ended.err) == (1, "", "nautes: web is Waiting\n")


def test_wait_for_an_operation(nautes: Nautes, api: FakeApi) -> None:
    api.on("GET", STATUS, RUNNING, Reply(json=DONE))
    assert nautes("wait", OPERATION).out == "Project/web created\n"
    api.on("GET", STATUS, Reply(json=operation("cancelled", message="cancelled", undone=["group shop"])))
    ended = nautes("wait", OPERATION)
    assert (ended.code, ended.out, ended.err) == (1, "", "nautes: cancelled; undone: group shop\n")
    api.on("GET", STATUS, RUNNING)
    ended = nautes("wait", OPERATION, "--timeout", "0")
    assert (ended.code, ended.err) == (1, f"nautes: still running after 0 s: {OPERATION} (Group shop)\n")


@pytest.fixture
def followed(api: FakeApi) -> FakeApi:
    """An API with an operation that runs step by step."""
    steps = (event("step", STEP), ": alive\n", event("step", {**STEP, "step": "Commit"}), event("end", DONE))
    api.on("GET", STATUS, RUNNING)
    api.on("GET", f"{STATUS}/events", Reply(events=steps))
    return api


def test_events_are_lines_until_the_end(nautes: Nautes, followed: FakeApi) -> None:
    ended = nautes("events", OPERATION)
    assert (ended.code, ended.out.splitlines(), ended.err) == (0, TOLD, "")


def test_events_as_objects(nautes: Nautes, followed: FakeApi) -> None:
    found = [json.loads(line) for line in nautes("events", OPERATION, "-o", "json").out.splitlines()]
    assert [each["state"] for each in found] == ["running", "running", "done"]
    assert found[-1] == DONE


def test_events_of_the_newest_operation_of_a_product(nautes: Nautes, followed: FakeApi) -> None:
    followed.on("GET", "/api/v1/products/shop/timeline", Reply(json={"items": [{"operation": OPERATION}], "next": "1"}))
    assert nautes("events", "-p", "shop").out.splitlines() == TOLD
    followed.on("GET", "/api/v1/products/shop/timeline", Reply(json={"items": [], "next": None}))
    assert nautes("events", "-p", "shop").err == "nautes: nothing has happened to shop yet\n"


def test_events_of_an_operation_that_is_refused_end_with_one(nautes: Nautes, api: FakeApi) -> None:
    refused = operation("refused", message="no", findings=[finding("x", "no", resource="Project/web")])
    api.on("GET", STATUS, Reply(json=refused))
    ended = nautes("events", OPERATION)
    assert (ended.code, ended.out) == (1, f"{OPERATION} refused\n")
    assert ended.err == "Project/web: no (x)\nnautes: no\n"


def test_events_without_a_stream_are_asked_for(nautes: Nautes, api: FakeApi) -> None:
    commit = Reply(json={**STEP, "step": "Commit", "state": "running"})
    api.on("GET", STATUS, RUNNING, RUNNING, commit, Reply(json=DONE))
    assert nautes("events", OPERATION).out.splitlines() == TOLD


def test_cancel(nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", f"{STATUS}/cancel", Reply(202, {"operation": OPERATION, "state": "cancelling"}))
    assert nautes("cancel", OPERATION).out == "cancelling\n"


@pytest.mark.parametrize("command", ["pause", "resume", "sync"])
def test_commands_to_a_deployment(command: str, nautes: Nautes, api: FakeApi) -> None:
    route = f"/api/v1/products/g%2Fshop/deploymentruntimes/web/{command}"
    api.on("POST", route, Reply(json={"phase": "Paused"}))
    assert nautes(command, "deployment/g/shop/web").out == "web is Paused\n"


def test_a_rollback_names_its_commit(nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", "/api/v1/products/shop/deploymentruntimes/web/rollback", Reply(json={"phase": "Converging"}))
    assert nautes("rollback", "web", "abc123", "-p", "shop").out == "web is Converging\n"
    assert api.last("POST").query == {"commit": ["abc123"]}
