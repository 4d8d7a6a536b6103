"""Whose key opens what: the rules one by one, the holes the original system had, and what holds for every declaration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautes.blueprints.keys import PERMISSIONS, Access, Consumer, ForeignUse, wanted
from nautes.resources.base import Resource
from nautes.resources.product import CodeRepo, CodeRepoBinding
from nautes.resources.tree import ProductTree

SHOP = "acme/shop"
READ, WRITE = "readonly", "readwrite"


def repository(name: str, project: str = "") -> CodeRepo:
    return CodeRepo(name=name, product=SHOP, project=project)


def binding(
    target: str, *projects: str, permission: str = READ, consumer: str = "", name: str = "b"
) -> CodeRepoBinding:
    fields: dict[str, Any] = {"name": name, "product": SHOP, "coderepo": target, "permissions": permission}
    return CodeRepoBinding(**fields, projects=list(projects), consumer=consumer)


def agreed(tree: ProductTree, foreign: Mapping[str, Sequence[Consumer]]) -> list[ForeignUse]:
    """Products that agree to whatever is bound to anybody."""
    return [
        ForeignUse(product, f"{SHOP}/{each.coderepo}", each.permissions, tuple(consumers))
        for each in tree.all(CodeRepoBinding)
        for product, consumers in foreign.items()
    ]


def table(*resources: Resource, foreign: Mapping[str, Sequence[Consumer]] = {}) -> dict[str, set[str]]:
    """What opens each repository beside its own keys, as "repository:permission"."""
    tree = ProductTree.of(SHOP, "c", resources)
    found = wanted(tree, agreed(tree, foreign))
    return {
        name: {
            f"{each.consumer.removeprefix(f'{SHOP}/')}:{each.permission}"
            for each in keys
            if each.consumer != f"{SHOP}/{name}"
        }
        for name, keys in found.items()
    }


def test_a_repository_is_opened_by_its_own_two_keys() -> None:
    found = wanted(ProductTree.of(SHOP, "c", [repository("api")]))
    assert found == {"api": {Access(f"{SHOP}/api", "readonly"), Access(f"{SHOP}/api", "readwrite")}}


def test_what_may_write_may_push() -> None:
    assert [Access("x", each).push for each in PERMISSIONS] == [False, True]


def test_repositories_of_one_project_open_each_other() -> None:
    found = table(repository("api", "web"), repository("ui", "web"), repository("db", "data"))
    assert found == {"api": {"ui:readonly", "ui:readwrite"}, "ui": {"api:readonly", "api:readwrite"}, "db": set()}


def test_repositories_without_a_project_have_none_in_common() -> None:
    assert table(repository("api"), repository("ui")) == {"api": set(), "ui": set()}


@pytest.mark.parametrize("permission", [READ, WRITE])
def test_a_binding_without_projects_opens_to_the_whole_product(permission: str) -> None:
    found = table(
        repository("api"), repository("ui", "web"), repository("db", "data"), binding("api", permission=permission)
    )
    assert found == {"api": {f"ui:{permission}", f"db:{permission}"}, "ui": set(), "db": set()}


def test_a_binding_with_projects_opens_to_these_alone() -> None:
    found = table(
        repository("api"), repository("ui", "web"), repository("db", "data"), repository("lone"), binding("api", "web")
    )
    assert found["api"] == {"ui:readonly"}


def test_a_nameless_project_lists_nobody() -> None:
    assert table(repository("api"), repository("lone"), binding("api", ""))["api"] == set()


def test_several_bindings_add_up_by_permission() -> None:
    found = table(
        *(repository("api"), repository("ui", "web"), repository("db", "data"), repository("ops", "ops")),
        binding("api", "web", name="one"),
        binding("api", "data", name="two"),
        binding("api", "data", permission=WRITE, name="three"),
    )
    assert found["api"] == {"ui:readonly", "db:readonly", "db:readwrite"}


def test_a_binding_on_what_is_not_declared_opens_nothing() -> None:
    assert table(repository("api"), binding("gone")) == {"api": set()}


# The holes of the original system


def test_a_binding_that_is_deleted_leaves_nothing_on_a_repository_without_project() -> None:
    """There, such a repository was passed over and the keys stayed."""
    before = [repository("deploy"), repository("api", "web")]
    assert table(*before, binding("deploy"))["deploy"] == {"api:readonly"}
    assert table(*before)["deploy"] == set()


def test_a_downgrade_takes_the_writing_key() -> None:
    """There, both keys stayed on a repository without project."""
    before = [repository("deploy"), repository("api", "web")]
    assert table(*before, binding("deploy", permission=WRITE))["deploy"] == {"api:readwrite"}
    assert table(*before, binding("deploy", permission=READ))["deploy"] == {"api:readonly"}


def test_a_binding_for_other_projects_takes_nothing_from_siblings() -> None:
    """There, siblings were removed by the one rule and added by the other, with every save."""
    resources = [repository("api", "web"), repository("ui", "web"), repository("db", "data"), binding("api", "data")]
    assert table(*resources)["api"] == {"ui:readonly", "ui:readwrite", "db:readonly"}


def test_a_repository_that_leaves_its_project_leaves_its_siblings() -> None:
    assert table(repository("api", "web"), repository("ui")) == {"api": set(), "ui": set()}


# Other products

BANK = {"bank": [Consumer("bank/ledger", "core"), Consumer("bank/site")]}


def test_another_product_is_opened_to_when_it_agreed() -> None:
    resources = [repository("api", "web"), repository("ui"), binding("api", consumer="bank")]
    assert table(*resources, foreign=BANK) == {"api": {"bank/ledger:readonly", "bank/site:readonly"}, "ui": set()}
    assert table(*resources, foreign={}) == {"api": set(), "ui": set()}, "it did not agree"


def test_the_projects_of_such_a_binding_are_the_other_products() -> None:
    resources = [repository("api"), repository("ui", "core"), binding("api", "core", consumer="bank", permission=WRITE)]
    assert table(*resources, foreign=BANK)["api"] == {"bank/ledger:readwrite"}


def test_the_weaker_of_both_permissions_counts() -> None:
    tree = ProductTree.of(SHOP, "c", [repository("api"), binding("api", consumer="bank", permission=WRITE)])
    asked = ForeignUse("bank", f"{SHOP}/api", "readonly", (Consumer("bank/site"),))
    assert Access("bank/site", "readonly") in wanted(tree, [asked])["api"]
    assert Access("bank/site", "readwrite") not in wanted(tree, [asked])["api"]
    tree = ProductTree.of(SHOP, "c", [repository("api"), binding("api", consumer="bank")])
    more = ForeignUse("bank", f"{SHOP}/api", "readwrite", (Consumer("bank/site"),))
    assert wanted(tree, [more]) == wanted(tree)


def test_the_own_product_may_be_named_and_is_known_from_the_declaration_alone() -> None:
    resources = [repository("api"), repository("ui"), binding("api", consumer=SHOP)]
    assert table(*resources, foreign={SHOP: [Consumer("evil/one")]})["api"] == {"ui:readonly"}


def test_nobody_is_opened_to_by_agreeing_alone() -> None:
    assert table(repository("api"), repository("ui"), binding("api"), foreign=BANK)["api"] == {"ui:readonly"}


# Every declaration

projects = st.sampled_from(["", "web", "data"])
names = st.sampled_from(["api", "ui", "db", "ops"])
repositories = st.dictionaries(names, projects).map(lambda all: [repository(*each) for each in all.items()])
bindings = st.lists(
    st.builds(
        binding,
        names,
        permission=st.sampled_from([READ, WRITE]),
        consumer=st.sampled_from(["", SHOP, "bank"]),
        name=st.sampled_from(["one", "two", "three"]),
    ).flatmap(
        lambda made: st.lists(projects, max_size=2).map(lambda listed: made.model_copy(update={"projects": listed}))
    ),
    max_size=4,
)
foreigners = st.sampled_from([{}, BANK])


@given(repositories, bindings, foreigners)
def test_every_repository_has_its_own_keys_and_none_opens_what_nothing_says(
    repos: list[CodeRepo], bound: list[CodeRepoBinding], foreign: Mapping[str, Sequence[Consumer]]
) -> None:
    tree = ProductTree.of(SHOP, "c", [*repos, *bound])
    found = wanted(tree, agreed(tree, foreign))
    assert set(found) == {each.name for each in repos}
    project = {f"{SHOP}/{each.name}": each.project for each in repos}
    strangers = {each.repository: each.project for each in foreign.get("bank", [])}
    for name, keys in found.items():
        own = f"{SHOP}/{name}"
        assert {each.permission for each in keys if each.consumer == own} == set(PERMISSIONS)
        for key in (each for each in keys if each.consumer != own):
            sibling = bool(project[own]) and project.get(key.consumer) == project[own]
            of = project if key.consumer in project else strangers
            # Of two products the weaker word counts: what is opened for writing may be used for reading.
            enough = {key.permission} if key.consumer in project else {key.permission, "readwrite"}
            reasons = [
                each
                for each in tree.all(CodeRepoBinding)
                if each.coderepo == name
                and each.permissions in enough
                and (each.consumer == "bank") == (key.consumer in strangers)
                and (not each.projects or (of[key.consumer] and of[key.consumer] in each.projects))
            ]
            assert sibling or reasons, key


@given(repositories, bindings, foreigners)
def test_one_binding_more_opens_what_it_says_takes_nothing_away_and_touches_no_other_repository(
    repos: list[CodeRepo], bound: list[CodeRepoBinding], foreign: Mapping[str, Sequence[Consumer]]
) -> None:
    tree = ProductTree.of(SHOP, "c", [*repos, *bound])
    before = wanted(tree, agreed(tree, foreign))
    for target in ("api", "ui"):
        after = wanted(tree.apply([binding(target, name="more", permission=WRITE)]), agreed(tree, foreign))
        assert all(after[name] >= keys for name, keys in before.items())
        others = {f"{SHOP}/{each.name}" for each in repos if each.name != target}
        if target in after:
            assert {Access(each, "readwrite") for each in others} <= after[target]
        assert {name for name in before if after[name] != before[name]} <= {target}


@given(repositories, bindings, foreigners)
def test_without_bindings_there_are_siblings_only_and_they_are_so_of_each_other(
    repos: list[CodeRepo], bound: list[CodeRepoBinding], foreign: Mapping[str, Sequence[Consumer]]
) -> None:
    tree = ProductTree.of(SHOP, "c", [*repos, *bound])
    found = wanted(tree.remove(each.key for each in bound), agreed(tree, foreign))
    for name, keys in found.items():
        for key in keys:
            other = key.consumer.removeprefix(f"{SHOP}/")
            assert Access(f"{SHOP}/{name}", key.permission) in found[other]
