"""What a plan says of a runtime that moves, and of the keys that another product gives: object by object."""

from __future__ import annotations

from dataclasses import replace

from nautes.planning import effects
from nautes.planning.effects import Move, Objects, Placed
from nautes.planning.moves import consequences
from nautes.planning.steps import Effect
from nautes.resources.product import CodeRepo, CodeRepoBinding
from nautes.resources.tree import ProductTree

WEB = Placed("DeploymentRuntime/web", "web", "deployment", "edge", ("a", "b"), "web", ("deploy",))
BUILD = Placed("ProjectPipelineRuntime/build", "build", "pipeline", "edge", ("c",), "build", ("files",))
HAS = Objects({"a": 3, "b": 1}, claims=("a/data",))


def _lines(move: Move, system: str = "kubernetes") -> list[str]:
    return [_line(each) for each in effects.runtime(move) if each.system == system]


def _line(effect: Effect) -> str:
    return f"{effect.action} {effect.target}" + (f" ({effect.detail})" if effect.detail else "")


def test_a_namespace_that_is_added_keeps_all_objects() -> None:
    move = Move(WEB, replace(WEB, namespaces=("a", "b", "d")), objects=HAS)
    assert _lines(move)[-1] == "keep 4 objects of deployment web in edge"
    assert not list(consequences(ProductTree("shop"), {WEB.key: move}))


def test_a_namespace_that_is_left_gives_rights_until_it_is_empty_and_takes_its_objects() -> None:
    move = Move(WEB, replace(WEB, namespaces=("b",)), objects=HAS)
    assert _lines(move) == [
        "change RoleBinding b/web in edge",
        "change RoleBinding a/web in edge (until its objects have left)",
        "delete Namespace a in edge",
        "replace 3 objects of deployment web in edge (volume claims a/data)",
        "keep 1 objects of deployment web in edge",
    ]
    (found,) = consequences(ProductTree("shop"), {WEB.key: move})
    assert (found.count, found.why) == (1, "DeploymentRuntime/web loses the volume claims a/data")


def test_objects_without_a_namespace_follow_the_first_one_and_their_claims_count() -> None:
    turned = Move(WEB, replace(WEB, namespaces=("b", "a")))
    assert turned.turned
    assert not Move(WEB, replace(WEB, namespaces=("a", "d"))).turned
    move = replace(turned, objects=replace(HAS, following=2, following_claims=("a/data",)))
    assert _lines(move)[-2:] == [
        "replace 2 objects of deployment web in edge (volume claims a/data)",
        "keep 2 objects of deployment web in edge",
    ]
    assert [each.count for each in consequences(ProductTree("shop"), {WEB.key: move})] == [1]
    assert _lines(move, "vault") == [], "the order of namespaces is nothing to Vault"


def test_a_pipeline_that_moves_gets_another_role() -> None:
    assert _lines(Move(BUILD, replace(BUILD, namespaces=("d",))), "vault") == ["replace role build of edge"]
    assert _lines(Move(BUILD, replace(BUILD, account="x")), "vault") == ["change role build of edge"]


def test_keys_that_another_product_gives_are_told() -> None:
    opens = CodeRepoBinding.model_validate(
        {"name": "o", "productName": "owner", "product": "shop", "coderepo": "lib", "permissions": "readonly"}
    )
    uses = CodeRepoBinding.model_validate(
        {"name": "u", "productName": "shop", "coderepo": "owner/lib", "permissions": "readonly"}
    )
    owner = ProductTree.of("owner", "c1", [CodeRepo(name="lib", product="owner"), opens])
    without = ProductTree.of("shop", "c1", [CodeRepo(name="app", product="shop")])
    line = "deploy key readonly of shop/app on owner/lib"
    given = list(effects.keys_elsewhere(owner, without, without.apply([uses])))
    assert [_line(each) for each in given] == [f"create {line}"]
    taken = list(effects.keys_elsewhere(owner, without.apply([uses]), without))
    assert [_line(each) for each in taken] == [f"delete {line}"]
    closed = ProductTree.of("owner", "c1", [CodeRepo(name="lib", product="owner")])
    assert not list(effects.keys_elsewhere(closed, without, without.apply([uses])))
