"""Which part of a push takes effect: what is wrong is held back, with what rests on it; all else goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nautes.resources.findings import Finding
from nautes.resources.tree import ProductTree
from nautes.rules.acceptance import Pushed, Verdict, judge
from nautes.rules.deletions import Limits
from nautes.rules.engine import World, check
from tests.unit.rules.shop import GOOD, deployment, environment, pipeline, repository, resource

LOOSE = Limits(free=100, share=1.0, number=100)


def _pushed(*applied: Any, without: tuple[str, ...] = (), unreadable: bool = False, **more: Any) -> Verdict:
    tree = GOOD.tree.apply(applied).remove(without)
    if unreadable:
        tree = replace(tree, findings=(Finding(rule="stored-unreadable", message="runtimes/x.yaml: no", pointer="x"),))
    return judge(Pushed(before=GOOD, after=replace(GOOD, tree=tree), **{"limits": LOOSE, **more}))


def test_what_is_right_takes_effect() -> None:
    verdict = _pushed(resource("Project", "new"), without=("Project/app",))
    assert (verdict.held, verdict.findings) == (frozenset(), ())
    assert "Project/new" in verdict.tree.resources and "Project/app" not in verdict.tree.resources


def test_one_wrong_resource_holds_back_only_itself() -> None:
    verdict = _pushed(environment("new", "nowhere"), resource("Project", "new"))
    assert verdict.held == {"Environment/new"}
    assert [each.rule for each in verdict.findings] == ["environment-cluster-unknown"]
    assert "Project/new" in verdict.tree.resources


def test_a_wrong_change_leaves_the_version_before() -> None:
    moved = deployment(destination={"environment": "build"})
    verdict = _pushed(moved)
    assert verdict.held == {"DeploymentRuntime/live"}
    assert verdict.tree.resources["DeploymentRuntime/live"] == GOOD.tree.resources["DeploymentRuntime/live"]


def test_what_rests_on_something_held_back_is_held_back_too() -> None:
    verdict = _pushed(environment("new", "nowhere"), deployment("extra", destination={"environment": "new"}))
    assert verdict.held == {"Environment/new", "DeploymentRuntime/extra"}


def test_what_is_used_does_not_go() -> None:
    verdict = _pushed(without=("Environment/test",))
    assert "Environment/test" in verdict.held
    assert "Environment/test" in verdict.tree.resources
    assert verdict.findings


def test_what_is_used_goes_together_with_its_user() -> None:
    verdict = _pushed(without=("Environment/test", "DeploymentRuntime/live"))
    assert verdict.held == frozenset()
    assert "Environment/test" not in verdict.tree.resources


def test_nothing_goes_while_a_file_cannot_be_read() -> None:
    verdict = _pushed(resource("Project", "new"), without=("DeploymentRuntime/live",), unreadable=True)
    assert verdict.held == {"DeploymentRuntime/live"}
    assert {"DeploymentRuntime/live", "Project/new"} <= set(verdict.tree.resources)
    assert [each.rule for each in verdict.findings] == ["stored-unreadable"]


def test_many_deletions_wait_for_a_second_word() -> None:
    gone = ("DeploymentRuntime/live", "ProjectPipelineRuntime/build")
    limits = Limits(free=1, share=0.1, number=1)
    held = _pushed(without=gone, limits=limits)
    assert held.held == set(gone)
    assert [each.rule for each in held.findings] == ["deletions-unconfirmed"]
    assert _pushed(without=gone, limits=limits, confirmed=2).held == frozenset()


def test_what_a_change_was_checked_for_is_trusted() -> None:
    wrong = environment("new", "nowhere")
    assert _pushed(wrong, trusted=frozenset({"Environment/new"})).held == frozenset()


def test_what_somebody_else_found_holds_a_resource_back() -> None:
    finding = Finding(rule="repository-id", message="not ours", resource="CodeRepo/new")
    verdict = _pushed(repository("new"), refused=(finding,))
    assert verdict.held == {"CodeRepo/new"}
    assert verdict.findings == (finding,)


def test_a_trusted_change_keeps_what_it_rests_on() -> None:
    """A push removed, just before our commit, what the commit's own resource needs."""
    runtime = deployment("extra")
    verdict = _pushed(runtime, without=("Environment/test", "DeploymentRuntime/live"), trusted=frozenset({runtime.key}))
    assert "Environment/test" in verdict.tree.resources
    assert runtime.key in verdict.tree.resources


POOL = (
    environment("new", "other"),
    environment("bad", "nowhere"),
    environment("test", "other"),
    resource("Project", "new"),
    resource("Project", "runtimes"),
    repository("extra"),
    repository("lost", "nobody"),
    deployment("extra", destination={"environment": "new"}),
    deployment("stray", destination={"environment": "nowhere"}),
    deployment(projectsRef=["web", "nobody"]),
    pipeline("second", destination={"environment": "build", "namespace": "ci"}),
    pipeline(pipelineSource="nothing"),
)


@given(
    st.lists(st.sampled_from(POOL), unique_by=lambda each: each.key),
    st.sets(st.sampled_from(sorted(GOOD.tree.resources))),
)
def test_what_takes_effect_breaks_no_rule_that_held_before(applied: list[Any], removed: set[str]) -> None:
    tree = GOOD.tree.apply(applied).remove(removed)
    verdict = judge(Pushed(before=GOOD, after=replace(GOOD, tree=tree), limits=LOOSE))
    changed = {*GOOD.tree.resources, *verdict.tree.resources}
    assert check(changed, GOOD, replace(GOOD, tree=verdict.tree)).new == []
    for key, found in verdict.tree.resources.items():
        assert found in (tree.resources.get(key), GOOD.tree.resources.get(key))
    if verdict.held:
        assert verdict.findings


def test_a_first_look_judges_everything() -> None:
    empty = World(ProductTree("shop"), GOOD.clusters)
    tree = GOOD.tree.apply([environment("bad", "nowhere")])
    verdict = judge(Pushed(before=empty, after=replace(GOOD, tree=tree), limits=LOOSE))
    assert verdict.held == {"Environment/bad"}
    assert set(verdict.tree.resources) == set(GOOD.tree.resources)
