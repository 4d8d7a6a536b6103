"""Who are you, may you: tokens that are no good, permissions that are missing, and what is not yours."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx2
import pytest

from nautes_sandbox.actions import Person, quoted
from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import (
    Cli,
    document,
    joined,
    nothing_written,
    operation,
    problem,
    product,
    together,
)

HIDDEN = "secretive"


def _token(shop: Scenario, who: str, **settings: object) -> str:
    body = {"name": "api", "scopes": ["api"], **settings}
    return str(shop.gitlab_post(f"/users/{shop.people[who].id}/personal_access_tokens", body)["token"])


@pytest.fixture(scope="session")
def expired(shop: Scenario) -> str:
    return _token(shop, "team", expires_at=datetime.now(UTC).strftime("%Y-%m-%d"))


@pytest.fixture(scope="session")
def hidden(shop: Scenario) -> str:
    """A private product of `team`."""
    assert shop.api("POST", "/api/v1/apply", "team", content=product(HIDDEN)).status_code == 200
    return HIDDEN


@pytest.fixture(params=["wrong", "expired"])
def bad_token(request: pytest.FixtureRequest, expired: str) -> str:
    return expired if request.param == "expired" else "glpat-wrong-0123456789abcdef"


def test_a_token_that_is_no_good_is_refused(shop: Scenario, cli: Cli, bad_token: str) -> None:
    text = document("Project", name="mine", product="shop")
    with nothing_written(shop.world):
        answer = shop.api("POST", "/api/v1/apply", None, content=text, headers={"Authorization": f"Bearer {bad_token}"})
        ended = cli("team", "apply", "-f", "-", stdin=text, token=bad_token)
    problem(answer, 401, "gitlab-unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert (ended.code, ended.out) == (1, "")
    assert "GitLab does not accept the token" in ended.err
    assert bad_token not in answer.text + ended.err


def test_nobody_is_told_how_to_say_who_they_are(shop: Scenario) -> None:
    answer = shop.api("GET", "/api/v1/products", None)
    assert "Authorization: Bearer" in problem(answer, 401, "token-missing")["detail"]


def test_both_headers_of_gitlab_are_taken(shop: Scenario) -> None:
    token = shop.people["team"].token
    for headers in ({"PRIVATE-TOKEN": token}, {"Authorization": token}, {"Authorization": f"bearer {token}"}):
        assert shop.api("GET", "/api/v1/products/shop", None, headers=headers).status_code == 200


def test_a_token_without_the_scope_is_refused(shop: Scenario) -> None:
    shop.people["narrow"] = Person(shop.people["team"].id, "team", _token(shop, "team", scopes=["read_user"]))
    with nothing_written(shop.world):
        answer = shop.api("POST", "/api/v1/apply", "narrow", content=document("Project", name="x", product="shop"))
    assert "insufficient_scope" in problem(answer, 403, "gitlab-forbidden")["detail"]


@pytest.mark.parametrize("how", ["plain", "insecure"])
def test_a_missing_permission_is_named(shop: Scenario, cli: Cli, how: str) -> None:
    text = document("Project", name="mine", product="shop")
    flags = ["-i"] if how == "insecure" else []
    with nothing_written(shop.world):
        answer = shop.api(
            "POST", "/api/v1/apply", "reporter", content=text, params={"insecure_skip_check": bool(flags)}
        )
        ended = cli("reporter", "apply", "-f", "-", *flags, stdin=text)
    says = "this needs push to main of shop/default.project"
    assert problem(answer, 403, "permission-missing")["detail"] == says
    assert (ended.code, ended.out) == (1, "")
    assert says in ended.err


def test_a_reader_may_read_and_may_not_command(shop: Scenario) -> None:
    assert shop.api("GET", "/api/v1/products/shop/status", "reporter").status_code == 200
    with nothing_written(shop.world):
        answer = shop.api("POST", "/api/v1/products/shop/deploymentruntimes/web/pause", "reporter")
    problem(answer, 403, "permission-missing")
    assert shop.deployment()["phase"] == "Converged"


def test_every_document_is_authorized_on_its_own(shop: Scenario) -> None:
    mine, theirs = product("allowed"), document("Project", name="mine", product="shop")
    cluster = document(
        "Cluster", name="c", apiServer="https://192.0.2.1", clusterType="physical", usage="host", kubeconfig="{}"
    )
    with nothing_written(shop.world):  # Vault keeps no kubeconfig of somebody who may not register clusters
        problem(shop.api("POST", "/api/v1/apply", "stranger", content=together(mine, theirs)), 404, "not-found")
        problem(shop.api("POST", "/api/v1/apply", "team", content=together(cluster, theirs)), 404, "not-found")
    assert shop.gitlab_get("/groups/allowed").status_code == 404


READS = (
    "products/{}",
    "products/{}/projects",
    "products/{}/projects/web",
    "products/{}/deploymentruntimes",
    "products/{}/status",
    "products/{}/runs",
    "explain/deployment/{}/web",
    "runs/run/{}/build/x",
    "operations/change/{}/x",
)


@pytest.mark.parametrize("route", READS)
def test_what_is_not_yours_is_not_there(shop: Scenario, hidden: str, route: str) -> None:
    theirs = shop.api("GET", f"/api/v1/{route.format(hidden)}", "stranger")
    nothing = shop.api("GET", f"/api/v1/{route.format('nothing')}", "stranger")
    assert theirs.status_code == nothing.status_code == 404
    assert theirs.text.replace(hidden, "nothing") == nothing.text


def test_clusters_are_not_there_for_who_may_not_see_them(shop: Scenario) -> None:
    for path in ("clusters", "clusters/deploy", "clusters/deploy/status", "operations/registration/deploy/x"):
        assert problem(shop.api("GET", f"/api/v1/{path}", "team"), 404, "not-found")


def test_products_of_others_are_not_listed(shop: Scenario, hidden: str) -> None:
    assert shop.api("GET", "/api/v1/products", "stranger").json()["items"] == []
    listed = shop.api("GET", "/api/v1/products", "team").json()["items"]
    assert {"shop", hidden} <= {each["name"] for each in listed}


def test_a_hidden_product_cannot_be_declared_by_its_name(shop: Scenario, hidden: str) -> None:
    text = together(product(hidden, description="taken over"), document("Project", name="evil", product=hidden))
    with nothing_written(shop.world):
        problem(shop.api("POST", "/api/v1/apply", "stranger", content=text), 404, "not-found")
        problem(shop.api("POST", f"/api/v1/products/{hidden}", "stranger", json={}), 404, "not-found")


@pytest.mark.parametrize("way", ["with the product", "without it", "remove"])
def test_a_hidden_product_cannot_be_reached_by_another_spelling(shop: Scenario, hidden: str, way: str) -> None:
    spelled = hidden.capitalize()
    project = document("Project", name="evil", product=spelled)
    text = together(product(spelled, description="taken over"), project) if way == "with the product" else project
    action = "remove" if way == "remove" else "apply"
    with nothing_written(shop.world):
        answer = shop.api("POST", f"/api/v1/{action}", "stranger", content=text)
    assert answer.status_code in (404, 422) or operation(answer)["outcomes"][0]["action"] == "absent"
    assert shop.gitlab(f"/groups/{quoted(hidden)}")["description"] == hidden


def test_a_product_has_one_spelling(shop: Scenario) -> None:
    text = document("Project", name="twice", product="Shop", language="go")
    with nothing_written(shop.world):
        answer = shop.api("POST", "/api/v1/apply", "team", content=text)
    assert "product-spelling" in answer.text


def test_a_hidden_product_cannot_be_removed(shop: Scenario, hidden: str) -> None:
    with nothing_written(shop.world):
        answer = shop.api("POST", "/api/v1/remove", "stranger", content=product(hidden))
        nothing = shop.api("POST", "/api/v1/remove", "stranger", content=product("nothing"))
    assert [each["action"] for each in operation(answer)["outcomes"]] == ["absent"]
    assert operation(answer)["outcomes"][0]["action"] == operation(nothing)["outcomes"][0]["action"]
    assert shop.api("GET", f"/api/v1/products/{hidden}", "team").status_code == 200


def test_nobody_makes_a_group_inside_a_group_of_others(shop: Scenario, hidden: str) -> None:
    with nothing_written(shop.world):
        open_one = shop.api("POST", "/api/v1/apply", "reporter", content=product("shop/evil"))
        hidden_one = shop.api("POST", "/api/v1/apply", "stranger", content=product(f"{hidden}/evil"))
    assert "Maintainer (40) on shop" in problem(open_one, 403, "permission-missing")["detail"]
    problem(hidden_one, 404, "not-found")


def test_the_tenants_own_group_is_no_product(shop: Scenario) -> None:
    with nothing_written(shop.world):
        problem(shop.api("POST", "/api/v1/apply", "platform", content=product("nautes")), 422, "product-reserved")


def test_an_operation_is_seen_by_who_asked_for_it_also_when_all_is_gone(shop: Scenario) -> None:
    shop.api("POST", "/api/v1/apply", "team", content=product("brief"))
    joined(shop, "reporter", "brief", 20)
    done = operation(shop.api("POST", "/api/v1/remove", "team", content=product("brief")))["operation"]
    assert shop.api("GET", f"/api/v1/operations/{done}", "team").json()["state"] == "done"
    problem(shop.api("GET", f"/api/v1/operations/{done}", "stranger"), 404, "operation-unknown")
    problem(shop.api("POST", f"/api/v1/operations/{done}/cancel", "stranger"), 404, "operation-unknown")


def test_an_operation_of_a_hidden_product_cannot_be_cancelled_by_others(shop: Scenario, hidden: str) -> None:
    text = document("Project", name="web", product=hidden)
    answer = shop.api("POST", "/api/v1/apply", "team", content=text, params={"wait": 0})
    path = f"/api/v1/operations/{operation(answer)['operation']}"
    problem(shop.api("POST", f"{path}/cancel", "stranger"), 404, "operation-unknown")
    assert shop.api("GET", path, "team", params={"wait": 30}).json()["state"] == "done"
    group = shop.gitlab(f"/groups/{quoted(hidden)}")
    assert group["description"] == hidden


@pytest.fixture(scope="session")
def developer(shop: Scenario) -> str:
    """May push to the declaration of `teamwork`, as its main is protected for Developers; no Maintainer of anything."""
    assert shop.api("POST", "/api/v1/apply", "team", content=product("teamwork")).status_code == 200
    text = document("CodeRepo", name="code", product="teamwork", git={"gitlab": {"visibility": "private"}})
    assert shop.api("POST", "/api/v1/apply", "team", content=text).status_code == 200
    shop.people["developer"] = shop.person("developer")
    joined(shop, "developer", "teamwork", 30)
    project = shop.gitlab(f"/projects/{quoted('teamwork/default.project')}")["id"]
    path = f"/projects/{project}/protected_branches"
    headers = {"PRIVATE-TOKEN": shop.world.root_token}
    httpx2.delete(f"{shop.world.gitlab_url}/api/v4{path}/main", headers=headers, timeout=30)
    shop.gitlab_post(path, {"name": "main", "push_access_level": 30, "merge_access_level": 30})
    return "developer"


def test_who_may_push_is_let_in_to_declare(shop: Scenario, developer: str) -> None:
    answer = shop.api("POST", "/api/v1/products/teamwork/projects/web", developer, json={"language": "go"})
    assert answer.status_code != 403
    assert "change/teamwork/" in answer.text  # it became an operation


def test_a_developer_saving_a_repository_is_told_what_is_missing(shop: Scenario, developer: str) -> None:
    base = "/api/v1/products/teamwork/coderepos"
    with nothing_written(shop.world):
        new = shop.api("POST", f"{base}/new", developer, json={})
        kept = shop.api("POST", f"{base}/code", developer, json={})
        gone = shop.api("DELETE", f"{base}/code", developer)
    assert "Maintainer (40) on teamwork;" in problem(new, 403, "permission-missing")["detail"]
    assert "Maintainer (40) on teamwork/code;" in problem(kept, 403, "permission-missing")["detail"]
    assert "Owner (50) on teamwork/code;" in problem(gone, 403, "permission-missing")["detail"]
    assert shop.gitlab_get(f"/projects/{quoted('teamwork/new')}").status_code == 404


def test_who_may_push_may_not_skip_the_checks(shop: Scenario, developer: str) -> None:
    path, skip = "/api/v1/products/teamwork/projects/skipped", {"insecure_skip_check": "true"}
    with nothing_written(shop.world):
        answer = shop.api("POST", path, developer, json={}, params=skip)
    detail = problem(answer, 403, "permission-missing")["detail"]
    assert "Maintainer (40) on teamwork/default.project" in detail
    assert shop.api("POST", path, "team", json={}, params=skip).status_code == 200


def test_a_repository_one_cannot_see_cannot_be_deleted(shop: Scenario) -> None:
    """Somebody who may push to the declaration, and is no member of the group."""
    text = together(product("halfway"), document("CodeRepo", name="code", product="halfway"))
    assert shop.api("POST", "/api/v1/apply", "team", content=text).status_code == 200
    shop.people["halfway"] = shop.person("halfway")
    project = shop.gitlab(f"/projects/{quoted('halfway/default.project')}")["id"]
    shop.gitlab_post(f"/projects/{project}/members", {"user_id": shop.people["halfway"].id, "access_level": 40})
    with nothing_written(shop.world):
        answer = shop.api("DELETE", "/api/v1/products/halfway/coderepos/code", "halfway")
    problem(answer, 404, "not-found")
    assert shop.gitlab_get(f"/projects/{quoted('halfway/code')}").status_code == 200


def test_what_a_bug_has_stopped_is_tried_again_by_those_who_may_command_it(shop: Scenario) -> None:
    path = "/api/v1/retry/deployment/shop/web"
    problem(shop.api("POST", path, "stranger"), 404, "not-found")
    problem(shop.api("POST", path, "reporter"), 403, "permission-missing")
    answer = shop.api("POST", path, "team")
    assert (answer.status_code, answer.json()) == (202, {"workflow": "deployment/shop/web", "state": "retrying"})
    for other in ("tenant", "cluster/deploy", "observer/deploy"):
        assert shop.api("POST", f"/api/v1/retry/{other}", "team").status_code in (403, 404)
        assert shop.api("POST", f"/api/v1/retry/{other}", "platform").status_code == 202
    problem(shop.api("POST", "/api/v1/retry/nothing/of/this", "team"), 404, "workflow-unknown")
    problem(shop.api("POST", "/api/v1/retry/deployment/shop/none", "team"), 404, "operation-unknown")
