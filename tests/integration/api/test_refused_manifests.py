"""What people get wrong in a manifest: the API answers with a problem, the command line with 1, and nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import Cli, document, nothing_written, problem, product, together

BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
)


@dataclass
class Wrong:
    """A manifest; what the API calls it; what a person reads."""

    text: str
    code: str
    rule: str
    says: str
    line: int = 0
    column: int = 0


CASES = {
    "unknown kind": Wrong(
        "kind: Projekt\nspec: {name: web, product: shop}\n",
        "manifest-invalid",
        "schema-unknown-kind",
        "unknown kind 'Projekt'",
        1,
        1,
    ),
    "unknown field": Wrong(
        "kind: Project\nspec:\n  name: web\n  product: shop\n  langauge: go\n",
        "manifest-invalid",
        "schema-unknown-field",
        "unknown field 'langauge'",
        5,
        3,
    ),
    "duplicate field": Wrong(
        "kind: Project\nspec:\n  name: web\n  product: shop\n  name: site\n",
        "manifest-invalid",
        "yaml-duplicate-key",
        "the key 'name' is declared here twice",
        5,
        3,
    ),
    "two documents of one name": Wrong(
        "kind: Project\nspec: {name: web, product: shop}\n---\nkind: Project\nspec: {name: web, product: shop}\n",
        "manifest-invalid",
        "schema-duplicate-name",
        "Project/web is already declared at",
        4,
        1,
    ),
    "alias bomb": Wrong(BOMB, "manifest-invalid", "yaml-aliases", "aliases unfold to more than", 5),
    "a name GitLab would refuse": Wrong(product("-/shop"), "manifest-invalid", "schema-value", "name: must match", 1),
    "a path of GitLab's own": Wrong(
        product("api"), "manifest-invalid", "schema-value", "'api' is a reserved path of GitLab", 1
    ),
    "no manifest": Wrong("---\n", "manifest-empty", "", "holds no manifest"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_wrong_manifest_is_refused_with_its_place(shop: Scenario, cli: Cli, tmp_path: Path, case: Wrong) -> None:
    (tmp_path / "wrong.yaml").write_text(case.text)
    with nothing_written(shop.world):
        found = problem(shop.api("POST", "/api/v1/apply", "team", content=case.text), 422, case.code)
        ended = cli("team", "apply", "-f", "wrong.yaml")
    rules = [(each["rule"], each["line"]) for each in found["findings"]]
    assert rules == ([(case.rule, case.line)] if case.rule else [])
    assert case.says in found["detail"]
    assert ended.code == 1
    assert ended.out == ""
    assert case.says in ended.err
    if case.line:
        assert f"wrong.yaml:{case.line}:{case.column or ''}" in ended.err


RULES = {
    "environment-cluster-unknown": (
        document("Environment", name="moon", product="shop", cluster="moon", envType="test"),
        "cluster moon is not registered",
    ),
    "reference-unknown": (
        document("CodeRepo", name="lost", product="shop", project="lost", git={"gitlab": {"path": "lost"}}),
        "Project/lost does not exist",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_manifest_that_breaks_a_rule_is_refused(shop: Scenario, cli: Cli, tmp_path: Path, rule: str) -> None:
    text, says = RULES[rule]
    (tmp_path / "wrong.yaml").write_text(text)
    with nothing_written(shop.world):
        found = problem(shop.api("POST", "/api/v1/apply", "team", content=text), 422, rule)
        ended = cli("team", "apply", "-f", "wrong.yaml")
    assert [each["rule"] for each in found["findings"]] == [rule]
    assert says in found["detail"]
    assert (ended.code, ended.out) == (1, "")
    assert says in ended.err


def test_a_manifest_of_a_missing_product_is_refused(shop: Scenario, cli: Cli) -> None:
    text = document("Project", name="web", product="nowhere")
    with nothing_written(shop.world):
        found = problem(shop.api("POST", "/api/v1/apply", "team", content=text), 404, "not-found")
        ended = cli("team", "apply", "-f", "-", stdin=text)
    assert "there is no product nowhere" in found["detail"]
    assert (ended.code, ended.out) == (1, "")
    assert "there is no product nowhere" in ended.err


def test_every_finding_is_told_at_once(shop: Scenario) -> None:
    text = together("kind: Project\nspec: {name: A, product: shop}\n", "kind: Nothing\nspec: {}\n")
    found = problem(shop.api("POST", "/api/v1/apply", "team", content=text), 422, "manifest-invalid")
    assert [each["rule"] for each in found["findings"]] == ["schema-value", "schema-unknown-kind"]
