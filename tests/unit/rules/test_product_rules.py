"""Every rule about products has a case that fails and one that passes; its id, message and hint are what people act on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nautes.rules.products
from nautes.resources.findings import Finding
from nautes.resources.tree import ProductTree
from nautes.rules.engine import PRODUCT, World, affected, check, findings, references
from nautes.rules.registry import of_scope
from tests.unit.rules.cases import CASES
from tests.unit.rules.shop import (
    GOOD,
    Case,
    after,
    before,
    binding,
    deployment,
    environment,
    pipeline,
    repository,
    resource,
)

RULES = {each.id: each for each in of_scope(PRODUCT)}
FLAT = [
    pytest.param(rule, case, id=f"{rule}-{number}") for rule, all_ in CASES.items() for number, case in enumerate(all_)
]


def all_of(world: World) -> list[Finding]:
    return findings(world, {*world.tree.resources, *world.removed})


def ids(found: list[Finding]) -> list[str]:
    return [each.rule for each in found]


def test_every_rule_has_cases_and_ids_do_not_change() -> None:
    assert set(CASES) == set(RULES), "a rule without cases here, or a case of a rule that is gone or was renamed"
    assert nautes.rules.products.__doc__
    for id_, rule in RULES.items():
        assert rule.id == id_
        assert rule.demand
        assert rule.kinds


def test_the_good_product_breaks_no_rule() -> None:
    assert all_of(GOOD) == []


@pytest.mark.parametrize(("rule", "case"), FLAT)
def test_the_failing_case_fails_by_this_rule(rule: str, case: Case) -> None:
    found = [each for each in all_of(after(case, case.breaks, case.without)) if each.resource == case.blamed]
    assert rule in ids(found)
    assert any(case.says in each.message for each in found if each.rule == rule)
    for each in found:
        assert each.message and each.hint


@pytest.mark.parametrize(("rule", "case"), FLAT)
def test_the_passing_case_passes(rule: str, case: Case) -> None:
    removed = case.without if RULES[rule].removal and case.before else ()
    assert rule not in ids(all_of(after(case, case.passes, removed)))


@pytest.mark.parametrize(("rule", "case"), FLAT)
def test_a_change_that_breaks_a_rule_is_refused_and_the_same_defect_from_before_is_not(rule: str, case: Case) -> None:
    bad, good = after(case, case.breaks, case.without), before(case)
    changed = {*(each.key for each in case.breaks), *case.without}
    report = check(changed, good, bad)
    assert rule in ids(report.warnings if RULES[rule].advisory else report.new)
    assert report.already == []
    again = check(changed, bad, bad)
    assert again.new == [], "what was wrong before refuses nothing"
    assert rule in ids(again.warnings if RULES[rule].advisory else again.already) or RULES[rule].removal, "but is told"


@pytest.mark.parametrize(("rule", "case"), [each for each in FLAT if RULES[str(each.values[0])].advisory])
def test_advice_refuses_nothing_and_is_given_to_whom_it_concerns(rule: str, case: Case) -> None:
    bad = after(case, case.breaks)
    report = check([case.blamed], before(case), bad)
    assert report.new == report.already == []
    assert {each.resource for each in report.warnings} == {case.blamed}
    assert check(["CodeRepo/deploy"], bad, bad).warnings == [], "a neighbour's change is no occasion"


def test_another_defect_beside_an_old_one_is_new() -> None:
    old = World(GOOD.tree.apply([deployment(projectsRef=["none"])]), GOOD.clusters)
    new = World(GOOD.tree.apply([deployment(projectsRef=["none", "nobody"])]), GOOD.clusters)
    report = check(["DeploymentRuntime/live"], old, new)
    new_ones, old_ones = ([each.message for each in part] for part in (report.new, report.already))
    assert all("nobody" in each for each in new_ones) and "Project/nobody does not exist in shop" in new_ones
    assert all("none" in each for each in old_ones) and "Project/none does not exist in shop" in old_ones


def test_an_old_defect_elsewhere_is_not_even_looked_at() -> None:
    bad = World(GOOD.tree.apply([repository("lonely", "none")]), GOOD.clusters)
    new = World(bad.tree.apply([environment("more", "other")]), GOOD.clusters)
    report = check(["Environment/more"], bad, new)
    assert (report.new, report.already) == ([], [])


def test_removing_what_others_need_is_refused() -> None:
    for key in ("Environment/test", "CodeRepo/deploy", "Project/web"):
        report = check([key], GOOD, replace(GOOD, tree=GOOD.tree.remove([key])))
        [found] = report.new  # one finding, about what goes; not one for each of its users
        assert (found.rule, found.resource) == ("in-use", key)


def test_what_goes_together_with_its_users_is_not_in_use() -> None:
    gone = {"Environment/test", "DeploymentRuntime/live"}
    assert check(gone, GOOD, replace(GOOD, tree=GOOD.tree.remove(gone))).new == []
    used = replace(GOOD, tree=GOOD.tree.apply([deployment(projectsRef=["app"]), binding()]))
    gone = {"CodeRepoBinding/open", "DeploymentRuntime/live"}
    assert check(gone, used, replace(used, tree=used.tree.remove(gone))).new == []


def test_taking_a_right_away_is_refused_while_it_is_used() -> None:
    used = replace(GOOD, tree=GOOD.tree.apply([deployment(projectsRef=["app"]), binding()]))
    assert all_of(used) == []
    report = check(["CodeRepoBinding/open"], used, replace(used, tree=used.tree.remove(["CodeRepoBinding/open"])))
    assert ids(report.new) == ["in-use"]
    narrowed = replace(used, tree=used.tree.apply([binding(projects=["web"])]))
    report = check(["CodeRepoBinding/open"], used, narrowed)
    assert ids(report.new) == ["repository-right"]


def test_bindings_that_go_together_are_in_use_each_for_its_own_users() -> None:
    bindings = [binding("one", projects=["app"]), binding("two", projects=["more"])]
    world = [deployment(projectsRef=["app", "more"]), resource("Project", "more"), *bindings]
    used = replace(GOOD, tree=GOOD.tree.apply(world))
    gone = [each.key for each in bindings]
    report = check(gone, used, replace(used, tree=used.tree.remove(gone)))
    assert [(each.rule, each.resource) for each in report.new] == [("in-use", each) for each in gone]


def test_nothing_is_told_of_what_an_owner_declares_for_others() -> None:
    def said(name: str) -> list[str]:
        found = findings(replace(GOOD, tree=GOOD.tree.apply([binding(coderepo=name)])), ["CodeRepoBinding/open"])
        return [each.model_dump_json().replace(name, "...") for each in found]

    assert said("toys/none") == said("toys/closed") == said("nowhere/lib") != []
    unagreed = replace(GOOD, tree=GOOD.tree.apply([pipeline(pipelineSource="toys/none")]))
    assert ids(all_of(unagreed)) == ["foreign-unagreed"], "who has not agreed is told of that only"
    alone = replace(GOOD, products=None, tree=GOOD.tree.apply([binding(productName="shop", product="nobody")]))
    assert all_of(alone) == [], "which products there are is asked only when somebody knows"


def test_touched_is_what_changed_and_what_it_may_break() -> None:
    touched = affected({"Environment/test"}, GOOD.tree, GOOD.tree)
    assert touched == {"Environment/test", "Environment/build", "DeploymentRuntime/live"}
    assert "DeploymentRuntime/live" in affected({"CodeRepoBinding/open"}, GOOD.tree, GOOD.tree)
    assert affected(set(), GOOD.tree, GOOD.tree) == set()
    assert references(pipeline()) == {"Environment/build", "Project/web", "CodeRepo/pipelines", "CodeRepo/deploy"}


@given(st.sets(st.sampled_from(sorted(GOOD.tree.resources))), st.booleans())
def test_rules_never_raise_on_a_torn_product(gone: set[str], no_clusters: bool) -> None:
    world = replace(GOOD, tree=GOOD.tree.remove(gone), clusters={} if no_clusters else GOOD.clusters)
    found = all_of(world)
    assert all(each.message and each.hint and each.resource in world.tree.resources for each in found)
    report = check(gone, GOOD, world)
    assert report.already == []
    report = check(GOOD.tree.resources, World(ProductTree("shop"), {}), GOOD)
    assert report.new == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (pipeline(), pipeline(project="app"), "project may not change"),
        (binding(), binding(coderepo="pipelines"), "coderepo may not change"),
        (environment(), environment("test", "other"), "DeploymentRuntime/live run there"),
        (deployment(), deployment(destination={"environment": "build"}), "destination.environment may not change"),
    ],
)
def test_what_may_not_change_is_refused(old: object, new: object, says: str) -> None:
    [found] = nautes.rules.products.frozen(old, new, GOOD)  # type: ignore[arg-type]
    assert says in found.message
    assert found.rule == "frozen"
    assert found.hint and found.pointer
    assert list(nautes.rules.products.frozen(old, old, GOOD)) == []  # type: ignore[arg-type]


def test_an_environment_nobody_uses_may_move() -> None:
    empty = World(GOOD.tree.remove(["DeploymentRuntime/live"]), GOOD.clusters)
    assert list(nautes.rules.products.frozen(environment(), environment("test", "other"), empty)) == []
    wider = deployment(destination={"environment": "test", "namespaces": ["live", "more"]})
    assert list(nautes.rules.products.frozen(deployment(), wider, GOOD)) == [], "namespaces may change"
    other = resource("Project", "web")
    assert list(nautes.rules.products.frozen(other, other, GOOD)) == []
