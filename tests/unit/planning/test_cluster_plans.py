"""What a registration, an update and a removal of a cluster would do, line by line."""

from __future__ import annotations

from typing import Any

from activities.clusters import _plan as plan
from nautes.messages.clusters import ClusterCheck
from nautes.messages.common import Requester
from nautes.messages.operations import ClusterRequest
from nautes.messages.secrets import SecretRef
from nautes.planning.steps import Effect
from nautes.resources.findings import Finding
from nautes.resources.manifest import manifest_of, resource_of, version
from nautes.rules.clusters import with_defaults

ADA = Requester(id=7, username="ada", name="Ada", email="ada@example.com")


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
