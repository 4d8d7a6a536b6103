"""Reading and saving by kind: filters, pages, versions and preconditions, plans, and how the API speaks HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import document, nothing_written, operation, problem, product, together
from tests.waiting import until

SHELF = "shelf"
BASE = f"/api/v1/products/{SHELF}"
NAMES = [f"p-{number:02}" for number in range(12)]


@pytest.fixture(scope="session")
def shelf(shop: Scenario) -> Iterator[Scenario]:
    """A product with a dozen projects and a repository."""
    projects = [document("Project", name=each, product=SHELF, language="go") for each in NAMES]
    code = document("CodeRepo", name="code", product=SHELF, project="p-00", git={"gitlab": {"visibility": "private"}})
    text = together(product(SHELF), *projects, code)
    assert shop.api("POST", "/api/v1/apply", "team", content=text, params={"wait": 60}).status_code == 200
    yield shop


def _get(shelf: Scenario, path: str, **request: Any) -> Any:
    answer = shelf.api("GET", f"{BASE}/{path}", "team", **request)
    assert answer.status_code == 200, answer.text
    return answer


def test_a_list_is_read_with_one_question_to_gitlab(shelf: Scenario) -> None:
    # Sweeps and what follows a change read beside it now and then: they can only add to what is counted.
    assert until(lambda: _listed_with_little(shelf), "a list with one question and no fetch")


def _listed_with_little(shelf: Scenario) -> bool:
    before = shelf.world.calls()
    listed = _get(shelf, "projects").json()
    after = shelf.world.calls()
    assert [each["name"] for each in listed["items"]] == NAMES
    assert listed["next"] is None
    asked = after["GitLab reads"] - before["GitLab reads"]
    return asked <= 2 and after["Git reads"] == before["Git reads"]  # the branch, and once in a while who this is


def test_pages_hold_the_list(shelf: Scenario) -> None:
    seen, cursor = [], ""
    for _ in range(3):
        found = _get(shelf, "projects", params={"limit": 5, **({"cursor": cursor} if cursor else {})}).json()
        seen += [each["name"] for each in found["items"]]
        cursor = found["next"] or ""
    assert (seen, cursor) == (NAMES, "")
    problem(shelf.api("GET", f"{BASE}/projects", "team", params={"cursor": "nonsense"}), 422, "cursor-invalid")
    problem(shelf.api("GET", f"{BASE}/projects", "team", params={"limit": 501}), 422, "request-invalid")


def test_a_list_that_was_begun_stays_what_it_was(shelf: Scenario) -> None:
    cursor = _get(shelf, "projects", params={"limit": 5}).json()["next"]
    assert shelf.api("POST", f"{BASE}/projects/p-055", "team", json={}).status_code == 200
    rest = _get(shelf, "projects", params={"cursor": cursor}).json()["items"]
    assert [each["name"] for each in rest] == NAMES[5:]
    assert "p-055" in [each["name"] for each in _get(shelf, "projects").json()["items"]]
    assert shelf.api("DELETE", f"{BASE}/projects/p-055", "team").status_code == 200


def test_a_cursor_of_a_commit_that_is_not_kept_is_gone(shelf: Scenario) -> None:
    from api.pages import Cursor

    cursor = Cursor("0" * 40, "p-01").text()
    problem(shelf.api("GET", f"{BASE}/projects", "team", params={"cursor": cursor}), 410, "cursor-expired")


def test_filters_select_and_unknown_ones_are_refused(shelf: Scenario) -> None:
    found = _get(shelf, "projects", params={"field_selector": "project_name=p-0"}).json()["items"]
    assert [each["name"] for each in found] == NAMES[:10]
    answer = shelf.api("GET", f"{BASE}/projects", "team", params={"field_selector": "language=go"})
    assert "project_name" in problem(answer, 422, "filter-invalid")["findings"][0]["hint"]


def test_a_misspelled_parameter_is_refused(shelf: Scenario) -> None:
    answer = shelf.api("GET", f"{BASE}/projects", "team", params={"fieldSelector": "project_name=p"})
    assert "field_selector" in problem(answer, 422, "query-unknown")["findings"][0]["hint"]


def test_repositories_have_the_addresses_that_gitlab_has(shelf: Scenario) -> None:
    (listed,) = _get(shelf, "coderepos").json()["items"]
    one = _get(shelf, "coderepos/code").json()
    assert listed == one
    assert one["git"]["gitlab"]["http_url_to_repo"].endswith(f"/{SHELF}/code.git")
    assert one["git"]["gitlab"]["ssh_url_to_repo"].endswith(f":{SHELF}/code.git")
    assert one["git"]["gitlab"]["visibility"] == "private"


def test_products_are_listed_with_their_settings(shelf: Scenario) -> None:
    (found,) = shelf.api("GET", "/api/v1/products", "team", params={"field_selector": f"product_name={SHELF}"}).json()[
        "items"
    ]
    assert found == shelf.api("GET", BASE, "team").json()
    assert found["git"]["gitlab"]["visibility"] == "private"


def test_what_is_known_is_not_sent_again(shelf: Scenario) -> None:
    for path in ("projects/p-00", "projects", ""):
        address = f"{BASE}/{path}".rstrip("/")
        tag = shelf.api("GET", address, "team").headers["etag"]
        again = shelf.api("GET", address, "team", headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert shelf.api("GET", address, "team", headers={"If-None-Match": '"old"'}).status_code == 200


def test_a_save_on_an_old_version_is_refused_before_anything_is_written(shelf: Scenario) -> None:
    path = f"{BASE}/projects/p-01"
    tag = shelf.api("GET", path, "team").headers["etag"]
    saved = shelf.api("POST", path, "team", json={"language": "rust"}, headers={"If-Match": tag})
    assert operation(saved)["outcomes"][0]["action"] == "changed"
    with nothing_written(shelf.world):
        for method in ("POST", "DELETE"):
            body = {"json": {"language": "c"}} if method == "POST" else {}
            answer = shelf.api(method, path, "team", headers={"If-Match": tag}, **body)
            problem(answer, 412, "precondition-failed")
        exists = shelf.api("POST", path, "team", json={}, headers={"If-None-Match": "*"})
        nothing = shelf.api("POST", f"{BASE}/projects/nothing", "team", json={}, headers={"If-Match": "*"})
    problem(exists, 412, "precondition-failed")
    problem(nothing, 412, "precondition-failed")
    assert shelf.api("GET", path, "team").json()["language"] == "rust"


def test_a_repeated_deletion_under_one_key_is_the_same_operation(shelf: Scenario) -> None:
    path = f"{BASE}/projects/twice"
    shelf.api("POST", path, "team", json={})
    answers = [shelf.api("DELETE", path, "team", headers={"Idempotency-Key": "gone"}) for _ in range(2)]
    assert operation(answers[0]) == operation(answers[1])
    problem(shelf.api("DELETE", path, "team"), 404, "not-found")


def test_replies_say_what_became_of_it(shelf: Scenario) -> None:
    saved = shelf.api("POST", f"{BASE}/projects/said", "team", json={}).json()
    deleted = shelf.api("DELETE", f"{BASE}/projects/said", "team").json()
    assert (saved["message"], deleted["message"]) == (
        "Successfully saved said configuration",
        "Successfully deleted said configuration",
    )


@pytest.mark.parametrize("action", ["apply", "remove"])
def test_a_plan_says_what_would_be_done_and_does_nothing(shelf: Scenario, action: str) -> None:
    name = "planned" if action == "apply" else "p-11"
    text = document("Project", name=name, product=SHELF)
    with nothing_written(shelf.world):
        answer = shelf.api("POST", "/api/v1/plan", "team", content=text, params={"action": action})
    assert answer.status_code == 200, answer.text
    assert [each["target"] for each in operation(answer)["effects"]] == [f"Project/{name}"]


def test_a_plan_needs_what_the_change_needs(shelf: Scenario) -> None:
    text = document("Project", name="planned", product=SHELF)
    problem(shelf.api("POST", "/api/v1/plan", "stranger", content=text), 404, "not-found")


@pytest.mark.parametrize("spelling", ["insecure_skip_check", "insecureSkipCheck"])
def test_both_spellings_of_skipping_are_taken(shelf: Scenario, spelling: str) -> None:
    body = {"cluster": "nowhere", "env_type": "test"}
    path = f"{BASE}/environments/skipped"
    problem(shelf.api("POST", path, "team", json=body, params={"dry_run": "true"}), 422, "environment-cluster-unknown")
    answer = shelf.api("POST", path, "team", json=body, params={"dry_run": "true", spelling: "true"})
    assert operation(answer)["state"] == "planned"


def test_a_manifest_may_come_as_json(shelf: Scenario) -> None:
    manifests = [json.loads(document("Project", name=each, product=SHELF)) for each in ("json-a", "json-b")]
    answer = shelf.api("POST", "/api/v1/plan", "team", json=manifests)
    assert {each["resource"] for each in operation(answer)["outcomes"]} == {"Project/json-a", "Project/json-b"}
    wrong = shelf.api("POST", "/api/v1/plan", "team", json=[manifests[0], {**manifests[1], "kind": "Projekt"}])
    assert problem(wrong, 422, "manifest-invalid")["findings"][0]["pointer"] == "/1/kind"


def test_a_body_of_another_kind_is_not_guessed_at(shelf: Scenario) -> None:
    with nothing_written(shelf.world):
        for path in ("/api/v1/apply", f"{BASE}/projects/x"):
            problem(shelf.api("POST", path, "team", data={"a": "b"}), 415, "media-type")


def test_a_key_that_stands_twice_is_refused_with_its_place(shelf: Scenario) -> None:
    body = b'{"language": "go", "language": "c"}'
    answer = shelf.api("POST", f"{BASE}/projects/x", "team", content=body, headers={"Content-Type": "application/json"})
    assert problem(answer, 422, "body-invalid")["findings"][0]["pointer"] == "/language"


def test_methods_are_told_and_others_are_refused(shelf: Scenario) -> None:
    path = f"{BASE}/projects/p-00"
    refused = shelf.api("PUT", path, "team", json={})
    problem(refused, 405, "method-not-allowed")
    assert refused.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, POST"
    told = shelf.api("OPTIONS", path, None)
    assert (told.status_code, told.headers["allow"]) == (204, refused.headers["allow"])


def test_head_is_get_without_a_body(shelf: Scenario) -> None:
    got, head = (shelf.api(method, f"{BASE}/projects/p-00", "team") for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == got.headers["etag"]
    assert shelf.api("HEAD", f"{BASE}/projects/nothing", "team").status_code == 404


def test_swagger_ui_loads_nothing_from_elsewhere(shelf: Scenario) -> None:
    page = shelf.api("GET", "/docs", None)
    assert page.status_code == 200
    assert "http" not in page.text.replace("http-equiv", "")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js", "favicon.png"):
        assert f"docs/{name}" in page.text
        assert shelf.api("GET", f"/docs/{name}", None).status_code == 200
    assert shelf.api("GET", "/docs/..%2f..%2fapp.py", None).status_code in (404, 422)
