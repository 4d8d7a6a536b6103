"""What a plan shows: the lines of a change, system by system, and the fields that differ."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from activities.declarations import lines
from activities.declarations.cluster_plans import plan
from nautes.messages.clusters import ClusterCheck
from nautes.messages.common import Requester
from nautes.messages.operations import ClusterRequest
from nautes.messages.secrets import SecretRef
from nautes.planning.steps import Effect
from nautes.resources.fields import differences
from nautes.resources.findings import Finding
from nautes.resources.manifest import manifest_of, resource_of, version
from nautes.resources.product import CodeRepo, Product, Project
from nautes.resources.runtime import DeploymentRuntime
from nautes.resources.tree import ProductTree
from nautes.rules.clusters import with_defaults

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
ADA = Requester(id=7, username="ada", name="Ada", email="ada@example.com")
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
    assert _lines(lines.declared(None, _project())) == [("git", "create", "Project/web")]
    (changed,) = lines.declared(_project(), _project("go"))
    assert [(each.pointer, each.before, each.after) for each in changed.fields] == [("/spec/language", "python", "go")]
    assert _lines(lines.declared(_project(), None)) == [("git", "delete", "Project/web")]
    assert list(lines.declared(_project(), _project())) == []
    assert list(lines.declared(None, Product(name=SHOP))) == [], "the group is not a file"


def test_settings_that_nobody_declares_stay_what_they_are() -> None:
    found = {"name": "shown", "visibility": "private", "description": "by hand"}
    assert list(lines.settled("group", SHOP, {"name": "shown", "visibility": "", "description": None}, found)) == []
    (line,) = lines.settled("group", SHOP, {"visibility": "public"}, found)
    assert (line.action, [each.pointer for each in line.fields]) == ("change", ["/visibility"])
    assert _lines(lines.settled("repository", "shop/a", {}, None)) == [("gitlab", "create", "repository shop/a")]


def _repositories(*names: str) -> list[CodeRepo]:
    return [CodeRepo(name=name, product=SHOP, project="web") for name in names]


def test_keys_are_given_and_taken_one_by_one() -> None:
    before = ProductTree.of(SHOP, "", _repositories("a"))
    after = ProductTree.of(SHOP, "", _repositories("a", "b"))
    given = _lines(lines.shared(SHOP, before, after))
    assert ("gitlab", "create", "deploy key readonly of shop/b on shop/a") in given
    assert ("gitlab", "create", "deploy key readwrite of shop/a on shop/b") in given
    assert len(given) == 4
    taken = _lines(lines.shared(SHOP, after, before))
    assert [each[2] for each in taken] == [
        f"deploy key {each} of shop/b on shop/a" for each in ("readonly", "readwrite")
    ]
    assert {each[1] for each in taken} == {"delete"}


def test_a_runtime_says_where_it_goes() -> None:
    runtime = DeploymentRuntime.model_validate(
        {
            "name": "live",
            "product": SHOP,
            "manifestSource": {"codeRepo": "a", "targetRevision": "main", "path": "x"},
            "destination": {"environment": "test", "namespaces": ["one", "two"]},
        }
    )
    environment = resource_of(
        {"kind": "Environment", "spec": {"name": "test", "product": SHOP, "cluster": "edge", "envType": "test"}}
    )
    tree = ProductTree.of(SHOP, "", [runtime, environment])
    place, role = lines.running(7, None, runtime, tree)
    assert (place.target, place.detail) == ("deployment live in edge", "namespaces one, two")
    assert (role.system, role.target) == ("vault", "role product-7-live of edge")
    assert _lines(lines.running(7, runtime, None, tree))[0] == ("kubernetes", "delete", "deployment live in edge")


# Clusters


def _manifest(**spec: Any) -> dict[str, Any]:
    body = {"name": "edge", "apiServer": "https://edge.example.com", "clusterType": "physical", "usage": "worker"}
    return {"kind": "Cluster", "spec": {**body, "workerType": "deployment", **spec}}


def _registered(**spec: Any) -> dict[str, Any]:
    return manifest_of(with_defaults(resource_of(_manifest(**spec))))  # type: ignore[arg-type]


def _input(action: str, before: dict[str, Any], **more: Any) -> ClusterCheck:
    request = ClusterRequest.model_validate(
        {"operation": "op", "cluster": "edge", "action": action, "manifest": _manifest(), "requester": ADA, **more}
    )
    place = SecretRef(engine="cluster", path="x")
    return ClusterCheck(request=request, kubeconfig=place, server="", manifest=before)


def _targets(found: list[Effect]) -> set[str]:
    return {f"{each.system} {each.action} {each.target}" for each in found}


def test_a_registration_says_what_it_brings_and_a_second_one_nothing() -> None:
    first = plan(_input("apply", {}), [])
    assert _targets(first.effects) == {
        "git create Cluster/edge",
        "vault create kubeconfig of edge",
        "vault create auth/edge",
    }
    assert (first.outcome.action, first.deletions) == ("created", 0)
    again = plan(_input("apply", _registered()), [])
    assert (again.outcome.action, again.effects) == ("unchanged", [])


def test_an_update_shows_its_fields_and_its_components() -> None:
    before = _registered(primaryDomain="old.example.com", componentsList={"gateway": {"name": "traefik"}})
    found = plan(_input("apply", before), [])
    assert "kubernetes delete component traefik of edge" in _targets(found.effects)
    (line,) = [each for each in found.effects if each.system == "git"]
    assert ("/spec/primaryDomain", "old.example.com") in [(each.pointer, each.before) for each in line.fields]


def test_a_removal_is_one_deletion() -> None:
    found = plan(_input("remove", _registered()), [])
    assert (found.outcome.action, found.deletions) == ("removed", 1)
    assert "vault delete auth/edge" in _targets(found.effects)
    assert plan(_input("remove", {}), []).outcome.action == "absent"


def test_a_plan_holds_for_what_it_was_made_of() -> None:
    shown = plan(_input("apply", {}), [])
    assert plan(_input("apply", {}, plans=[shown.id]), []).findings == []
    moved = plan(_input("apply", _registered(), plans=[shown.id]), [])
    assert [each.rule for each in moved.findings] == ["plan-stale"]
    wrong = Finding(rule="cluster-host", message="no")
    assert plan(_input("apply", _registered(), plans=[shown.id]), [wrong]).findings == [wrong]


def test_a_version_that_was_seen_must_still_be_there() -> None:
    known = _registered()
    seen = version(resource_of(known))
    for wanted, refused in ((seen, False), ("0" * 16, True), ("", True)):
        found = plan(_input("apply", known, expected={"Cluster/edge": wanted}), [])
        assert bool(found.findings) is refused
    assert plan(_input("apply", {}, expected={"Cluster/edge": ""}), []).findings == []
