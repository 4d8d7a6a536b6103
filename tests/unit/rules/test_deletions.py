"""Deletions: few go at one word, many or protected ones need their number, and a wrong number is never a word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautes.resources.tree import ProductTree
from nautes.rules.deletions import Limits, check
from tests.unit.rules.shop import GOOD, PRODUCT, environment, resource

PROJECTS = [resource("Project", f"p{number}") for number in range(60)]
SHOP = ProductTree.of(PRODUCT, "c1", PROJECTS)
PROTECTED = GOOD.tree.apply([environment().model_copy(update={"protected": True})])


def test_nothing_gone_needs_no_word() -> None:
    assert check([], SHOP) == []
    assert check([], SHOP, 5) == []


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_few_are_free_even_when_they_are_all_there_is(number: int) -> None:
    assert check(PROJECTS[:number], ProductTree.of(PRODUCT, "c1", PROJECTS[:number])) == []


def test_more_than_the_number_needs_its_number_repeated() -> None:
    assert check(PROJECTS[:20], SHOP) == []
    [found] = check(PROJECTS[:21], SHOP)
    assert found.rule == "deletions-unconfirmed"
    assert found.message == "21 resources would be deleted; this has to be confirmed because they are more than 20"
    assert found.hint == "confirm with --confirm-deletions 21"
    assert check(PROJECTS[:21], SHOP, 21) == []


def test_more_than_the_share_needs_its_number_repeated() -> None:
    eight = ProductTree.of(PRODUCT, "c1", PROJECTS[:8])
    assert check(PROJECTS[:4], eight) == []
    [found] = check(PROJECTS[:5], eight)
    assert "5 of the product's 8 resources" in found.message
    assert check(PROJECTS[:5], eight, 5) == []
    assert check(PROJECTS[:5], eight, limits=Limits(share=0.7)) == []
    assert check(PROJECTS[:5], eight, limits=Limits(free=5)) == []


@pytest.mark.parametrize("key", ["Environment/test", "DeploymentRuntime/live"])
def test_anything_in_a_protected_environment_needs_a_word(key: str) -> None:
    gone = [PROTECTED.resources[key]]
    [found] = check(gone, PROTECTED)
    assert f"because {key} is protected or lies in" in found.message
    assert found.message.startswith("1 resource would be deleted")
    assert check(gone, PROTECTED, 1) == []
    assert check(gone, GOOD.tree) == [], "not protected"
    assert check([PROTECTED.resources["ProjectPipelineRuntime/build"]], PROTECTED) == [], "elsewhere"


def test_a_protection_holds_as_it_was_declared_before_the_change() -> None:
    assert check([environment()], PROTECTED), "taking it off in the same breath does not count"


@given(st.integers(1, 60), st.integers(-1, 70))
def test_a_wrong_number_is_refused_whether_one_was_needed_or_not(number: int, said: int) -> None:
    found = check(PROJECTS[:number], SHOP, said)
    assert bool(found) == (said != number)
    assert all(f"{said} were confirmed" in each.message for each in found)
