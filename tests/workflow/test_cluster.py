"""A cluster: who may use which of its namespaces, and one operation after the other."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from nautes.messages.clusters import Claim, ClusterClaims, Grant, KnownCluster
from nautes.messages.control import Released
from nautes.messages.errors import Refused
from nautes.messages.operations import Accepted, ClusterRequest
from nautes.messages.status import ClusterStatus
from nautes.resources.findings import Finding
from tests.workflow.answers import ADA, HEAD, KUBECONFIG, claim, manifest, registration, unique
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


async def _claim(handle: Handle, wanted: Claim) -> Grant:
    found: Grant = await handle.execute_update("claim", wanted, result_type=Grant)
    return found


async def _submit(handle: Handle, request: ClusterRequest) -> str:
    accepted = await handle.execute_update("submit", request, result_type=Accepted)
    return str(accepted.operation)


async def _refusal(handle: Handle, wanted: Claim) -> tuple[str | None, str]:
    """(kind of error, message)."""
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await _claim(handle, wanted)
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    return cause.type, cause.message


async def test_deployments_of_one_product_share_a_namespace_and_get_to_know_the_cluster(platform: Platform) -> None:
    cluster = unique("edge")
    handle = await _started(platform, cluster, _ready(cluster))
    grant = await _claim(handle, claim("deployment/shop/web", "shop", "web"))
    assert (grant.cluster, grant.kubeconfig) == (cluster, KUBECONFIG)
    assert grant.allowed_cluster_kinds == ["rbac.authorization.k8s.io/ClusterRole"]
    assert {"kube-system", "nautes", "traefik"} <= set(grant.platform_namespaces)
    await _claim(handle, claim("deployment/shop/api", "shop"))
    status = await platform.shown(handle.id, ClusterStatus)
    assert status.claims == {"deployment/shop/web": ["shop", "web"], "deployment/shop/api": ["shop"]}


async def test_a_namespace_of_another_product_is_refused_and_its_user_named(platform: Platform) -> None:
    cluster = unique("edge")
    handle = await _started(platform, cluster, _ready(cluster))
    await _claim(handle, claim("deployment/shop/web", "shop"))
    kind, message = await _refusal(handle, claim("deployment/docs/site", "site", "shop", product="product-2"))
    assert (kind, message) == ("Conflict", f"namespace shop of cluster {cluster} is used by deployment/shop/web")
    assert set((await platform.shown(handle.id, ClusterStatus)).claims) == {"deployment/shop/web"}


async def test_nobody_shares_a_namespace_with_a_pipeline_not_even_in_its_product(platform: Platform) -> None:
    cluster = unique("edge")
    state = _ready(cluster, manifest=manifest(cluster, "pipeline"))
    handle = await _started(platform, cluster, state)
    await _claim(handle, claim("pipeline/shop/build", "build", worker="pipeline"))
    kind, message = await _refusal(handle, claim("pipeline/shop/other", "build", worker="pipeline"))
    assert (kind, message) == ("Conflict", f"namespace build of cluster {cluster} is used by pipeline/shop/build")


async def test_a_runtime_that_claims_again_replaces_its_claim(platform: Platform) -> None:
    cluster = unique("edge")
    handle = await _started(platform, cluster, _ready(cluster))
    await _claim(handle, claim("deployment/shop/web", "one"))
    await _claim(handle, claim("deployment/shop/web", "two"))
    await _claim(handle, claim("deployment/docs/site", "one", product="product-2"))
    claims = await handle.query("claims", result_type=ClusterClaims)
    assert (claims.kubeconfig, [each.namespaces for each in claims.claims]) == (KUBECONFIG, [["two"], ["one"]])


async def test_a_released_claim_leaves_the_namespaces_nobody_else_uses(platform: Platform) -> None:
    cluster = unique("edge")
    handle = await _started(platform, cluster, _ready(cluster))
    await _claim(handle, claim("deployment/shop/web", "shop", "web"))
    await _claim(handle, claim("deployment/shop/api", "shop"))
    for _ in range(2):  # giving back twice answers the same
        given = claim("deployment/shop/web", "shop", "web")
        released = await handle.execute_update("release", given, result_type=Released)
        assert released.namespaces == ["web"]


async def test_a_cluster_of_the_wrong_kind_refuses_a_runtime(platform: Platform) -> None:
    cluster = unique("edge")
    handle = await _started(platform, cluster, _ready(cluster))
    refusal = await _refusal(handle, claim("pipeline/shop/build", "build", worker="pipeline"))
    assert refusal == ("Refused", f"cluster {cluster} is a deployment worker, not pipeline")


async def test_claims_wait_while_a_cluster_is_not_ready(platform: Platform) -> None:
    cluster = unique("edge")
    handle = await _started(platform, cluster)
    hold = platform.fakes.hold("components.install")
    operation = await _submit(handle, registration(cluster))
    await hold.begun.wait()
    kind, _ = await _refusal(handle, claim("deployment/shop/web", "shop"))
    assert kind == "Unavailable"
    hold.release()
    await platform.result(operation)
    await until(lambda: _phase(platform, handle, "Ready"), "a ready cluster")
    await _claim(handle, claim("deployment/shop/web", "shop"))


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
    assert not taken & set(platform.fakes.names())
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
    assert platform.fakes.names()[-1] == "vault.drop_cluster"


async def test_no_claim_gets_in_while_it_is_being_removed(platform: Platform) -> None:
    cluster = unique("edge")
    handle = await _started(platform, cluster, _ready(cluster))
    hold = platform.fakes.hold("components.remove")
    await _submit(handle, registration(cluster, "remove"))
    await hold.begun.wait()
    assert (await _refusal(handle, claim("deployment/shop/web", "shop")))[0] == "Unavailable"
    hold.release()
    await handle.result()


async def test_a_removal_that_was_refused_leaves_it_ready(platform: Platform) -> None:
    cluster = unique("edge")
    handle = await _started(platform, cluster, _ready(cluster))
    platform.fakes.fail("clusters.commit", Refused("tenant-unreadable", "clusters/other.yaml cannot be read"))
    operation = await _submit(handle, registration(cluster, "remove"))
    assert (await platform.result(operation, RegistrationReport)).state == "refused"
    await until(lambda: _phase(platform, handle, "Ready"), "a ready cluster")
    await _claim(handle, claim("deployment/shop/web", "shop"))


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
        await _claim(handle, claim(f"deployment/shop/{number}", f"shop-{number}"))
        if number % 10 == 5:
            await _submit(handle, requests[number // 10])
    for each in requests:
        await platform.result(await _submit(handle, each))
    await platform.began_afresh(handle.id)
    status = await platform.shown(handle.id, ClusterStatus)
    assert status.claims == {f"deployment/shop/{each}": [f"shop-{each}"] for each in range(20)}
    checked = [each.request.operation for each in platform.fakes.asked("clusters.check")]
    assert checked == [each.operation for each in requests]
