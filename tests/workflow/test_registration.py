"""One registration, update or removal of a cluster: in order, or refused and undone."""

from __future__ import annotations

from typing import Any

import pytest

from nautes.messages.claims import User, UsersPage
from nautes.messages.clusters import ClusterCommitted
from nautes.messages.convergence import ConvergeReport
from nautes.messages.errors import Forbidden, Refused, Unavailable
from nautes.messages.operations import ClusterRequest, OperationStatus
from nautes.messages.products import FilesCommitted
from nautes.messages.vault import Done, KubeconfigState
from nautes.resources.findings import Finding
from tests.workflow.answers import HEAD, KUBECONFIG, STAGED, foreseen, manifest, registration, unique
from tests.workflow.clusters import outside, record
from tests.workflow.platform import Handle, Platform, ended_with, until
from workflows.cluster_state import ClusterState, RegistrationReport, RegistrationStart


async def _start(platform: Platform, request: ClusterRequest, state: ClusterState | None = None) -> Handle:
    key = f"registration/{request.cluster}/{request.operation}"
    await platform.start("Registration", key, RegistrationStart(request=request, state=state or ClusterState()))
    return platform.handle(key, RegistrationReport)


def _ready(cluster: str, **more: Any) -> ClusterState:
    values = {"manifest": manifest(cluster), "commit": HEAD, "kubeconfig": KUBECONFIG, "phase": "Ready"}
    return ClusterState.model_validate({**values, "components": ["traefik"], **more})


async def test_a_cluster_is_registered_in_order(platform: Platform) -> None:
    cluster = unique("edge")
    report = await ended_with(await _start(platform, registration(cluster)))
    assert outside(platform) == [
        "clusters.check",
        "vault.store_kubeconfig",
        "clusters.commit",
        "components.install",
        "components.healthy",
        "vault.ensure_cluster_auth",
        "vault.verify_login",
        "components.install",
        "components.healthy",
        "control.ensure_observer",
    ]
    assert [each.component for each in platform.fakes.asked("components.install")] == ["bootstrap", "traefik"]
    assert (report.state, [each.action for each in report.outcomes]) == ("done", ["created"])
    state = report.registered
    assert (state.phase, state.kubeconfig, state.commit, state.components) == ("Ready", KUBECONFIG, HEAD, ["traefik"])


async def test_a_refused_check_does_nothing_but_forget_the_staged_kubeconfig(platform: Platform) -> None:
    cluster = unique("edge")
    finding = Finding(rule="cluster-unreachable", message="nobody answers at edge.example.com")
    platform.fakes.answers["clusters.check"] = [finding]
    report = await ended_with(await _start(platform, registration(cluster)))
    assert (report.state, report.message, report.findings) == ("refused", finding.message, [finding])
    assert report.registered.removed
    assert platform.fakes.calls[1:] == [("vault.discard", STAGED)]


async def test_a_refusal_in_the_middle_takes_back_what_was_done_newest_first(platform: Platform) -> None:
    cluster = unique("edge")
    platform.fakes.fail("control.ensure_observer", Refused("observers", "no more observers"))
    report = await ended_with(await _start(platform, registration(cluster)))
    assert (report.state, report.message) == ("refused", "no more observers")
    assert report.undone == [
        "component traefik",
        f"auth mount {cluster}",
        "component bootstrap",
        "cluster manifest",
        "kubeconfig in Vault",
    ]
    after = outside(platform)[outside(platform).index("control.ensure_observer") + 1 :]
    assert after == [
        "components.remove",
        "vault.drop_auth",
        "components.remove",
        "clusters.commit",
        "vault.undo_kubeconfig",
        "vault.discard",
    ]
    assert platform.fakes.asked("clusters.commit")[-1].manifest is None


async def test_a_refused_update_puts_the_old_manifest_back_and_leaves_the_cluster_working(platform: Platform) -> None:
    cluster = unique("edge")
    before = _ready(cluster)
    request = registration(cluster, manifest=manifest(cluster, primaryDomain="apps.example.com"))
    platform.fakes.fail("components.install", Refused("component-refused", "traefik: no such kind"))
    report = await ended_with(await _start(platform, request, before))
    assert platform.fakes.asked("clusters.commit")[-1].manifest == before.manifest
    assert platform.fakes.asked("vault.undo_kubeconfig")[0].previous == KUBECONFIG.version
    assert not {"vault.drop_auth", "components.remove"} & set(outside(platform))
    assert report.registered.model_copy(update={"message": ""}) == record(before)
    assert report.registered.message == "traefik: no such kind"


async def test_an_update_without_a_kubeconfig_keeps_the_stored_one_and_says_unchanged(platform: Platform) -> None:
    cluster = unique("edge")
    fakes = platform.fakes
    fakes.answers["clusters.commit"] = FilesCommitted(commit=HEAD, changed=[], made=False)
    fakes.answers["components.install"] = ConvergeReport(unchanged=3)
    fakes.answers["vault.ensure_cluster_auth"] = Done(changed=False)
    report = await ended_with(await _start(platform, registration(cluster, kubeconfig=None), _ready(cluster)))
    assert [each.action for each in report.outcomes] == ["unchanged"]
    assert "vault.store_kubeconfig" not in fakes.names()


WAITS = ["clusters.check", "vault.store_kubeconfig", "clusters.commit", "components.install", "vault.verify_login"]


@pytest.mark.parametrize("where", WAITS)
@pytest.mark.parametrize("deaf", [False, True], ids=["stopped", "too late"])
async def test_a_cancelled_registration_is_undone_wherever_it_waits(platform: Platform, where: str, deaf: bool) -> None:
    """`too late`: the call succeeds although the cancellation came while it was under way."""
    cluster = unique("edge")
    hold = platform.fakes.hold(where, deaf=deaf)
    handle = await _start(platform, registration(cluster))
    await hold.begun.wait()
    await handle.cancel()
    if deaf:
        await until(lambda: platform.cancel_heard(handle), "the cancellation in history")
        hold.release()
    report = await ended_with(handle)
    assert (report.state, report.message, report.registered.removed) == ("cancelled", "cancelled", True)
    undone = ["kubeconfig in Vault", "cluster manifest", "component bootstrap", f"auth mount {cluster}"]
    assert report.undone == undone[: WAITS.index(where)][::-1]
    assert outside(platform)[-1] == "vault.discard"
    assert "control.ensure_observer" not in outside(platform)


async def test_an_outage_is_shown_and_retried_until_it_ends(platform: Platform) -> None:
    cluster = unique("edge")
    platform.fakes.fail("components.install", Unavailable("cluster-unavailable", "timed out"), times=10_000)
    handle = await _start(platform, registration(cluster))
    shown = await until(lambda: platform.retried(handle.id), "an attempt that failed")
    assert shown[2] == "timed out"
    assert (await platform.shown(handle.id, OperationStatus)).step == "Component bootstrap"
    platform.fakes.mend("components.install")
    assert (await ended_with(handle)).state == "done"


async def test_what_had_nothing_to_take_back_is_not_reported_as_undone(platform: Platform) -> None:
    cluster = unique("edge")
    platform.fakes.answers["clusters.commit"] = FilesCommitted(commit=HEAD, changed=[], made=False)
    platform.fakes.answers["vault.undo_kubeconfig"] = False
    platform.fakes.answers["vault.store_kubeconfig"] = KubeconfigState(secret=KUBECONFIG, previous=None, changed=True)
    platform.fakes.fail("components.install", Refused("component-refused", "no"))
    report = await ended_with(await _start(platform, registration(cluster)))
    assert report.undone == ["component bootstrap"]


def _used(platform: Platform, *names: str) -> None:
    users = UsersPage(users=[User(kind="claim", name=each) for each in names], total=len(names))
    platform.fakes.answers |= {"claims.users": users, "claims.close": users}


async def test_a_removal_is_refused_while_the_cluster_is_used_and_lists_who_uses_it(platform: Platform) -> None:
    cluster = unique("edge")
    _used(platform, "deployment/docs/site", "deployment/shop/web")
    report = await ended_with(await _start(platform, registration(cluster, "remove"), _ready(cluster)))
    assert report.state == "refused"
    assert report.message == f"cluster {cluster} is used by deployment/docs/site, deployment/shop/web"
    assert platform.fakes.names() == ["claims.users", "claims.close"]
    assert report.registered.phase == "Ready"


async def test_a_cluster_is_removed_in_reverse(platform: Platform) -> None:
    cluster = unique("edge")
    report = await ended_with(await _start(platform, registration(cluster, "remove"), _ready(cluster)))
    assert (report.state, [each.action for each in report.outcomes]) == ("done", ["removed"])
    assert report.registered.removed
    assert outside(platform) == [
        "clusters.commit",
        "components.remove",
        "components.remove",
        "control.end_observer",
        "vault.drop_cluster",
    ]
    assert [each.component for each in platform.fakes.asked("components.remove")] == ["traefik", "bootstrap"]
    assert platform.fakes.asked("clusters.commit")[0].manifest is None


async def test_what_another_registration_of_the_same_cluster_needs_stays(platform: Platform) -> None:
    cluster = unique("edge")
    platform.fakes.answers["clusters.commit"] = ClusterCommitted(
        commit=HEAD, changed=[], made=True, shared=["bootstrap"]
    )
    await ended_with(await _start(platform, registration(cluster, "remove"), _ready(cluster)))
    assert [each.component for each in platform.fakes.asked("components.remove")] == ["traefik"]
    platform.fakes.fail("control.ensure_observer", Refused("observers", "no more observers"))
    second = unique("edge")
    report = await ended_with(await _start(platform, registration(second)))
    undone = ["component traefik", f"auth mount {second}", "cluster manifest", "kubeconfig in Vault"]
    assert report.undone == undone
    assert [each.component for each in platform.fakes.asked("components.remove")] == ["traefik", "traefik"]


async def test_removing_what_is_not_there_is_absent_and_does_nothing(platform: Platform) -> None:
    report = await ended_with(await _start(platform, registration(unique("edge"), "remove")))
    assert (report.state, [each.action for each in report.outcomes]) == ("done", ["absent"])
    assert outside(platform) == []


async def test_a_removal_that_was_refused_names_the_reason(platform: Platform) -> None:
    cluster = unique("edge")
    platform.fakes.fail("clusters.commit", Forbidden("token", "the platform may not push"))
    report = await ended_with(await _start(platform, registration(cluster, "remove"), _ready(cluster)))
    assert (report.state, report.registered.manifest) == ("refused", manifest(cluster))
    assert report.registered.message == "the platform may not push"


async def test_a_plan_of_a_registration_does_nothing(platform: Platform) -> None:
    cluster = unique("edge")
    platform.fakes.answers["clusters.plan"] = foreseen(cluster, id="abc")
    report = await ended_with(await _start(platform, registration(cluster, kubeconfig=None, dry_run=True)))
    assert outside(platform) == ["clusters.plan"]
    assert (report.state, report.plan, [each.target for each in report.effects]) == (
        "planned",
        "abc",
        [f"Cluster/{cluster}"],
    )
    assert report.registered.removed, "a cluster that nobody registered is as unknown as before"


async def test_a_plan_of_a_cluster_that_is_there_leaves_it_as_it_is(platform: Platform) -> None:
    cluster = unique("edge")
    platform.fakes.answers["clusters.plan"] = foreseen(cluster)
    request = registration(cluster, "remove", dry_run=True)
    report = await ended_with(await _start(platform, request, _ready(cluster)))
    assert (report.state, report.registered) == ("planned", record(_ready(cluster)))


async def test_a_request_that_names_its_plan_is_refused_when_the_world_has_moved(platform: Platform) -> None:
    cluster = unique("edge")
    stale = Finding(rule="plan-stale", message="the plan is out of date")
    platform.fakes.answers["clusters.plan"] = foreseen(cluster, findings=[stale])
    report = await ended_with(await _start(platform, registration(cluster, plans=["abc"]), _ready(cluster)))
    assert (report.state, report.findings) == ("refused", [stale])
    assert outside(platform) == ["clusters.plan", "vault.discard"]


async def test_a_plan_of_a_removal_says_who_uses_the_cluster(platform: Platform) -> None:
    cluster = unique("edge")
    _used(platform, "deployment/shop/web")
    report = await ended_with(await _start(platform, registration(cluster, "remove", dry_run=True), _ready(cluster)))
    assert (report.state, [each.rule for each in report.findings]) == ("refused", ["cluster-in-use"])
    assert platform.fakes.names() == ["claims.users"]
