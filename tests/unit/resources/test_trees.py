"""A tree of resources and what turns one set of files into another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautes.resources.names import Names
from nautes.resources.product import Environment, Project
from nautes.resources.tree import ProductTree, difference

WEB = Project(name="web", product="shop")
files = st.dictionaries(st.sampled_from("abcde"), st.sampled_from("123"))


def test_a_name_that_stands_twice_is_a_finding_and_the_last_one_counts() -> None:
    other = Project(name="web", product="shop", language="go")
    tree = ProductTree.of("shop", "c", [WEB, other])
    assert tree.get(Project, "web") == other
    assert [(each.rule, each.resource) for each in tree.findings] == [("stored-duplicate", "Project/web")]


def test_a_tree_never_changes_but_gives_another() -> None:
    tree = ProductTree.of("shop", "c", [WEB])
    more = tree.apply([Project(name="app", product="shop")])
    assert [each.name for each in more.all(Project)] == ["app", "web"]
    assert [each.key for each in more.remove(["Project/web", "Project/none"])] == ["Project/app"]
    assert [each.key for each in tree] == ["Project/web"]
    assert tree.get(Environment, "web") is None


def test_all_of_a_kind_come_by_name_with_what_is_derived_from_it() -> None:
    class Marked(Project):
        """A project, and more."""

    tree = ProductTree.of("shop", "c", [WEB, Marked(name="app", product="shop")])
    assert [each.name for each in tree.all(Project)] == ["app", "web"]
    assert [each.name for each in tree.all(Marked)] == ["app"]
    assert tree.all(Environment) == []


@given(files, files)
def test_a_difference_turns_one_into_the_other(old: dict[str, str], new: dict[str, str]) -> None:
    found = dict(old)
    for each in difference(old, new):
        assert (each.path in old) is (each.action != "create")
        if each.action == "delete":
            del found[each.path]
        else:
            assert found.get(each.path) != each.content
            found[each.path] = each.content
    assert found == new
    assert difference(new, new) == []


@given(st.dictionaries(st.text(max_size=5), st.integers(1, 10**9), max_size=4))
def test_names_are_translated_there_and_back(ids: dict[str, int]) -> None:
    if len(set(ids.values())) == len(ids):
        names = Names(ids, ids)
        assert all(names.product(names.product_id(each)) == each for each in ids)
        assert all(names.repository(names.repository_id(each)) == each for each in ids)


def test_what_has_no_id_is_an_error_and_what_has_no_name_keeps_its_id() -> None:
    with pytest.raises(KeyError):
        Names().product_id("shop")
    with pytest.raises(KeyError):
        Names().repository_id("deploy")
    assert Names().product("product-9") == "product-9"
    assert Names().repository("repo-9") == Names().repository_id("repo-9") == "repo-9"
