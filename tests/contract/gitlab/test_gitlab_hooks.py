"""Webhooks: made, changed, delivered, signed, logged, sent again, disabled after failures and taken back into use."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.contract.gitlab.support import DEVELOPER, MAINTAINER, Clone, Delivery, Maker, Receiver
from tests.waiting import until

ZERO = "0" * 40
BACK_OFF_FROM = 4  # failures in a row


@pytest.fixture
def project(make: Maker) -> Any:
    return make.root.seen(f"/projects/{make.project(readme=True)['id']}")


@pytest.fixture
def hooks(project: Any) -> str:
    return f"/projects/{project['id']}/hooks"


def _log(make: Maker, hooks: str, hook: Any, count: int) -> Any:
    """The delivery log once it has `count` entries, newest first; a delivery is logged after it was answered."""

    def look() -> Any:
        found = make.root.seen(f"{hooks}/{hook['id']}/events")
        return found if len(found) >= count else None

    return until(look, f"{count} deliveries in the log")


def test_a_hook_is_made_shown_changed_and_removed(make: Maker, hooks: str) -> None:
    made = make.root.made(hooks, url="http://127.0.0.1:9/a", token="secret-token", tag_push_events=True)
    assert (made["push_events"], made["tag_push_events"], made["merge_requests_events"]) == (True, True, False)
    assert (made["enable_ssl_verification"], made["alert_status"]) == (True, "executable")
    assert "secret-token" not in str(made)
    path = f"{hooks}/{made['id']}"
    changed = make.root.put(path, url="http://127.0.0.1:9/b", push_events=False).json()
    assert (changed["url"], changed["push_events"], changed["tag_push_events"]) == ("http://127.0.0.1:9/b", False, True)
    assert make.root.seen(path) == changed
    assert [each["id"] for each in make.root.seen(hooks)] == [made["id"]]
    assert make.root.delete(path).status_code == 204
    assert make.root.get(path).json() == {"message": "404 Not found"}
    assert make.root.delete(path).status_code == 404


def test_hooks_are_for_maintainers_and_need_an_address(make: Maker, project: Any, hooks: str) -> None:
    assert make.member(project, DEVELOPER).api.get(hooks).status_code == 403
    maintainer = make.member(project, MAINTAINER).api
    assert maintainer.get(hooks).status_code == 200
    bad = maintainer.post(hooks, url="not-a-url")
    assert (bad.status_code, bad.json()) == (422, {"error": "Invalid url given"})
    assert maintainer.post(hooks).json() == {"error": "url is missing"}


def test_a_push_by_git_is_delivered_with_what_it_brought(
    make: Maker, project: Any, hooks: str, receiver: Receiver, tmp_path: Path
) -> None:
    make.root.made(hooks, url=receiver.url, token="s3cret")
    person = make.member(project, MAINTAINER)
    clone = Clone(project, person.api, tmp_path / "clone")
    before = clone.git("rev-parse", "HEAD").stdout.strip()
    after = clone.commit("new.txt")
    assert clone.git("push", "--quiet", "origin", "main").returncode == 0
    (delivery,) = receiver.wait(1)
    headers, body = delivery.headers, delivery.body
    assert headers["x-gitlab-event"] == "Push Hook"
    assert headers["x-gitlab-token"] == "s3cret"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("GitLab/")
    for name in ("idempotency-key", "x-gitlab-webhook-uuid", "x-gitlab-event-uuid", "x-gitlab-instance"):
        assert headers[name], name
    assert (body["object_kind"], body["ref"]) == ("push", "refs/heads/main")
    assert (body["before"], body["after"], body["checkout_sha"]) == (before, after, after)
    assert (body["project_id"], body["project"]["path_with_namespace"]) == (
        project["id"],
        project["path_with_namespace"],
    )
    assert (body["user_id"], body["user_username"], body["ref_protected"]) == (person.id, person.username, True)
    (commit,) = body["commits"]
    assert (commit["id"], commit["added"], commit["modified"]) == (after, ["new.txt"], [])
    assert commit["author"]["email"] in ("[REDACTED]", "pat@example.com")


def test_a_commit_through_the_api_is_delivered_as_well(
    make: Maker, project: Any, hooks: str, receiver: Receiver
) -> None:
    make.root.made(hooks, url=receiver.url)
    commit = make.commit(project)
    (delivery,) = receiver.wait(1)
    assert delivery.body["after"] == commit["id"]
    assert "x-gitlab-token" not in delivery.headers


def test_a_branch_begins_and_ends_with_zeros(make: Maker, project: Any, hooks: str, receiver: Receiver) -> None:
    make.root.made(hooks, url=receiver.url)
    branches = f"/projects/{project['id']}/repository/branches"
    tip = make.root.made(branches, branch="topic", ref="main")["commit"]["id"]
    created = receiver.wait(1)[0].body
    assert (created["before"], created["after"]) == (ZERO, tip)
    assert make.root.delete(f"{branches}/topic").status_code == 204
    removed = receiver.wait(2)[1].body
    assert (removed["before"], removed["after"], removed["checkout_sha"]) == (tip, ZERO, None)


def test_a_hook_hears_only_of_what_it_asked_for(make: Maker, project: Any, hooks: str, receiver: Receiver) -> None:
    make.root.made(hooks, url=receiver.url, push_events=False, tag_push_events=True)
    make.commit(project)
    make.root.made(f"/projects/{project['id']}/repository/tags", tag_name="v1", ref="main")
    (delivery,) = receiver.wait(1)
    assert delivery.headers["x-gitlab-event"] == "Tag Push Hook"
    assert (delivery.body["object_kind"], delivery.body["ref"]) == ("tag_push", "refs/tags/v1")


def test_a_push_of_many_branches_fires_nothing(
    make: Maker, project: Any, hooks: str, receiver: Receiver, tmp_path: Path
) -> None:
    clone = Clone(project, make.root, tmp_path / "clone")
    make.root.made(hooks, url=receiver.url)
    assert clone.git("push", "--quiet", "origin", *(f"main:b{number}" for number in range(4))).returncode == 0
    commit = make.commit(project)
    assert receiver.wait(1)[0].body["after"] == commit["id"]


def test_a_signed_hook_is_verified_by_its_secret(make: Maker, project: Any, hooks: str, receiver: Receiver) -> None:
    key = os.urandom(32)
    make.root.made(hooks, url=receiver.url, signing_token=f"whsec_{base64.b64encode(key).decode()}")
    make.commit(project)
    (delivery,) = receiver.wait(1)
    assert delivery.headers["webhook-id"] == delivery.headers["idempotency-key"]
    assert abs(int(delivery.headers["webhook-timestamp"]) - time.time()) < 60
    assert delivery.headers["webhook-signature"] == _signature(key, delivery)


def _signature(key: bytes, delivery: Delivery) -> str:
    signed = f"{delivery.headers['webhook-id']}.{delivery.headers['webhook-timestamp']}.".encode() + delivery.raw
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def test_the_log_tells_of_each_delivery_without_the_token(
    make: Maker, project: Any, hooks: str, receiver: Receiver
) -> None:
    hook = make.root.made(hooks, url=receiver.url, token="s3cret")
    receiver.status = 503
    commit = make.commit(project)
    (entry,) = _log(make, hooks, hook, 1)
    assert (entry["trigger"], entry["url"], entry["response_status"]) == ("push_events", receiver.url, "503")
    assert (entry["request_data"]["after"], entry["response_body"]) == (commit["id"], "ok")
    assert entry["request_headers"]["Idempotency-Key"] == receiver.got[0].headers["idempotency-key"]
    assert "s3cret" not in str(entry)


def test_a_failed_delivery_comes_again_only_when_asked_for_and_under_the_same_key(
    make: Maker, project: Any, hooks: str, receiver: Receiver
) -> None:
    hook = make.root.made(hooks, url=receiver.url, token="s3cret")
    receiver.status = 500
    make.commit(project)
    (entry,) = _log(make, hooks, hook, 1)
    receiver.status = 200
    assert make.root.post(f"{hooks}/{hook['id']}/events/{entry['id']}/resend").status_code == 201
    first, again = receiver.wait(2)
    assert again.body == first.body
    assert again.headers["idempotency-key"] == first.headers["idempotency-key"]
    assert again.headers["x-gitlab-webhook-uuid"] != first.headers["x-gitlab-webhook-uuid"]
    assert again.headers["x-gitlab-token"] == "s3cret"
    assert _log(make, hooks, hook, 2)[0]["response_status"] == "200"


def test_a_hook_that_keeps_failing_is_left_out_until_a_test_delivery_succeeds(
    make: Maker, project: Any, hooks: str, receiver: Receiver
) -> None:
    hook = make.root.made(hooks, url=receiver.url)
    path = f"{hooks}/{hook['id']}"
    receiver.status = 500
    for number in range(1, BACK_OFF_FROM + 1):
        assert make.root.seen(path)["alert_status"] == "executable"
        make.commit(project)
        _log(make, hooks, hook, number)
    failing = until(lambda: _when(make.root.seen(path), "temporarily_disabled"), "the hook backs off")
    assert failing["disabled_until"]
    make.commit(project)  # nobody is told
    receiver.status = 200
    assert make.root.post(f"{path}/test/push_events").status_code == 201
    until(lambda: _when(make.root.seen(path), "executable"), "the hook is in use again")
    told = make.commit(project)
    assert receiver.wait(BACK_OFF_FROM + 2)[-1].body["after"] == told["id"]


def _when(hook: Any, status: str) -> Any:
    return hook if hook["alert_status"] == status else None


def test_a_change_alone_does_not_bring_a_failing_hook_back(make: Maker, project: Any, hooks: str) -> None:
    hook = make.root.made(hooks, url="http://127.0.0.1:9/nobody")
    path = f"{hooks}/{hook['id']}"
    for number in range(1, BACK_OFF_FROM + 1):
        make.commit(project)
        _log(make, hooks, hook, number)
    until(lambda: _when(make.root.seen(path), "temporarily_disabled"), "the hook backs off")
    assert make.root.put(path, url="http://127.0.0.1:9/other").json()["alert_status"] == "temporarily_disabled"
