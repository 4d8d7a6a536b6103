"""Every route of the API's description: closed without a valid token (none, wrong, expired); problems have one form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import document, nothing_written, problem

OPEN = {"/healthz", "/readyz", "/api/v1/hooks/gitlab/{project_id}"}
VALUES = {
    "product_name": "shop",
    "cluster_name": "deploy",
    "deploymentruntime_name": "web",
    "name": "web",
    "kind": "projects",
    "operation": "change/shop/x",
    "run": "run/shop/build/x",
}


@pytest.fixture(scope="session")
def routes(shop: Scenario) -> list[tuple[str, str, str]]:
    """(method, path as described, path with things that exist)."""
    described = shop.api("GET", "/openapi.json", None).json()["paths"]
    return [
        (method.upper(), path, _filled(path, details))
        for path, ways in described.items()
        for method, details in ways.items()
    ]


def _filled(path: str, details: dict[str, Any]) -> str:
    for each in details.get("parameters", []):
        if each["in"] == "path":
            choices = each["schema"].get("enum") or [VALUES.get(each["name"], "1")]
            path = path.replace("{" + each["name"] + "}", choices[0])
    assert "{" not in path
    return path


def _asked(shop: Scenario, method: str, path: str, **headers: str) -> httpx2.Response:
    content = document("Project", name="web", product="shop") if method in ("POST", "PUT", "PATCH") else None
    return shop.api(method, path, None, content=content, headers=headers)


def test_routes_without_a_token_are_three(shop: Scenario, routes: list[tuple[str, str, str]]) -> None:
    assert {path for _, path, _ in routes} >= OPEN
    opened = {path for method, path, filled in routes if _asked(shop, method, filled).status_code != 401}
    assert opened == OPEN - {"/api/v1/hooks/gitlab/{project_id}"}  # a hook has a signature for a token


@pytest.mark.parametrize("kind", ["anonymous", "wrong", "expired"])
def test_every_route_refuses(shop: Scenario, routes: list[tuple[str, str, str]], kind: str) -> None:
    headers = {}
    if kind == "wrong":
        headers = {"Authorization": "Bearer glpat-nobody-has-this-token"}
    if kind == "expired":
        body = {"name": "old", "scopes": ["api"], "expires_at": datetime.now(UTC).strftime("%Y-%m-%d")}
        token = shop.gitlab_post(f"/users/{shop.people['team'].id}/personal_access_tokens", body)["token"]
        headers = {"PRIVATE-TOKEN": token}
    closed = [each for each in routes if each[1] not in OPEN]
    assert len(closed) > 15
    with nothing_written(shop.world):
        for method, _, path in closed:
            code = "gitlab-unauthenticated" if headers else "token-missing"
            problem(_asked(shop, method, path, **headers), 401, code)


def test_a_body_that_cannot_be_read_is_not_read_for_nobody(shop: Scenario) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/api/v1/apply", "/api/v1/products/shop", "/api/v1/clusters/x", "/api/v1/products/shop/projects/x"):
        problem(shop.api("POST", path, None, content=b"{", headers=headers), 401, "token-missing")


def test_unknown_routes_and_methods_are_problems(shop: Scenario) -> None:
    problem(shop.api("GET", "/nothing", "team"), 404, "route-unknown")
    problem(shop.api("GET", "/api/v1/products/shop/nothings", "team"), 404, "route-unknown")
    problem(shop.api("PATCH", "/api/v1/products/shop", "team"), 405, "method-not-allowed")


def test_answers_carry_the_headers_of_security(shop: Scenario) -> None:
    for answer in (shop.api("GET", "/healthz", None), shop.api("GET", "/nothing", None)):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


NONSENSE = {
    "not JSON": b"{",
    "a list": b"[]",
    "infinity": b'{"language": Infinity}',
    "nested too deep": b'{"language": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "half a character": b'{"language": "\\ud800"}',
    "not UTF-8": b'{"language": "\xff"}',
    "an endless number": b'{"language": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
def test_a_body_that_is_no_json_object_is_refused(shop: Scenario, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    with nothing_written(shop.world):
        answer = shop.api("POST", "/api/v1/products/shop/projects/x", "team", content=body, headers=headers)
    problem(answer, 422, "body-invalid")


def test_every_wrong_field_of_a_body_is_told(shop: Scenario) -> None:
    answer = shop.api("POST", "/api/v1/products/shop/projects/x", "team", json={"language": 1, "colour": "red"})
    found = problem(answer, 422, "manifest-invalid")
    assert {each["pointer"] for each in found["findings"]} == {"/language", "/colour"}


ODD = (
    ("operations/change/shop/" + "x" * 1500, 404),
    ("operations/change/shop/x%00y", 404),
    ("operations/change/shop/%ff", 404),
    ("operations/nothing", 404),
    ("operations/change/shop/x?wait=nan", 422),
    ("operations/change/shop/x?wait=-1", 422),
    ("products/a%00b/projects", 404),
    ("products/" + "x" * 3000 + "/projects", 404),
    ("explain/deployment/shop/nothing", 404),
    ("explain/cluster/shop/web", 422),
    ("runs/nothing", 404),
    ("clusters/%20", 404),
)


@pytest.mark.parametrize(("path", "status"), ODD, ids=[each[0][:40] for each in ODD])
def test_odd_paths_have_clear_answers(shop: Scenario, path: str, status: int) -> None:
    who = "platform" if path.startswith("clusters") else "team"
    answer = shop.api("GET", f"/api/v1/{path}", who)
    problem(answer, status, answer.json()["code"])


ESCAPES = (
    "..%2f..%2fadmin",
    "%2e%2e%2fshop",
    "shop%2f..%2fsecretive",
    "shop%252fx",
    "%2fshop",
    "shop%2f",
    "shop%2f.",
    "..",
)


@pytest.mark.parametrize("part", ESCAPES)
def test_an_encoded_path_leads_nowhere_else(shop: Scenario, part: str) -> None:
    with nothing_written(shop.world):
        for route in ("products/{}/projects", "products/{}/status", "explain/deployment/{}/web"):
            answer = shop.api("GET", f"/api/v1/{route.format(part)}", "team")
            problem(answer, 404, answer.json()["code"])
        answer = shop.api("POST", f"/api/v1/products/{part}/projects/x", "team", json={})
        assert 400 <= answer.status_code < 500
