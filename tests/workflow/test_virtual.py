"""A virtual worker is made on its host, and taken off it again; hosts wait for nobody but their guests."""

from __future__ import annotations

from typing import Any

import pytest

from nautes.messages.clusters import ClusterStanding, ComponentReport, VirtualAccess
from nautes.messages.convergence import ConvergeReport
from nautes.messages.errors import NotFound, Refused
from nautes.messages.operations import ClusterRequest
from nautes.messages.products import FilesCommitted
from nautes.messages.secrets import SecretRef
from nautes.messages.vault import Done
from nautes.resources.findings import Finding
from tests.workflow.answers import HEAD, KUBECONFIG, STAGED, claim, registration, unique
from tests.workflow.clusters import host, keep_claims, outside, ready, shown, started, submit, virtual
from tests.workflow.platform import Handle, Platform, ended_with, until
from workflows.cluster_state import ClusterState, RegistrationReport, RegistrationStart

NEVER_STORED = NotFound("kubeconfig-missing", "Vault has no kubeconfig of it")


def _request(cluster: str, **more: Any) -> ClusterRequest:
    return registration(cluster, **{"kubeconfig": None, "manifest": virtual(cluster), **more})


def _state(cluster: str, **more: Any) -> ClusterState:
    return ready(cluster, manifest=virtual(cluster), **more)


async def _start(platform: Platform, request: ClusterRequest, state: ClusterState | None = None) -> Handle:
    key = f"registration/{request.cluster}/{request.operation}"
    await platform.start("Registration", key, RegistrationStart(request=request, state=state or ClusterState()))
    return platform.handle(key, RegistrationReport)


def _nothing_there(platform: Platform) -> None:
    platform.fakes.fail("vault.kubeconfig_ref", NEVER_STORED)


async def test_a_virtual_worker_is_made_on_its_host_and_then_registered_like_any_other(platform: Platform) -> None:
    cluster = unique("virt")
    _nothing_there(platform)
    report = await ended_with(await _start(platform, request := _request(cluster)))
    assert outside(platform) == [
        "vault.kubeconfig_ref",
        "claims.claim_host",
        "clusters.check",
        "virtual.create",
        "virtual.access",
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
    place = platform.fakes.asked("claims.claim_host")[0]
    wanted = (place.cluster, place.claim.runtime, place.claim.namespaces, place.claim.worker_type)
    assert wanted == ("big", f"cluster/{cluster}", [cluster], "host")
    input = platform.fakes.asked("virtual.create")[0]
    assert (input.host, input.server, input.node_port) == (KUBECONFIG, "https://edge.example.com:31443", 31443)
    staged = SecretRef(engine="cluster", path=f"staging/{cluster}-{request.operation}")
    assert platform.fakes.asked("vault.store_kubeconfig")[0].staged == staged
    checks = platform.fakes.asked("clusters.check")
    assert [(each.probe, each.kubeconfig) for each in checks][1] == (True, staged)
    assert not checks[0].probe, "there is nothing to look at before it is made"
    assert ([each.action for each in report.outcomes], report.registered.phase) == (["created"], "Ready")


async def test_the_declared_node_port_wins_over_the_addresss_and_one_out_of_range_is_the_hosts_choice(
    platform: Platform,
) -> None:
    for spec, port in (
        ({"vcluster": {"httpsNodePort": "30500"}}, 30500),
        ({"apiServer": "https://edge.example.com:6443"}, 0),
        ({"apiServer": "https://edge.example.com"}, 0),
    ):
        cluster = unique("virt")
        _nothing_there(platform)
        await ended_with(await _start(platform, _request(cluster, manifest=virtual(cluster, **spec))))
        assert platform.fakes.asked("virtual.create")[-1].node_port == port


async def test_a_repeated_registration_of_a_virtual_worker_says_unchanged(platform: Platform) -> None:
    cluster = unique("virt")
    fakes = platform.fakes
    fakes.answers["virtual.create"] = ConvergeReport(unchanged=9)
    fakes.answers["virtual.access"] = VirtualAccess()
    fakes.answers["clusters.commit"] = FilesCommitted(commit=HEAD, changed=[], made=False)
    fakes.answers["components.install"] = ConvergeReport(unchanged=3)
    fakes.answers["vault.ensure_cluster_auth"] = Done(changed=False)
    report = await ended_with(await _start(platform, _request(cluster), _state(cluster)))
    assert [each.action for each in report.outcomes] == ["unchanged"]
    assert not {"vault.store_kubeconfig", "vault.verify_login"} & set(fakes.names())


STEPS = ["claims.claim_host", "clusters.check", "virtual.create", "virtual.access", "clusters.commit"]
UNDONE = ["place on host big", "virtual cluster on host big", "kubeconfig in Vault", "cluster manifest"]


async def test_a_refusal_takes_the_virtual_cluster_off_its_host(platform: Platform) -> None:
    cluster = unique("virt")
    _nothing_there(platform)
    platform.fakes.fail("control.ensure_observer", Refused("observers", "no more observers"))
    report = await ended_with(await _start(platform, _request(cluster)))
    assert (report.state, report.registered.removed) == ("refused", True)
    assert report.undone == [f"auth mount {cluster}", *UNDONE[::-1]]
    after = outside(platform)[outside(platform).index("control.ensure_observer") + 1 :]
    taken = ["vault.drop_auth", "clusters.commit", "vault.undo_kubeconfig", "virtual.delete", "claims.release"]
    assert after == [*taken, "vault.discard"]
    assert platform.fakes.asked("claims.release")[0].claim.runtime == f"cluster/{cluster}"


@pytest.mark.parametrize("where", STEPS)
async def test_a_refused_step_leaves_nothing_on_the_host(platform: Platform, where: str) -> None:
    cluster = unique("virt")
    _nothing_there(platform)
    platform.fakes.fail(where, Refused("no", "not like this"))
    report = await ended_with(await _start(platform, request := _request(cluster)))
    undone = {"claims.claim_host": 1, "clusters.check": 1, "virtual.create": 2, "virtual.access": 2}
    assert report.undone == UNDONE[: undone.get(where, 4)][::-1]
    staged = SecretRef(engine="cluster", path=f"staging/{cluster}-{request.operation}")
    made = where in ("virtual.create", "virtual.access", "clusters.commit")
    assert platform.fakes.asked("vault.discard") == ([staged] if made else []), "no kubeconfig stays behind"


async def test_after_a_loss_of_memory_a_refused_virtual_worker_keeps_what_it_has(platform: Platform) -> None:
    cluster = unique("virt")  # Vault knows its kubeconfig: it was there before
    platform.fakes.fail("control.ensure_observer", Refused("schedules", "not now"))
    report = await ended_with(await _start(platform, _request(cluster, operation=f"git-{'c' * 12}")))
    assert (report.state, report.registered.removed) == ("refused", False)
    assert not {"virtual.delete", "claims.release", "vault.drop_auth"} & set(outside(platform))


async def test_a_kubeconfig_of_a_virtual_worker_is_not_taken(platform: Platform) -> None:
    cluster = unique("virt")
    report = await ended_with(await _start(platform, _request(cluster, kubeconfig=STAGED)))
    assert [(each.rule, each.pointer) for each in report.findings] == [
        ("cluster-virtual-kubeconfig", "/spec/kubeconfig")
    ]
    assert platform.fakes.calls == [("vault.discard", STAGED)]


async def test_a_cluster_does_not_move_onto_off_or_between_hosts(platform: Platform) -> None:
    cluster = unique("virt")
    for before, after in (
        (_state(cluster), _request(cluster, manifest=virtual(cluster, hostCluster="other"))),
        (ready(cluster), _request(cluster)),
        (_state(cluster), registration(cluster)),
    ):
        report = await ended_with(await _start(platform, after, before))
        assert [each.rule for each in report.findings] == ["cluster-host-moved"]
        assert "virtual.create" not in outside(platform)


async def test_who_uses_it_is_said_before_that_it_cannot_move(platform: Platform) -> None:
    cluster = unique("virt")
    frozen = Finding(
        rule="cluster-frozen", message="clusterType may not change while it is used by deployment/shop/web"
    )
    platform.fakes.answers["clusters.check"] = [frozen]
    report = await ended_with(await _start(platform, registration(cluster), _state(cluster)))
    assert report.findings == [frozen]


async def test_a_virtual_worker_is_removed_from_its_host_last(platform: Platform) -> None:
    cluster = unique("virt")
    report = await ended_with(await _start(platform, registration(cluster, "remove"), _state(cluster)))
    assert ([each.action for each in report.outcomes], report.registered.removed) == (["removed"], True)
    assert outside(platform) == [
        "claims.claim_host",
        "clusters.commit",
        "control.end_observer",
        "vault.drop_cluster",
        "virtual.delete",
        "claims.release",
    ]


async def test_a_virtual_worker_outlives_no_host_that_is_gone(platform: Platform) -> None:
    cluster = unique("virt")
    platform.fakes.fail("claims.claim_host", Refused("cluster-host-unknown", "big is not one"))
    report = await ended_with(await _start(platform, registration(cluster, "remove"), _state(cluster)))
    assert [each.action for each in report.outcomes] == ["removed"]
    assert "virtual.delete" not in outside(platform)


# Hosts


async def test_a_host_is_not_removed_while_virtual_workers_stand_on_it(platform: Platform) -> None:
    asking = keep_claims(platform, name := unique("big"))
    big = await started(platform, name, host(name))
    platform.fakes.answers["clusters.standing"] = ClusterStanding(complete=True, declared=True, guests=["one", "two"])
    report = await platform.result(await submit(big, registration(name, "remove")), RegistrationReport)
    assert (report.state, report.message) == ("refused", f"cluster {name} is used by cluster/one, cluster/two")
    assert [each.rule for each in report.findings] == ["cluster-in-use"] * 2
    await until(lambda: _idle(platform, big), "a host that is ready again")
    await asking.claim(claim("cluster/three", "three", product="", worker="host"))
    report = await platform.result(await submit(big, registration(name, "remove")), RegistrationReport)
    assert report.message == f"cluster {name} is used by cluster/three", "a place that Git does not know of yet counts"
    platform.fakes.answers["clusters.standing"] = ClusterStanding(complete=True, declared=True)
    await asking.release(claim("cluster/three", "three", product="", worker="host"))
    report = await platform.result(await submit(big, registration(name, "remove")), RegistrationReport)
    assert [each.action for each in report.outcomes] == ["removed"]
    await big.result()


async def _idle(platform: Platform, handle: Handle) -> bool:
    status = await shown(platform, handle)
    return status.phase == "Ready" and not status.operation


async def test_a_host_stays_when_nobody_can_say_who_stands_on_it(platform: Platform) -> None:
    name = unique("big")
    platform.fakes.answers["clusters.standing"] = ClusterStanding(complete=False, declared=True)
    report = await ended_with(await _start(platform, registration(name, "remove"), host(name)))
    assert (report.state, report.message.split(":")[0]) == (
        "refused",
        "the tenant repository cannot be read as a whole",
    )


# Components that are left to people


async def test_what_this_build_does_not_install_is_said_and_stays_said(platform: Platform) -> None:
    platform.fakes.answers["components.install"] = lambda input: ComponentReport(bundled=input.component == "bootstrap")
    handle = await started(platform, cluster := unique("edge"))
    report = await platform.result(await submit(handle, registration(cluster)), RegistrationReport)
    warnings = "this build does not install traefik: it must be there already"
    assert [(each.action, each.detail) for each in report.outcomes] == [("created", warnings)]
    await until(lambda: _advised(platform, handle, [warnings]), "the warnings in the status")
    assert report.registered.components == []


async def _advised(platform: Platform, handle: Handle, warnings: list[str]) -> bool:
    return (await shown(platform, handle)).warnings == warnings
