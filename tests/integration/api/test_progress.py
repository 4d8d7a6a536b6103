"""Following an operation while it runs, and the timeline of what happened to a product and to a cluster."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import document, operation, problem, product


def _events(shop: Scenario, operation_id: str, who: str = "team") -> list[tuple[str, dict[str, Any]]]:
    headers = {"Authorization": f"Bearer {shop.people[who].token}"}
    address = f"{shop.world.api_url}/api/v1/operations/{operation_id}/events"
    found, name = [], ""
    with httpx2.stream("GET", address, headers=headers, timeout=60) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            key, _, value = line.partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                found.append((name, json.loads(value)))
    return found


def test_an_operation_is_followed_to_its_end(shop: Scenario) -> None:
    answer = shop.api("POST", "/api/v1/apply", "team", content=product("followed"), params={"wait": 0})
    assert answer.status_code == 202
    key = operation(answer)["operation"]
    events = _events(shop, key)
    assert [name for name, _ in events[:-1]] == ["step"] * (len(events) - 1)
    name, end = events[-1]
    assert (name, end["state"], end["operation"]) == ("end", "done", key)
    assert end == shop.api("GET", f"/api/v1/operations/{key}", "team").json()
    assert _events(shop, key) == [("end", end)]  # it can be asked for again


def test_events_are_for_those_who_may_see_the_operation(shop: Scenario) -> None:
    key = operation(shop.api("POST", "/api/v1/apply", "team", content=product("followed")))["operation"]
    for path in (f"operations/{key}/events", "operations/change/followed/nothing/events"):
        problem(shop.api("GET", f"/api/v1/{path}", "stranger"), 404, "operation-unknown")
    problem(shop.api("GET", "/api/v1/operations/change/shop/nothing/events", "team"), 404, "operation-unknown")


def _timeline(shop: Scenario, path: str, who: str, **query: Any) -> dict[str, Any]:
    answer = shop.api("GET", f"/api/v1/{path}/timeline", who, params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_timeline_tells_who_did_what_newest_first(shop: Scenario) -> None:
    shop.api("POST", "/api/v1/apply", "team", content=product("told"))
    done = [
        operation(shop.api("POST", "/api/v1/apply", "team", content=document("Project", name=each, product="told")))
        for each in ("one", "two")
    ]
    path = "products/told"
    shop.until(lambda: len(_timeline(shop, path, "team")["items"]) == 3, "visibility has seen all three")
    found = _timeline(shop, path, "team")
    newest = found["items"][0]
    assert [each["operation"] for each in found["items"][:2]] == [each["operation"] for each in reversed(done)]
    assert (newest["requester"]["username"], newest["action"], newest["source"]) == ("team", "apply", "api")
    assert (newest["state"], newest["commit"]) == ("done", done[1]["commit"])
    assert newest["outcomes"] == [{"resource": "Project/two", "action": "created", "detail": ""}]
    assert "products.commit_files" in [each["step"] for each in newest["calls"]]
    assert all(each["attempts"] >= 1 for each in newest["calls"])
    first = _timeline(shop, path, "team", limit=2)
    rest = _timeline(shop, path, "team", cursor=first["next"])
    assert first["items"] + rest["items"] == found["items"]
    assert rest["next"] is None


def test_a_timeline_is_for_readers(shop: Scenario) -> None:
    assert _timeline(shop, "products/shop", "reporter")["items"]
    problem(shop.api("GET", "/api/v1/products/shop/timeline", "stranger"), 404, "not-found")
    problem(shop.api("GET", "/api/v1/clusters/deploy/timeline", "team"), 404, "not-found")
    problem(shop.api("GET", "/api/v1/products/shop/timeline", "team", params={"cursor": "x"}), 422, "cursor-invalid")


def test_a_clusters_timeline_has_its_registrations(shop: Scenario) -> None:
    found = _timeline(shop, "clusters/deploy", "platform")["items"]
    first = found[-1]
    assert (first["action"], first["state"], first["requester"]["username"]) == ("apply", "done", "platform")
    assert all(each["operation"].startswith("registration/deploy/") for each in found)
    assert _timeline(shop, "clusters/nothing", "platform") == {"items": [], "next": None}
