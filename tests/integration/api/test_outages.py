"""During an outage the API names it, explains it in one line and can cancel a change; afterwards everything goes on by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nautes.messages import queues
from nautes_sandbox.scenario import Scenario
from tests.integration import secrets
from tests.integration.api.support import Cli, operation, problem, product

LINE = re.compile(r"web is [A-Z][a-z]+: \S+ failed \d+ times, last: .+; next try 20\d\d-\d\d-\d\dT[\d:]+Z")


@contextmanager
def _down(shop: Scenario, name: str) -> Iterator[None]:
    """One server crashes, and is started again."""
    shop.world.kill(name)
    try:
        yield
    finally:
        shop.world.up()


def _ready(shop: Scenario) -> tuple[int, dict[str, str]]:
    answer = shop.api("GET", "/readyz", None)
    return answer.status_code, answer.json()


def _not_ready(shop: Scenario) -> tuple[int, dict[str, str]]:
    """What is answered as soon as the answer of before is kept no longer."""
    shop.until(lambda: _ready(shop)[0] != 200, "the outage is seen")
    return _ready(shop)


def _wait_until_ready(shop: Scenario) -> None:
    shop.until(lambda: _ready(shop)[0] == 200, "everything answers again")
    systems = ("temporal", "gitlab", "vault", *(f"queue {each}" for each in queues.ALL))
    assert _ready(shop)[1] == dict.fromkeys(("status", *systems), "ok")


def test_a_change_that_waits_for_vault_is_cancelled_and_taken_back(shop: Scenario) -> None:
    kept = secrets.in_vault(shop)
    with _down(shop, "openbao"):
        status, found = _not_ready(shop)
        assert (status, found["status"]) == (503, "unavailable")
        assert [name for name in ("temporal", "gitlab", "vault") if found[name] != "ok"] == ["vault"]
        answer = shop.api("POST", "/api/v1/apply", "team", content=product("halfway"), params={"wait": 0})
        where = f"/api/v1/operations/{operation(answer)['operation']}"
        shop.until(lambda: bool(shop.api("GET", where, "team").json()["retry"]), "the change waits for Vault")
        waiting = shop.api("GET", where, "team").json()
        assert (waiting["state"], waiting["requester"]) == ("running", "team")
        assert waiting["retry"]["attempt"] >= 2
        assert shop.gitlab_get("/groups/halfway").status_code == 200
        cancelled = shop.api("POST", f"{where}/cancel", "team")
        assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelling")
    _wait_until_ready(shop)
    ended = shop.api("GET", where, "team", params={"wait": 60}).json()
    assert ended["state"] == "cancelled"
    assert "group halfway" in ended["undone"]
    assert shop.gitlab_get("/groups/halfway").status_code == 404
    assert secrets.in_vault(shop) == kept


def test_a_deployment_that_cannot_reach_its_cluster_explains_itself(shop: Scenario, cli: Cli) -> None:
    tree = shop.clone("shop/deploy")
    (tree / "production" / "late.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late}\n")
    path = "/api/v1/explain/deployment/shop/web"
    with _down(shop, "deploy-apiserver"):
        commit = shop.push(tree, "while the cluster is away")
        shop.until(lambda: "next try" in shop.api("GET", path, "team").json()["line"], "the deployment is retried")
        explained = shop.api("GET", path, "team").json()
        assert LINE.fullmatch(explained["line"]), explained["line"]
        assert explained["ready"] is False
        told, waited = (
            cli("team", "explain", "deployment/shop/web"),
            cli("team", "wait", "web", "-p", "shop", "--timeout", "0"),
        )
        tree_shown = cli("team", "status", "shop").out
    assert (told.code, told.out.count("\n")) == (0, 1)
    assert LINE.fullmatch(told.out.strip())
    assert (waited.code, waited.out) == (1, "")
    assert LINE.search(waited.err)
    assert "next try" in tree_shown
    shop.until(lambda: shop.deployment()["converged_commit"] == commit, "the push is deployed by itself")
    assert shop.api("GET", path, "team").json()["line"] == f"web is converged at {commit[:12]}"


def test_without_gitlab_nobody_is_known(shop: Scenario, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nautes.cli.client.TIMEOUT", 0.0)
    with _down(shop, "gitlab"):
        answer = shop.api("GET", "/api/v1/products/shop/status", "team")
        ended = cli("team", "status", "shop")
        status, found = _not_ready(shop)
    assert "GitLab cannot be reached" in problem(answer, 503, "gitlab-unreachable")["detail"]
    assert int(answer.headers["retry-after"]) > 0
    assert (ended.code, ended.out) == (1, "")
    assert "GitLab cannot be reached" in ended.err
    assert (status, found["vault"], found["temporal"]) == (503, "ok", "ok")
    assert found["gitlab"] != "ok"
    _wait_until_ready(shop)


def test_a_server_that_is_not_there_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nautes.cli.client.TIMEOUT", 0.0)
    ended = cli("team", "get", "products", server="http://127.0.0.1:1")
    assert (ended.code, ended.out) == (1, "")
    assert "http://127.0.0.1:1 cannot be reached" in ended.err
