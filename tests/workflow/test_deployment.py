"""A deployment: the newest commit wins, people may stop and pin it, and what it leaves is given back in order."""

from __future__ import annotations

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import CancelledError

from nautes.messages.claims import Released
from nautes.messages.convergence import ObjectHealth, OwnedReport
from nautes.messages.errors import NotYet, Unavailable
from nautes.messages.status import DeploymentStatus
from tests.workflow.answers import HEAD, deployment, push, unique
from tests.workflow.deployments import NEWER, SICK, started, status_of, until_phase, until_status
from tests.workflow.platform import Platform, hurried, until


async def test_a_runtime_gets_its_place_and_its_objects_in_order(platform: Platform) -> None:
    product = unique("shop")
    handle = await started(platform, product)
    status = await until_phase(platform, handle, "Converged")
    assert (status.commit, status.converged_commit, status.applied) == (HEAD, HEAD, 2)
    assert platform.fakes.names() == [
        "claims.claim",
        "runtimes.prepare",
        "vault.ensure_runtime_role",
        "git.fetch",
        "kubernetes.converge",
        "kubernetes.health",
    ]
    input = platform.fakes.asked("kubernetes.converge")[0]
    assert (input.owner, input.account) == ("product-1-web", "system:serviceaccount:web:product-1-web")


async def test_runtimes_that_share_an_account_have_vault_roles_of_their_own(platform: Platform) -> None:
    product = unique("shop")
    await until_phase(platform, await started(platform, product, account="deployer"), "Converged")
    role = platform.fakes.asked("vault.ensure_runtime_role")[0]
    assert (role.role, role.service_account) == ("product-1-web", "product-1-deployer")


async def test_a_push_that_does_not_concern_it_is_no_reason_to_look(platform: Platform) -> None:
    product = unique("shop")
    handle = await started(platform, product)
    await until_phase(platform, handle, "Converged")
    await handle.signal("pushed", push(ref="feature"))
    await handle.signal("pushed", push(99))
    mine = push()
    await handle.signal("pushed", mine)
    await platform.called("kubernetes.health", 2)
    await handle.signal("pushed", mine)
    await handle.signal("reconcile")
    await platform.called("kubernetes.health", 3)
    assert len(platform.fakes.asked("git.fetch")) == 3


async def test_drift_is_corrected(platform: Platform) -> None:
    product = unique("shop")
    handle = await started(platform, product)
    await until_phase(platform, handle, "Converged")
    await handle.signal("reconcile")
    await platform.called("kubernetes.converge", 2)
    assert len(platform.fakes.asked("claims.claim")) == 1


async def test_drift_is_corrected_while_objects_are_not_healthy(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["kubernetes.health"] = SICK
    hold = platform.fakes.hold("kubernetes.health_changed")
    handle = await started(platform, product)
    await hold.begun.wait()
    again = platform.fakes.hold("kubernetes.health_changed")
    await handle.signal("reconcile")
    await platform.called("kubernetes.converge", 2)
    await again.begun.wait()
    await hold.cancelled.wait()
    status = await status_of(platform, handle)
    assert (status.phase, [each.name for each in status.unhealthy]) == ("Waiting", ["web"])


async def test_a_runtime_that_never_gets_healthy_begins_afresh_and_goes_on_waiting(platform: Platform) -> None:
    product = unique("shop")
    platform.hurry(events_kept=60)
    platform.fakes.answers["kubernetes.health"] = SICK
    platform.fakes.fail(
        "kubernetes.health_changed", NotYet("not-yet", "Deployment/web: 0 of 1", retry_after=60), times=1000
    )
    handle = await started(platform, product)
    for number in range(1, 6):
        await platform.called("kubernetes.health_changed", number)
        await platform.handle(handle.id).signal("reconcile")
    await platform.began_afresh(handle.id)
    assert (await status_of(platform, platform.handle(handle.id))).phase == "Waiting"


async def test_a_convergence_whose_health_was_not_seen_yet_is_seen_by_the_next_run(platform: Platform) -> None:
    platform.hurry(events_kept=45)
    hold = platform.fakes.hold("kubernetes.health")
    handle = await started(platform, unique("shop"))
    await hold.begun.wait()
    for _ in range(10):  # what does not concern it makes its history longer
        await handle.signal("pushed", push(99))
    await hold.cancelled.wait()
    await platform.began_afresh(handle.id)
    assert (await until_phase(platform, platform.handle(handle.id), "Converged")).converged_commit == HEAD


async def test_a_removal_keeps_its_place_and_names_what_does_not_go(platform: Platform) -> None:
    product = unique("shop")
    handle = await started(platform, product)
    await until_phase(platform, handle, "Converged")
    stuck = ObjectHealth(kind="ConfigMap", namespace="web", name="held", status="Terminating", reason="a finalizer")
    platform.fakes.answers["kubernetes.delete_owned"] = lambda input: OwnedReport(
        deleted=0 if input.known else 2, remaining=[] if input.known else [stuck]
    )
    await handle.signal("specified", deployment(product, cluster="other"))
    hold = platform.fakes.hold("vault.drop_runtime_role")
    await hold.begun.wait()
    assert [each.known for each in platform.fakes.asked("kubernetes.delete_owned")] == [[], [stuck]]
    assert "claims.release" not in platform.fakes.names()
    hold.release()
    await platform.called("claims.release")


async def test_the_same_specification_again_prepares_nothing_again_and_a_new_one_does(platform: Platform) -> None:
    product = unique("shop")
    handle = await started(platform, product)
    await until_phase(platform, handle, "Converged")
    await handle.signal("specified", deployment(product, commit=NEWER))
    await platform.called("kubernetes.health", 2)
    assert len(platform.fakes.asked("claims.claim")) == 1
    await handle.signal("specified", deployment(product, path="other"))
    await platform.called("kubernetes.health", 3)
    assert len(platform.fakes.asked("claims.claim")) == 2
    assert platform.fakes.asked("kubernetes.converge")[-1].source.path == "other"
    assert "kubernetes.delete_owned" not in platform.fakes.names()


async def test_it_leaves_its_old_place_before_it_takes_a_new_one(platform: Platform) -> None:
    product = unique("shop")
    handle = await started(platform, product)
    await until_phase(platform, handle, "Converged")
    await handle.signal("specified", deployment(product, cluster="other"))
    await platform.called("kubernetes.health", 2)
    assert platform.fakes.names()[6:11] == [
        "kubernetes.delete_owned",
        "vault.drop_runtime_role",
        "claims.release",
        "runtimes.clear",
        "claims.claim",
    ]
    assert platform.fakes.asked("claims.release")[0].cluster == "edge"
    assert platform.fakes.asked("claims.claim")[-1].cluster == "other"


async def test_paused_it_sees_but_does_not_correct_until_it_is_resumed(platform: Platform) -> None:
    product = unique("shop")
    handle = await started(platform, product)
    await until_phase(platform, handle, "Converged")
    assert (await handle.execute_update("pause", result_type=DeploymentStatus)).phase == "Paused"
    await handle.signal("pushed", push())
    await handle.signal("reconcile")
    await until(lambda: platform.worked_on_last(handle), "the signals worked on")
    assert len(platform.fakes.asked("kubernetes.converge")) == 1
    assert (await status_of(platform, handle)).phase == "Paused"
    await handle.execute_update("resume")
    await platform.called("kubernetes.converge", 2)
    await until_phase(platform, handle, "Converged")


async def test_a_pause_stops_what_is_under_way(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["kubernetes.health"] = SICK
    hold = platform.fakes.hold("kubernetes.health_changed")
    handle = await started(platform, product)
    await hold.begun.wait()
    await handle.execute_update("pause")
    await hold.cancelled.wait()
    assert (await status_of(platform, handle)).phase == "Paused"


async def test_a_rollback_pins_a_commit_until_it_is_resumed(platform: Platform) -> None:
    product = unique("shop")
    handle = await started(platform, product)
    await until_phase(platform, handle, "Converged")
    await handle.execute_update("rollback", "0" * 40)
    await platform.called("kubernetes.health", 2)
    await handle.signal("pushed", push())
    await platform.called("kubernetes.health", 3)
    await handle.execute_update("resume")
    await platform.called("kubernetes.health", 4)
    assert [each.ref for each in platform.fakes.asked("git.fetch")] == ["main", "0" * 40, "0" * 40, "main"]


@pytest.mark.parametrize("commit", ["", "main", "abc123", "G" * 40, "a" * 65])
async def test_a_rollback_to_what_is_no_commit_is_refused(platform: Platform, commit: str) -> None:
    handle = await started(platform, unique("shop"))
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update("rollback", commit)
    assert "a commit is 7 to 64 hexadecimal digits" in str(caught.value.cause)


async def test_sync_looks_now(platform: Platform) -> None:
    handle = await started(platform, unique("shop"))
    await until_phase(platform, handle, "Converged")
    await handle.execute_update("sync")
    await platform.called("kubernetes.converge", 2)


async def test_an_outage_is_shown_and_retried_until_it_ends(platform: Platform) -> None:
    outage = Unavailable("cluster-unavailable", "edge timed out")
    platform.fakes.fail("kubernetes.converge", outage, times=10_000)
    handle = await started(platform, unique("shop"))
    assert (await until(lambda: platform.retried(handle.id), "an attempt that failed"))[2] == "edge timed out"
    assert (await status_of(platform, handle)).phase == "Converging"
    platform.fakes.mend("kubernetes.converge")
    await until_phase(platform, handle, "Converged")


async def test_removed_it_prunes_and_then_gives_back_in_order(platform: Platform) -> None:
    handle = await started(platform, unique("shop"))
    await until_phase(platform, handle, "Converged")
    platform.fakes.answers["claims.release"] = Released(namespaces=[])
    await handle.signal("remove")
    await handle.result()
    assert platform.fakes.names()[6:] == [
        "kubernetes.delete_owned",
        "vault.drop_runtime_role",
        "claims.release",
        "runtimes.clear",
    ]
    assert platform.fakes.asked("runtimes.clear")[0].namespaces == []


async def test_a_removal_wins_over_a_wait_for_health(platform: Platform) -> None:
    platform.fakes.answers["kubernetes.health"] = SICK
    hold = platform.fakes.hold("kubernetes.health_changed")
    handle = await started(platform, unique("shop"))
    await hold.begun.wait()
    await handle.signal("remove")
    await handle.result()
    assert hold.cancelled.is_set()


async def test_a_claim_that_may_have_been_heard_is_taken_back_on_removal(platform: Platform) -> None:
    hold = platform.fakes.hold("claims.claim")
    handle = await started(platform, unique("shop"))
    await hold.begun.wait()
    await handle.signal("remove")
    await handle.result()
    assert platform.fakes.names() == ["claims.claim", "claims.release"]


@pytest.mark.parametrize("silent", [False, True], ids=["unknown", "silent"])
async def test_a_cluster_that_never_was_keeps_no_runtime_from_its_end(platform: Platform, silent: bool) -> None:
    nowhere = Unavailable("cluster-unknown", "cluster edge is not known (yet)")
    for each in ("claims.claim", "claims.release"):
        platform.fakes.fail(each, nowhere, times=10_000)
    hold = platform.fakes.hold("claims.release") if silent else None
    with hurried(refused_retry=0.5):
        handle = await started(platform, unique("shop"))
        await until(lambda: platform.retried(handle.id), "an attempt that failed")
        await handle.signal("remove")
        await handle.result()
    assert (await status_of(platform, handle)).phase == "Removed"
    assert hold is None or hold.begun.is_set()


async def test_declared_again_while_it_is_being_removed_it_is_there_afterwards(platform: Platform) -> None:
    product = unique("shop")
    handle = await started(platform, product)
    await until_phase(platform, handle, "Converged")
    hold = platform.fakes.hold("kubernetes.delete_owned")
    await handle.signal("remove")
    await hold.begun.wait()
    await handle.signal("specified", deployment(product))
    hold.release()
    await platform.called("kubernetes.health", 2)
    await until_phase(platform, handle, "Converged")
    assert len(platform.fakes.asked("claims.claim")) == 2


@pytest.mark.parametrize("where", ["claims.claim", "runtimes.prepare", "vault.ensure_runtime_role"])
async def test_a_place_that_was_interrupted_is_prepared_again(platform: Platform, where: str) -> None:
    product = unique("shop")
    hold = platform.fakes.hold(where)
    handle = await started(platform, product)
    await hold.begun.wait()
    await handle.signal("pushed", push())
    await until_phase(platform, handle, "Converged")
    assert len(platform.fakes.asked("claims.claim")) == 2
    assert platform.fakes.names()[-6:] == [
        "claims.claim",
        "runtimes.prepare",
        "vault.ensure_runtime_role",
        "git.fetch",
        "kubernetes.converge",
        "kubernetes.health",
    ]


@pytest.mark.parametrize("where", ["claims.claim", "kubernetes.converge", "kubernetes.health_changed"])
async def test_cancelled_from_outside_it_ends(platform: Platform, where: str) -> None:
    platform.fakes.answers["kubernetes.health"] = SICK
    hold = platform.fakes.hold(where)
    handle = await started(platform, unique("shop"))
    await hold.begun.wait()
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, CancelledError)
    hold.release()


async def test_nothing_is_lost_or_done_twice_when_its_history_starts_afresh(platform: Platform) -> None:
    product = unique("shop")
    platform.hurry(events_kept=50)
    handle = await started(platform, product)
    await until_phase(platform, handle, "Converged")
    old = push()
    await handle.signal("pushed", old)
    for number in range(6):
        platform.fakes.answers["git.fetch"] = f"{number:040x}"
        await handle.signal("pushed", push())
        await until_status(
            platform, handle, lambda found: found.converged_commit == platform.fakes.answers["git.fetch"]
        )
    await platform.began_afresh(handle.id)
    looked = len(platform.fakes.asked("git.fetch"))
    await handle.signal("pushed", old)
    await handle.signal("reconcile")
    await platform.called("git.fetch", looked + 1)
    await handle.signal("remove")
    await platform.handle(handle.id).result()
    assert len(platform.fakes.asked("claims.claim")) == 1
    assert len(platform.fakes.asked("git.fetch")) == looked + 1
