"""Commands: planned, repeated, waited for. What an answer promises is what GitLab then holds."""

from __future__ import annotations

from nautes_sandbox.actions import quoted
from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import document, nothing_written, operation, problem, product, together


def _commits(shop: Scenario) -> int:
    path = f"/projects/{quoted('shop/default.project')}/repository/commits?per_page=100"
    return len(shop.gitlab(path))


def _projects(shop: Scenario) -> set[str]:
    return {each["name"] for each in shop.api("GET", "/api/v1/products/shop/projects", "team").json()["items"]}


def test_a_plan_lists_effects_and_writes_nothing(shop: Scenario) -> None:
    text = together(
        product("planned"),
        document("Project", name="web", product="planned"),
        document("CodeRepo", name="code", product="planned", project="web", git={"gitlab": {"path": "code"}}),
    )
    with nothing_written(shop.world):
        answer = shop.api("POST", "/api/v1/apply", "team", content=text, params={"dry_run": True})
    planned = operation(answer)
    assert (answer.status_code, planned["state"]) == (200, "planned")
    assert {(each["system"], each["action"], each["target"]) for each in planned["effects"]} == {
        ("gitlab", "create", "group planned"),
        ("git", "create", "Project/web"),
        ("git", "create", "CodeRepo/code"),
        *(("gitlab", "create", f"repository planned/{each}") for each in ("code", "default.project")),
        *(("gitlab", "create", f"webhook of planned/{each}") for each in ("code", "default.project")),
        *(("vault", "create", f"secret webhook of planned/{each}") for each in ("code", "default.project")),
        *_credential("deploy key readonly of planned/default.project"),
        *(line for each in ("readonly", "readwrite") for line in _credential(f"deploy key {each} of planned/code")),
        *_credential("access token of planned/code"),
        ("gitlab", "create", "member team of group planned"),
    }
    assert shop.gitlab_get("/groups/planned").status_code == 404


def _credential(target: str) -> list[tuple[str, str, str]]:
    """In GitLab, its secret in Vault, and the policy that opens it."""
    found = (("gitlab", target), ("vault", f"secret {target}"), ("vault", f"policy {target}"))
    return [(system, "create", what) for system, what in found]


def test_a_plan_of_a_removal_removes_nothing(shop: Scenario) -> None:
    with nothing_written(shop.world):
        answer = shop.api("DELETE", "/api/v1/products/shop/deploymentruntimes/web", "team", params={"dry_run": True})
    planned = operation(answer)
    assert [each["target"] for each in planned["effects"]][:2] == [
        "DeploymentRuntime/web",
        "Namespace shop-web in deploy",
    ]
    assert {each["action"] for each in planned["effects"]} == {"delete"}
    assert planned["deletions"] == 1
    assert any(each["target"].endswith("objects of deployment web in deploy") for each in planned["effects"])
    assert shop.deployment()["phase"] == "Converged"


def test_a_repeated_key_is_the_same_operation(shop: Scenario) -> None:
    before, headers = _commits(shop), {"Idempotency-Key": "twice"}
    text = document("Project", name="twice", product="shop")
    answers = [shop.api("POST", "/api/v1/apply", "team", content=text, headers=headers) for _ in range(2)]
    first, second = map(operation, answers)
    assert first == second
    assert [each["action"] for each in first["outcomes"]] == ["created"]
    assert _commits(shop) == before + 1


def test_a_key_does_not_turn_a_change_into_the_plan_before_it(shop: Scenario) -> None:
    headers = {"Idempotency-Key": "plan, then change"}
    text = document("Project", name="planned-first", product="shop")
    for dry_run in (True, False):
        shop.api("POST", "/api/v1/apply", "team", content=text, headers=headers, params={"dry_run": dry_run})
    assert "planned-first" in _projects(shop)


def test_a_key_on_another_body_is_another_operation(shop: Scenario) -> None:
    headers = {"Idempotency-Key": "two bodies"}
    for name in ("body-one", "body-two"):
        shop.api(
            "POST", "/api/v1/apply", "team", content=document("Project", name=name, product="shop"), headers=headers
        )
    assert {"body-one", "body-two"} <= _projects(shop)


def test_who_does_not_wait_is_told_where_to_ask(shop: Scenario) -> None:
    text = document("Project", name="patient", product="shop")
    answer = shop.api("POST", "/api/v1/apply", "team", content=text, params={"wait": 0})
    assert (answer.status_code, operation(answer)["state"]) == (202, "running")
    where = answer.headers["location"]
    assert where == f"/api/v1/operations/{operation(answer)['operation']}"
    ended = shop.api("GET", where, "team", params={"wait": 60}).json()
    assert (ended["state"], [each["action"] for each in ended["outcomes"]]) == ("done", ["created"])
    assert shop.api("GET", where, "team").json() == ended


def test_routes_of_the_kinds_save_and_remove(shop: Scenario) -> None:
    path = "/api/v1/products/shop/projects/single"
    saved = shop.api("POST", path, "team", json={"language": "go"})
    assert operation(saved)["outcomes"][0] == {"resource": "Project/single", "action": "created", "detail": ""}
    assert shop.api("GET", path, "team").json() == {"name": "single", "product": "shop", "language": "go"}
    again = shop.api("POST", path, "team", json={"language": "go"})
    assert operation(again)["outcomes"][0]["action"] == "unchanged"
    removed = shop.api("DELETE", path, "team")
    assert operation(removed)["outcomes"][0]["action"] == "removed"
    problem(shop.api("GET", path, "team"), 404, "not-found")
    problem(shop.api("DELETE", path, "team"), 404, "not-found")


def test_what_is_in_use_is_not_removed(shop: Scenario) -> None:
    with nothing_written(shop.world):
        found = problem(shop.api("DELETE", "/api/v1/products/shop", "team"), 422, "product-in-use")
        cluster = problem(shop.api("DELETE", "/api/v1/clusters/deploy", "platform"), 422, "cluster-in-use")
    assert "DeploymentRuntime/web" in found["detail"]
    assert "deployment/shop/web" in cluster["detail"]


def test_a_nested_group_is_a_product_like_any_other(shop: Scenario) -> None:
    shop.api("POST", "/api/v1/apply", "team", content=product("family"))
    text = together(product("family/child"), document("Project", name="web", product="family/child"))
    answer = shop.api("POST", "/api/v1/apply", "team", content=text)
    assert answer.status_code == 200, answer.text
    assert operation(answer)["state"] == "done"
    base = "/api/v1/products/family%2Fchild"
    assert shop.api("GET", base, "team").json()["git"]["gitlab"]["path"] == "child"
    assert shop.api("GET", f"{base}/projects/web", "team").json()["product"] == "family/child"
    assert shop.api("GET", f"{base}/status", "team").json()["product"]["path"] == "family/child"
    problem(shop.api("GET", f"{base}/projects", "stranger"), 404, "not-found")
    problem(shop.api("GET", "/api/v1/products/family/child/projects", "team"), 404, "route-unknown")
    assert operation(shop.api("DELETE", f"{base}/projects/web", "team"))["state"] == "done"
    assert operation(shop.api("DELETE", base, "team"))["state"] == "done"
    assert shop.gitlab_get("/groups/family%2Fchild").status_code == 404


def test_commands_to_a_runtime_that_was_removed_say_so(shop: Scenario) -> None:
    base = "/api/v1/products/shop/deploymentruntimes"
    body = {
        "projects_ref": ["web"],
        "account": "brief",
        "manifest_source": {"code_repo": "deploy", "target_revision": "main", "path": "nothing"},
        "destination": {"environment": "test", "namespaces": ["shop-brief"]},
    }
    assert shop.api("POST", f"{base}/brief", "team", json=body).status_code == 200
    assert shop.api("DELETE", f"{base}/brief", "team", params={"wait": 60}).status_code == 200
    for command in ("pause", "resume", "sync"):
        problem(shop.api("POST", f"{base}/brief/{command}", "team"), 404, "workflow-ended")
    problem(shop.api("POST", f"{base}/nothing/pause", "team"), 404, "workflow-unknown")
    problem(shop.api("POST", f"{base}/web/rollback", "team", params={"commit": "HEAD"}), 422, "commit-malformed")
