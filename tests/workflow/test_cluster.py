"""A cluster: who may use which of its namespaces, and one operation after the other."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from nautes.messages.clusters import KnownCluster
from nautes.messages.errors import Refused
from nautes.messages.operations import Accepted, ClusterRequest
from nautes.messages.status import ClusterStatus
from nautes.resources.findings import Finding
from tests.workflow.answers import ADA, HEAD, KUBECONFIG, manifest, registration, unique
from tests.workflow.clusters import known, outside
from tests.workflow.platform import Handle, Platform, hurried, until
from workflows.cluster_state import ClusterStart, ClusterState, RegistrationReport


async def _started(platform: Platform, cluster: str, state: ClusterState | None = None) -> Handle:
    return await platform.start("Cluster", f"cluster/{cluster}", ClusterStart(name=cluster, state=state))


def _ready(cluster: str, **more: Any) -> ClusterState:
    body = manifest(
        cluster,
        productAllowedClusterResources={"product-1": [{"group": "rbac.authorization.k8s.io", "kind": "ClusterRole"}]},
    )
    values = {"manifest": body, "commit": HEAD, "kubeconfig": KUBECONFIG, "phase": "Ready", "components": ["traefik"]}
    return ClusterState.model_validate({**values, **more})


async def _submit(handle: Handle, request: ClusterRequest) -> str:
    accepted = await handle.execute_update("submit", request, result_type=Accepted)
    return str(accepted.operation)


async def _phase(platform: Platform, handle: Handle, phase: str) -> bool:
    return bool((await platform.shown(handle.id, ClusterStatus)).phase == phase)


async def test_operations_run_one_at_a_time_and_the_same_one_once(platform: Platform) -> None:
    cluster = unique("edge")
    handle = await _started(platform, cluster, _ready(cluster))
    hold = platform.fakes.hold("clusters.check")
    first, second = registration(cluster), registration(cluster)
    keys = [await _submit(handle, each) for each in (first, second, first, second)]
    await hold.begun.wait()
    status = await platform.shown(handle.id, ClusterStatus)
    assert (status.operation, status.queued) == (keys[0], [keys[1]])
    hold.release()
    await platform.result(keys[1])
    checked = [each.request.operation for each in platform.fakes.asked("clusters.check")]
    assert checked == [first.operation, second.operation]


def _known(cluster: str, commit: str, **spec: Any) -> KnownCluster:
    body = manifest(cluster, **spec) if spec else _ready(cluster).manifest
    return KnownCluster(name=cluster, manifest=body, commit=commit, requester=ADA)


async def test_what_the_tenant_repository_says_again_is_no_news_and_what_is_new_is_brought_about_once(
    platform: Platform,
) -> None:
    cluster = unique("edge")
    handle = await _started(platform, cluster, _ready(cluster))
    await handle.signal("declared", _known(cluster, HEAD))
    await handle.signal("declared", _known(cluster, "c" * 40))
    news = _known(cluster, "d" * 40, primaryDomain="apps.example.com")
    await handle.signal("declared", news)
    await handle.signal("declared", news)
    report = await platform.result(f"registration/{cluster}/git-{'d' * 12}", RegistrationReport)
    assert report.registered.manifest == news.manifest
    await until(lambda: _idle(platform, handle), "nothing queued")
    assert [each.request.manifest for each in platform.fakes.asked("clusters.check")] == [news.manifest]


async def _idle(platform: Platform, handle: Handle) -> bool:
    status = await platform.shown(handle.id, ClusterStatus)
    return not status.operation and not status.queued


async def test_after_a_loss_of_memory_a_refused_cluster_loses_nothing_and_is_tried_again(platform: Platform) -> None:
    cluster = unique("edge")
    with hurried(refused_retry=0.3):
        platform.fakes.fail("control.ensure_observer", Refused("schedules", "not now"))
        handle = await _started(platform, cluster)
        await handle.signal("declared", _known(cluster, HEAD))
        await until(lambda: _phase(platform, handle, "Ready"), "a ready cluster")
    taken = {"components.remove", "vault.drop_auth", "vault.undo_kubeconfig", "vault.drop_cluster"}
    assert not taken & set(outside(platform))
    assert None not in [each.manifest for each in platform.fakes.asked("clusters.commit")]
    assert len(platform.fakes.asked("clusters.check")) == 2


async def test_it_ends_when_its_first_registration_is_refused(platform: Platform) -> None:
    cluster = unique("edge")
    platform.fakes.answers["clusters.check"] = [Finding(rule="cluster-unreachable", message="nobody answers")]
    handle = await _started(platform, cluster)
    operation = await _submit(handle, registration(cluster))
    assert (await platform.result(operation, RegistrationReport)).state == "refused"
    await handle.result()


async def test_it_ends_after_its_removal(platform: Platform) -> None:
    cluster = unique("edge")
    handle = await _started(platform, cluster, _ready(cluster))
    await _submit(handle, registration(cluster, "remove"))
    await handle.result()
    assert outside(platform)[-1] == "vault.drop_cluster"


async def test_a_removal_that_was_refused_leaves_it_ready(platform: Platform) -> None:
    cluster = unique("edge")
    handle = await _started(platform, cluster, _ready(cluster))
    platform.fakes.fail("clusters.commit", Refused("tenant-unreadable", "clusters/other.yaml cannot be read"))
    operation = await _submit(handle, registration(cluster, "remove"))
    assert (await platform.result(operation, RegistrationReport)).state == "refused"
    await until(lambda: _phase(platform, handle, "Ready"), "a ready cluster")


async def test_a_cluster_registered_again_while_it_is_being_removed_is_there_afterwards(platform: Platform) -> None:
    cluster = unique("edge")
    handle = await _started(platform, cluster, _ready(cluster))
    hold = platform.fakes.hold("components.remove")
    await _submit(handle, registration(cluster, "remove"))
    await hold.begun.wait()
    operation = await _submit(handle, registration(cluster))
    hold.release()
    report = await platform.result(operation, RegistrationReport)
    assert [each.action for each in report.outcomes] == ["created"]
    await until(lambda: _phase(platform, handle, "Ready"), "a ready cluster")


async def test_a_request_for_another_cluster_is_refused(platform: Platform) -> None:
    cluster = unique("edge")
    handle = await _started(platform, cluster)
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await _submit(handle, registration("other"))
    assert str(caught.value.cause).endswith(f"this is cluster {cluster}, not other")


async def test_nothing_is_lost_or_done_twice_when_its_history_starts_afresh(platform: Platform) -> None:
    cluster = unique("edge")
    platform.hurry(events_kept=40)
    handle = await _started(platform, cluster, _ready(cluster))
    requests = [registration(cluster) for _ in range(2)]
    for number in range(20):
        await handle.signal("declared", known(cluster, HEAD))
        if number % 10 == 5:
            await _submit(handle, requests[number // 10])
    for each in requests:
        await platform.result(await _submit(handle, each))
    await platform.began_afresh(handle.id)
    checked = [each.request.operation for each in platform.fakes.asked("clusters.check")]
    assert checked == [each.operation for each in requests]
