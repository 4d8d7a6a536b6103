"""The webhook receiver: what is not freshly signed by one of our repositories gets one answer, whatever is wrong with it."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest

from nautes_sandbox.actions import quoted
from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import Delivery, nothing_written, problem


@pytest.fixture
def delivery(shop: Scenario) -> Delivery:
    return Delivery.of(shop, "shop/deploy")


def test_a_true_delivery_is_taken_once(shop: Scenario, delivery: Delivery) -> None:
    first, second = delivery.send(), delivery.send()
    assert (first.status_code, first.json()["state"]) == (202, "accepted")
    assert (second.status_code, second.json()["state"]) == (200, "duplicate")


def test_the_same_push_under_another_id_changes_nothing(shop: Scenario, delivery: Delivery) -> None:
    with nothing_written(shop.world):
        for _ in range(2):
            delivery.id = str(uuid.uuid4())
            assert delivery.send().status_code == 202
        shop.until(lambda: shop.deployment()["phase"] == "Converged", "the deployment has looked")


def _wrong(delivery: Delivery) -> list[Any]:
    unknown = Delivery(delivery.actions, "a/b", {**delivery.payload, "project_id": 987654}, **_kept(delivery))
    old = Delivery(delivery.actions, "a/b", delivery.payload, delivery.id, str(int(time.time()) - 301), delivery.secret)
    future = Delivery(
        delivery.actions, "a/b", delivery.payload, delivery.id, str(int(time.time()) + 360), delivery.secret
    )
    secret = Delivery(delivery.actions, "a/b", delivery.payload, delivery.id, delivery.stamp, "d3Jvbmc=")
    return [
        secret.send(),
        old.send(),
        future.send(),
        unknown.send(),
        delivery.send(**{"webhook-signature": "v1,"}),
        delivery.send(**{"webhook-signature": "v2," + "A" * 44}),
        delivery.send(**{"webhook-signature": "nonsense"}),
        delivery.send(**{"webhook-timestamp": "yesterday"}),
        delivery.send(**{"webhook-timestamp": "9" * 5000}),
        delivery.send(**{"webhook-id": "another"}),
        delivery.send(**{"webhook-signature": "", "X-Gitlab-Token": "wrong"}),
        delivery.send(**{"webhook-signature": "", "X-Gitlab-Token": ""}),
        delivery.send(b"not JSON", **{"webhook-signature": "v1,AAAA"}),
        delivery.actions.api("POST", "/api/v1/hooks/gitlab/1", None, content=b"{}"),
    ]


def _kept(delivery: Delivery) -> dict[str, str]:
    return {"id": delivery.id, "stamp": delivery.stamp, "secret": delivery.secret}


def test_all_that_is_not_freshly_signed_gets_the_same_answer(shop: Scenario, delivery: Delivery) -> None:
    with nothing_written(shop.world):
        answers = _wrong(delivery)
    for each in answers:
        problem(each, 401, "webhook-signature")
    assert len({each.text for each in answers}) == 1


def test_an_oversize_delivery_gets_the_same_answer_for_every_project(shop: Scenario, delivery: Delivery) -> None:
    body = b" " * ((1 << 20) + 1)
    answers = [delivery.send(body), delivery.send(body, project_id=987654)]
    for each in answers:
        problem(each, 413, "body-too-large")
    assert answers[0].text == answers[1].text


def test_a_timestamp_of_another_alphabet_is_no_error_of_ours(shop: Scenario, delivery: Delivery) -> None:
    path = f"/api/v1/hooks/gitlab/{delivery.payload['project_id']}"
    headers: dict[str, Any] = {"webhook-signature": "v1,AAAA", "webhook-timestamp": b"\xb2"}
    problem(shop.api("POST", path, None, content=b"{}", headers=headers), 401, "webhook-signature")


NONSENSE: dict[str, Any] = {
    "ref": [None, 1, [], "", "main", "refs/heads/", "refs/heads/a b", "refs/notes/x", "refs/heads/" + "x" * 2000],
    "before": [None, [], 0, "", "HEAD", "0" * 39, "A" * 40],
    "after": [None, [], "HEAD"],
    "project_id": ["15", None, 1.5, True, []],
    "project": [
        None,
        [],
        {},
        {"path_with_namespace": None},
        {"path_with_namespace": "x"},
        {"path_with_namespace": "/"},
    ],
    "object_kind": [None, 1, [], {}],
}


@pytest.mark.parametrize("field", NONSENSE)
def test_a_signed_payload_of_other_types_is_refused(shop: Scenario, delivery: Delivery, field: str) -> None:
    with nothing_written(shop.world):
        for value in NONSENSE[field]:
            wrong = Delivery(shop, "shop/deploy", {**delivery.payload, field: value}, **_kept(delivery))
            problem(wrong.send(project_id=delivery.payload["project_id"]), 422, "webhook-payload")


BODIES = {
    "not JSON": b"{",
    "a list": b"[]",
    "a text": b'"push"',
    "nothing": b"",
    "infinity": b'{"object_kind": "push", "project_id": Infinity}',
    "nested too deep": b'{"object_kind": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "not UTF-8": b'{"object_kind": "\xff"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_signed_body_that_is_no_payload_is_refused(shop: Scenario, delivery: Delivery, body: bytes) -> None:
    problem(delivery.send(body), 422, "webhook-payload")


def test_a_delivery_about_another_project_is_refused(shop: Scenario, delivery: Delivery) -> None:
    other = shop.gitlab(f"/projects/{quoted('shop/source')}")["id"]
    body = json.dumps({**delivery.payload, "project_id": other}).encode()
    problem(delivery.send(body), 422, "webhook-project")


def test_other_events_are_ignored(shop: Scenario, delivery: Delivery) -> None:
    answer = delivery.send(json.dumps({"object_kind": "issue"}).encode())
    assert (answer.status_code, answer.json()["state"]) == (202, "ignored")


def test_a_delivery_id_without_end_is_refused(shop: Scenario, delivery: Delivery) -> None:
    delivery.id = str(uuid.uuid4()) * 10
    problem(delivery.send(), 422, "webhook-payload")
