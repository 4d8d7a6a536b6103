"""What a plan shows: the lines of a change, system by system, and the fields that differ."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nautes.planning import effects
from nautes.planning.effects import Objects
from nautes.planning.moves import consequences, moves
from nautes.resources.fields import differences
from nautes.resources.manifest import resource_of
from nautes.resources.product import CodeRepo, Product, Project
from nautes.resources.runtime import DeploymentRuntime
from nautes.resources.tree import ProductTree

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
SHOP = "shop"


def _lines(found: Any) -> list[tuple[str, str, str]]:
    return [(each.system, each.action, each.target) for each in found]


@given(VALUES, VALUES)
def test_equal_values_differ_nowhere_and_others_somewhere(one: Any, other: Any) -> None:
    assert list(differences(one, one)) == []
    same = one == other and repr(one) == repr(other)
    assert bool(list(differences(one, other))) or same or _only_none(one, other)


def _only_none(one: Any, other: Any) -> bool:
    """A key that holds nothing, and one that is not there, read the same in a manifest."""
    return _without_none(one) == _without_none(other)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: found for key, each in value.items() if (found := _without_none(each)) is not None}
    if isinstance(value, list):
        found = [_without_none(each) for each in value]
        while found and found[-1] is None:
            found.pop()
        return found
    return value


def test_the_deepest_field_that_says_it_is_shown() -> None:
    before = {"git": {"gitlab": {"name": "a", "visibility": "private"}}, "projects": ["x", "y"], "gone": 1}
    after = {"git": {"gitlab": {"name": "b", "visibility": "private"}}, "projects": ["x", "z", "w"], "a/b": True}
    assert list(differences(before, after, "/spec")) == [
        ("/spec/a~1b", None, True),
        ("/spec/git/gitlab/name", "a", "b"),
        ("/spec/gone", 1, None),
        ("/spec/projects/1", "y", "z"),
        ("/spec/projects/2", None, "w"),
    ]


def _project(language: str = "python") -> Project:
    return Project(name="web", product=SHOP, language=language)


def test_a_file_appears_changes_or_goes() -> None:
    assert _lines(effects.declared(None, _project())) == [("git", "create", "Project/web")]
    (changed,) = effects.declared(_project(), _project("go"))
    assert [(each.pointer, each.before, each.after) for each in changed.fields] == [("/spec/language", "python", "go")]
    assert _lines(effects.declared(_project(), None)) == [("git", "delete", "Project/web")]
    assert list(effects.declared(_project(), _project())) == []
    assert list(effects.declared(None, Product(name=SHOP))) == [], "the group is not a file"


def test_settings_that_nobody_declares_stay_what_they_are() -> None:
    found = {"name": "shown", "visibility": "private", "description": "by hand"}
    assert list(effects.settings("group", SHOP, {"name": "shown", "visibility": "", "description": None}, found)) == []
    (line,) = effects.settings("group", SHOP, {"visibility": "public"}, found)
    assert (line.action, [each.pointer for each in line.fields]) == ("change", ["/visibility"])
    assert _lines(effects.settings("repository", "shop/a", {}, None)) == [("gitlab", "create", "repository shop/a")]


def _repositories(*names: str) -> list[CodeRepo]:
    return [CodeRepo(name=name, product=SHOP, project="web") for name in names]


def test_keys_are_given_and_taken_one_by_one() -> None:
    before = ProductTree.of(SHOP, "", _repositories("a"))
    after = ProductTree.of(SHOP, "", _repositories("a", "b"))
    given = _keys(before, after)
    assert ("gitlab", "create", "deploy key readonly of shop/b on shop/a") in given
    assert ("gitlab", "create", "deploy key readwrite of shop/a on shop/b") in given
    assert len(given) == 4
    taken = _lines(effects.foreign_keys(SHOP, "a", after, before))
    assert [each[2] for each in taken] == [
        f"deploy key {each} of shop/b on shop/a" for each in ("readonly", "readwrite")
    ]
    assert {each[1] for each in taken} == {"delete"}


def _keys(before: ProductTree, after: ProductTree) -> list[tuple[str, str, str]]:
    return [line for name in ("a", "b") for line in _lines(effects.foreign_keys(SHOP, name, before, after))]


def test_a_new_repository_says_what_it_gets_in_gitlab_and_in_vault() -> None:
    found = _lines(effects.credentials("create", "shop/a", ["readonly", "readwrite"], token=True))
    assert [each[2] for each in found if each[0] == "gitlab"] == [
        "deploy key readonly of shop/a",
        "deploy key readwrite of shop/a",
        "access token of shop/a",
        "webhook of shop/a",
    ]
    assert len([each for each in found if each[0] == "vault"]) == 7, "four secrets; what opens three of them"
    assert {each[0] for each in effects_of_deletion()} == {"vault"}


def effects_of_deletion() -> list[tuple[str, str, str]]:
    """GitLab deletes keys, token and webhook with the repository itself."""
    return _lines(effects.secrets_gone("shop/a", ["readonly"], token=False))


# Runtimes


def _tree(*names: str, environment: str = "test", cluster: str = "edge", account: str = "", **more: Any) -> ProductTree:
    """A product with the deployment `live` in these namespaces (none: without it)."""
    runtime = {
        "name": "live",
        "product": SHOP,
        "manifestSource": {"codeRepo": "a", "targetRevision": "main", "path": "x"},
        "destination": {"environment": environment, "namespaces": list(names)},
        "account": account,
    }
    declared = {"name": environment, "product": SHOP, "cluster": cluster, "envType": "test", **more}
    found = [resource_of({"kind": "Environment", "spec": declared}), *_repositories("a")]
    return ProductTree.of(SHOP, "", [*found, *([DeploymentRuntime.model_validate(runtime)] if names else [])])


NOTHING = Objects()
FULL = Objects(by_namespace={"one": 3, "two": 4}, claims=("one/data", "two/data"))


def _runtime(before: ProductTree, after: ProductTree, objects: Objects = NOTHING) -> list[tuple[str, str, str]]:
    (move,) = moves(before, after, {KEY: objects}).values()
    return _lines(effects.runtime(move))


KEY = "DeploymentRuntime/live"


def test_a_runtime_says_where_it_goes() -> None:
    assert _runtime(_tree(), _tree("one", "two")) == [
        ("kubernetes", "create", "Namespace one in edge"),
        ("kubernetes", "create", "Namespace two in edge"),
        ("kubernetes", "create", "ServiceAccount one/live in edge"),
        ("kubernetes", "create", "ServiceAccount two/live in edge"),
        ("kubernetes", "create", "RoleBinding one/live in edge"),
        ("kubernetes", "create", "RoleBinding two/live in edge"),
        ("vault", "create", "role live of edge"),
    ]


def test_a_runtime_that_goes_takes_its_namespaces_and_objects_and_says_how_many() -> None:
    assert _runtime(_tree("one", "two"), _tree(), FULL) == [
        ("kubernetes", "delete", "Namespace two in edge"),
        ("kubernetes", "delete", "Namespace one in edge"),
        ("vault", "delete", "role live of edge"),
        ("kubernetes", "delete", "7 objects of deployment live in edge"),
    ], "what is in a namespace goes with it"


def test_a_runtime_whose_namespaces_change_keeps_what_stays_and_replaces_what_it_leaves() -> None:
    (move,) = moves(_tree("one", "two"), _tree("two", "three"), {KEY: FULL}).values()
    found = list(effects.runtime(move))
    assert _lines(found) == [
        ("kubernetes", "create", "Namespace three in edge"),
        ("kubernetes", "create", "ServiceAccount three/live in edge"),
        ("kubernetes", "create", "RoleBinding three/live in edge"),
        ("kubernetes", "change", "RoleBinding two/live in edge"),
        ("kubernetes", "change", "RoleBinding one/live in edge"),
        ("kubernetes", "delete", "Namespace one in edge"),
        ("vault", "change", "role live of edge"),
        ("kubernetes", "replace", "3 objects of deployment live in edge"),
        ("kubernetes", "keep", "4 objects of deployment live in edge"),
    ]
    assert [each.detail for each in found[-2:]] == ["volume claims one/data", ""]


def test_another_account_keeps_every_object() -> None:
    found = _runtime(_tree("one", "two"), _tree("one", "two", account="robot"), FULL)
    assert ("kubernetes", "keep", "7 objects of deployment live in edge") in found
    assert {each[1] for each in found if "Namespace" in each[2]} == set()
    assert ("kubernetes", "create", "ServiceAccount one/robot in edge") in found
    assert ("kubernetes", "delete", "ServiceAccount one/live in edge") in found
    assert ("kubernetes", "change", "RoleBinding one/live in edge") in found


def test_another_cluster_replaces_every_object() -> None:
    found = _runtime(_tree("one", "two"), _tree("one", "two", cluster="far"), FULL)
    assert ("kubernetes", "replace", "7 objects of deployment live in edge") in found
    assert ("kubernetes", "create", "Namespace one in far") in found
    assert ("kubernetes", "delete", "Namespace one in edge") in found
    assert ("vault", "create", "role live of far") in found and ("vault", "delete", "role live of edge") in found


def test_a_namespace_that_another_runtime_of_the_product_has_as_well_stays() -> None:
    other = DeploymentRuntime.model_validate(
        {
            "name": "other",
            "product": SHOP,
            "manifestSource": {"codeRepo": "a", "targetRevision": "main", "path": "y"},
            "destination": {"environment": "test", "namespaces": ["one"]},
        }
    )
    before, after = _tree("one", "two").apply([other]), _tree("two").apply([other])
    found = _runtime(before, after)
    assert ("kubernetes", "delete", "Namespace one in edge") not in found
    assert ("kubernetes", "delete", "ServiceAccount one/live in edge") in found


def test_a_cluster_that_does_not_answer_counts_nothing_and_the_plan_says_so() -> None:
    (move,) = moves(_tree("one", "two"), _tree("two"), {KEY: Objects(known=False)}).values()
    last = list(effects.runtime(move))[-1]
    assert (last.action, last.target) == ("replace", "objects of deployment live in edge")
    assert last.detail == "not counted: the cluster does not answer"


def _consequences(before: ProductTree, after: ProductTree, objects: Objects = FULL) -> list[tuple[str, int]]:
    return [(each.key, each.count) for each in consequences(before, moves(before, after, {KEY: objects}))]


def test_volume_claims_have_to_be_confirmed_whether_the_runtime_goes_or_only_leaves_a_namespace() -> None:
    assert _consequences(_tree("one", "two"), _tree()) == [(KEY, 2)]
    assert _consequences(_tree("one", "two"), _tree("two")) == [(KEY, 1)]
    assert _consequences(_tree("one", "two"), _tree("two", "one")) == []
    assert _consequences(_tree("one"), _tree("three"), Objects(by_namespace={"one": 3})) == []


def test_what_cannot_be_counted_has_to_be_confirmed_where_a_runtime_leaves_a_namespace() -> None:
    unknown = Objects(known=False)
    assert _consequences(_tree("one", "two"), _tree("two"), unknown) == [(KEY, 1)]
    assert _consequences(_tree("one"), _tree("one", "two"), unknown) == [], "nothing is left"
    assert _consequences(_tree("one"), _tree(), unknown) == [(KEY, 1)], "it may hold volume claims"


def test_in_a_protected_environment_every_object_that_is_replaced_has_to_be_confirmed() -> None:
    before, after = _tree("one", "two", protected=True), _tree("two", protected=True)
    assert _consequences(before, after) == [(KEY, 4)]
    assert _consequences(before, _tree("two", protected=False)) == [(KEY, 4)], "as it was declared before the change"
    assert _consequences(before, _tree("one", "two", "three", protected=True)) == []
