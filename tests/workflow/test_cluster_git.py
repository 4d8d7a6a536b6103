"""A cluster follows the tenant repository: what its file says, what is refused of it, and the end of its file."""

from __future__ import annotations

from nautes.messages.clusters import ClusterStanding
from nautes.messages.errors import Forbidden
from nautes.messages.products import FilesCommitted
from nautes.resources.findings import Finding
from tests.workflow.answers import HEAD, claim, manifest, registration, unique
from tests.workflow.clusters import granted, keep_claims, known, outside, ready, shown, started, submit, withdrawn
from tests.workflow.platform import Handle, Platform, hurried, until
from workflows.cluster_state import RegistrationReport

BAD, GOOD = "b" * 40, "d" * 40
WRONG = Finding(rule="cluster-worker-type", message="a worker needs a workerType", hint="set workerType")


async def _idle(platform: Platform, handle: Handle) -> bool:
    status = await shown(platform, handle)
    return not status.operation and not status.queued


async def test_what_the_rules_refuse_stands_in_the_status_and_beside_the_commit_and_changes_nothing(
    platform: Platform,
) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    platform.fakes.answers["clusters.check"] = [WRONG]
    await handle.signal("declared", known(cluster, BAD, workerType=""))
    operation = f"registration/{cluster}/git-{BAD[:12]}"
    report = await platform.result(operation, RegistrationReport)
    assert (report.state, report.registered.manifest) == ("refused", manifest(cluster))
    await until(lambda: _idle(platform, handle), "nothing queued")
    status = await shown(platform, handle)
    assert (status.phase, status.message, status.findings) == ("Ready", WRONG.message, [WRONG])
    (comment,) = platform.fakes.asked("gitlab.comment")
    assert (comment.project_id, comment.commit, comment.marker) == (9, BAD, operation)
    assert WRONG.message in comment.text and WRONG.hint in comment.text
    assert set(outside(platform)) == {"clusters.check", "gitlab.comment"}


async def test_a_comment_that_cannot_be_made_holds_nothing_up(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    platform.fakes.answers["clusters.check"] = [WRONG]
    platform.fakes.fail("gitlab.comment", Forbidden("gitlab-forbidden", "the platform may not comment"))
    await handle.signal("declared", known(cluster, BAD, workerType=""))
    report = await platform.result(f"registration/{cluster}/git-{BAD[:12]}", RegistrationReport)
    assert (report.state, report.findings) == ("refused", [WRONG])


async def test_a_person_is_told_in_the_answer_and_not_beside_a_commit(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    platform.fakes.answers["clusters.check"] = [WRONG]
    await platform.result(await submit(handle, registration(cluster)))
    assert "gitlab.comment" not in outside(platform)
    assert (await shown(platform, handle)).findings == []


async def test_what_was_refused_and_taken_back_in_git_is_tried_no_more(platform: Platform) -> None:
    with hurried(refused_retry=30.0):
        handle = await started(platform, cluster := unique("edge"), ready(cluster))
        platform.fakes.answers["clusters.check"] = [WRONG]
        bad = known(cluster, BAD, workerType="")
        await handle.signal("declared", bad)
        await until(lambda: _refused(platform, handle), "the finding in the status")
        await handle.signal("declared", bad.model_copy(update={"commit": "c" * 40}))  # said again: it waits already
        await handle.signal("declared", known(cluster, GOOD))
        await until(lambda: _clean(platform, handle), "no finding in the status")
    assert len(platform.fakes.asked("clusters.check")) == 1


async def _refused(platform: Platform, handle: Handle) -> bool:
    return bool((await shown(platform, handle)).findings) and await _idle(platform, handle)


async def _clean(platform: Platform, handle: Handle) -> bool:
    status = await shown(platform, handle)
    return not status.findings and not status.message


async def test_what_git_says_of_our_own_commit_is_no_second_operation(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"))
    whole = known(cluster, BAD, primaryDomain="edge.example.com")
    platform.fakes.answers["clusters.commit"] = {**_made(BAD), "manifest": whole.manifest}
    hold = platform.fakes.hold("components.install")
    operation = await submit(handle, registration(cluster))
    await hold.begun.wait()
    await handle.signal("declared", whole)  # the push of the commit is heard before the operation has ended
    hold.release()
    await platform.result(operation)
    await until(lambda: _idle(platform, handle), "nothing queued")
    await handle.signal("declared", whole.model_copy(update={"commit": GOOD}))  # somebody else's commit
    assert (await shown(platform, handle)).phase == "Ready"
    assert len(platform.fakes.asked("clusters.check")) == 1


def _made(commit: str) -> dict[str, object]:
    return FilesCommitted(commit=commit, changed=["edge.yaml"], made=True).model_dump()


async def test_a_cluster_whose_file_is_gone_is_removed(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    for _ in range(2):
        await handle.signal("declared", withdrawn(cluster, GOOD))
    report = await platform.result(f"registration/{cluster}/git-{GOOD[:12]}", RegistrationReport)
    assert [each.action for each in report.outcomes] == ["removed"]
    await handle.result()
    assert outside(platform)[0] == "clusters.standing"
    assert outside(platform)[-1] == "vault.drop_cluster"


async def test_a_file_that_came_back_meanwhile_keeps_its_cluster(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    platform.fakes.answers["clusters.standing"] = ClusterStanding(complete=True, declared=True)
    await handle.signal("declared", withdrawn(cluster, GOOD))
    report = await platform.result(f"registration/{cluster}/git-{GOOD[:12]}", RegistrationReport)
    assert [each.action for each in report.outcomes] == ["unchanged"]
    await until(lambda: _idle(platform, handle), "nothing queued")
    assert (await shown(platform, handle)).phase == "Ready"
    assert outside(platform) == ["clusters.standing"]


async def test_nothing_is_removed_while_the_tenant_repository_cannot_be_read_as_a_whole(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    platform.fakes.answers["clusters.standing"] = ClusterStanding(complete=False, declared=False)
    await handle.signal("declared", withdrawn(cluster, GOOD))
    report = await platform.result(f"registration/{cluster}/git-{GOOD[:12]}", RegistrationReport)
    assert (report.state, report.effects) == ("refused", [])
    await until(lambda: _refused(platform, handle), "the finding in the status")
    assert (await shown(platform, handle)).phase == "Ready"


async def test_a_used_cluster_outlives_its_file_until_nobody_uses_it(platform: Platform) -> None:
    with hurried(refused_retry=0.3):
        asking = keep_claims(platform, cluster := unique("edge"))
        handle = await started(platform, cluster, ready(cluster))
        await granted(platform, cluster)
        await asking.claim(claim("deployment/shop/web", "shop"))
        await asking.uses("test")
        await handle.signal("declared", withdrawn(cluster, GOOD))
        await until(lambda: _refused(platform, handle), "the finding in the status")
        status = await shown(platform, handle)
        assert [each.rule for each in status.findings] == ["cluster-in-use"] * 2
        assert status.message.endswith("is used by deployment/shop/web, environment/product-1/test")
        assert "environment/product-1/test" in platform.fakes.asked("gitlab.comment")[0].text
        assert "clusters.commit" not in outside(platform)
        await asking.release(claim("deployment/shop/web", "shop"))
        await asking.uses()
        await handle.result()
    assert outside(platform)[-1] == "vault.drop_cluster"


async def test_our_own_removal_is_not_repeated_because_git_tells_of_it(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    hold = platform.fakes.hold("components.remove")
    await submit(handle, registration(cluster, "remove"))
    await hold.begun.wait()
    await handle.signal("declared", withdrawn(cluster, GOOD))
    hold.release()
    await handle.result()
    assert not await platform.exists(f"registration/{cluster}/git-{GOOD[:12]}")


async def test_a_cluster_git_declared_in_vain_ends_with_its_file(platform: Platform) -> None:
    with hurried(refused_retry=30.0):
        handle = await started(platform, cluster := unique("edge"))
        platform.fakes.answers["clusters.check"] = [WRONG]
        await handle.signal("declared", known(cluster, HEAD))
        await until(lambda: _refused(platform, handle), "the finding in the status")
        assert (await shown(platform, handle)).phase == "Refused"
        await handle.signal("declared", withdrawn(cluster, GOOD))
        await handle.result()
    assert "clusters.commit" not in outside(platform)
