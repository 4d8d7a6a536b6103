"""One change: what it does in which order, and how it is refused, cancelled and undone."""

from __future__ import annotations

from typing import Any

import pytest

from nautes.messages.errors import Conflict, Refused, Unavailable
from nautes.messages.gitlab import Gone
from nautes.messages.operations import OperationStatus
from nautes.messages.products import ChangeInput, ChangeReport, FilesCommitted
from nautes.planning.repositories import group, repository, withdraw
from nautes.planning.steps import Outcome
from nautes.resources.findings import Finding
from nautes.resources.product import CodeRepo, Product
from tests.workflow import answers
from tests.workflow.answers import (
    COMMIT,
    PROJECT,
    all_ready,
    at_head,
    change,
    new_product,
    new_repositories,
    plan,
    unique,
)
from tests.workflow.platform import Handle, Platform, ended_with, hurried, until


async def _start(platform: Platform, product: str, action: str = "apply", **more: Any) -> Handle:
    request = change(product, action, **more)
    key = f"change/{product}/{request.operation}"
    await platform.start("Change", key, ChangeInput(request=request))
    return platform.handle(key, ChangeReport)


async def test_a_new_product_is_made_in_order_and_committed_once(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.plan"] = new_product(product, "code")
    platform.fakes.answers["products.read"] = at_head(product, answers.specified(answers.deployment(product)))
    report = await ended_with(await _start(platform, product))
    assert (report.state, report.commit, report.undone) == ("done", COMMIT, [])
    assert platform.fakes.names() == [
        "products.plan",
        "gitlab.ensure_group",
        "repositories.ensure",
        "products.commit_files",
        "products.read",
        "control.notify_runtimes",
    ]
    assert platform.fakes.asked("gitlab.ensure_group")[0].owner == answers.ADA
    assert {each.path: (each.permissions, each.api_access) for each in platform.fakes.set_up()} == {
        "default.project": (["readonly"], False),
        "code": (["readonly", "readwrite"], True),
    }
    assert {each.group_id for each in platform.fakes.set_up()} == {1}
    (files,) = platform.fakes.asked("products.commit_files")
    assert (files.group_id, files.project_id, files.repositories) == (1, answers.DECLARATION, {"code": PROJECT})


async def test_what_follows_from_our_own_commit_is_not_read_again(platform: Platform) -> None:
    product = unique("shop")
    spec = answers.deployment(product)
    platform.fakes.answers["products.commit_files"] = FilesCommitted(
        commit=COMMIT, changed=["x"], made=True, head=at_head(product, answers.specified(spec), commit=COMMIT)
    )
    report = await ended_with(await _start(platform, product))
    assert (report.state, report.head and report.head.commit) == ("done", COMMIT)
    assert platform.fakes.names() == ["products.plan", "products.commit_files", "control.notify_runtimes"]
    assert platform.fakes.asked("control.notify_runtimes")[0].deployments == [spec]


async def test_findings_of_the_plan_refuse_a_change_before_anything_is_done(platform: Platform) -> None:
    product = unique("shop")
    finding = Finding(rule="environment-unknown", message="environment test is not declared")
    platform.fakes.answers["products.plan"] = plan(findings=[finding])
    report = await ended_with(await _start(platform, product))
    assert (report.state, report.message, report.findings) == ("refused", finding.message, [finding])
    assert [each.action for each in report.outcomes] == ["refused"]
    assert platform.fakes.names() == ["products.plan"]


async def test_a_dry_run_answers_with_the_plan_and_does_nothing(platform: Platform) -> None:
    product = unique("shop")
    report = await ended_with(await _start(platform, product, dry_run=True))
    assert (report.state, report.outcomes) == ("planned", [Outcome(resource="Project/web", action="created")])
    assert platform.fakes.names() == ["products.plan"]


async def test_a_dry_run_is_refused_what_the_change_would_be_refused_and_reserves_nothing(platform: Platform) -> None:
    product = unique("shop")
    asked = [answers.reserve("edge", "web"), answers.access("owner")]
    platform.fakes.answers["products.plan"] = plan(*asked)
    assert (await ended_with(await _start(platform, product, dry_run=True))).state == "planned"
    assert platform.fakes.names() == ["products.plan", "claims.reserve", "control.request_access"]
    assert platform.fakes.asked("claims.reserve")[0].reserve.only_check
    assert platform.fakes.asked("control.request_access")[0].only_check
    taken = Finding(rule="namespace-taken", message="namespace web is used", resource="DeploymentRuntime/web")
    platform.fakes.fail("claims.reserve", Conflict("namespace-taken", taken.message, findings=[taken]))
    report = await ended_with(await _start(platform, product, dry_run=True))
    assert (report.state, report.findings, report.undone) == ("refused", [taken], [])
    platform.fakes.fail("claims.reserve", Unavailable("cluster-unavailable", "no answer"), times=1000)
    with hurried(retry_maximum=0.2):
        assert (await ended_with(await _start(platform, product, dry_run=True))).state == "planned"


async def test_a_refusal_in_the_middle_takes_back_what_was_done_newest_first(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.plan"] = plan(*new_repositories(product, "code", "docs"))
    platform.fakes.fail("products.commit_files", Refused("rules", "somebody declared it meanwhile"))
    report = await ended_with(await _start(platform, product))
    assert (report.state, report.message) == ("refused", "somebody declared it meanwhile")
    assert report.undone == ["repository docs", "repository code"]
    deleted = platform.fakes.asked("repositories.delete")
    assert [(each.path, each.ours) for each in deleted] == [(f"{product}/docs", True), (f"{product}/code", True)]


async def test_a_group_that_this_change_made_is_taken_back_and_one_that_was_there_is_not(platform: Platform) -> None:
    for found, undone in ((None, True), ({"id": 7, "name": "other"}, False)):
        product = unique("shop")
        before = len(platform.fakes.asked("gitlab.delete_group"))
        platform.fakes.answers["products.plan"] = plan(group(Product(name=product), found, "ada"))
        platform.fakes.fail("products.commit_files", Refused("rules", "no"))
        report = await ended_with(await _start(platform, product))
        assert (f"group {product}" in report.undone) is undone
        assert (len(platform.fakes.asked("gitlab.delete_group")) > before) is undone


async def test_a_step_whose_first_answer_was_lost_is_recorded_as_planned(platform: Platform) -> None:
    product = unique("shop")
    (step,) = new_repositories(product, "code")
    platform.fakes.answers["products.plan"] = plan(step)
    nothing = {"effects": [], "retried": True}
    platform.fakes.answers["repositories.ensure"] = lambda input: all_ready(input, **nothing)
    report = await ended_with(await _start(platform, product))
    assert report.effects[: len(step.effects)] == step.effects


async def test_settings_of_what_was_there_before_are_written_back_and_keys_are_withdrawn(platform: Platform) -> None:
    product = unique("shop")
    found = {"id": 42, "name": "old", "visibility": "private", "description": None}
    declared = CodeRepo(name="code", product=product, project="web")
    step = repository(product, declared, found, known=False, group_is_new=False)
    platform.fakes.answers["products.plan"] = plan(step)
    platform.fakes.fail("products.commit_files", Refused("rules", "no"))
    report = await ended_with(await _start(platform, product))
    assert report.undone == ["settings of repository code", "keys, token and webhook of repository code"]
    (former,) = platform.fakes.asked("gitlab.restore_settings")
    assert (former.kind, former.id, former.name, former.visibility, former.description) == (
        "projects",
        42,
        "old",
        None,
        None,
    )
    assert [each.project_id for each in platform.fakes.asked("repositories.withdraw")] == [42]
    assert platform.fakes.asked("repositories.delete") == []


async def test_what_cannot_be_taken_back_is_reported_and_the_rest_still_is(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.plan"] = plan(*new_repositories(product, "lib", "code", "docs"))
    platform.fakes.answers["repositories.delete"] = lambda input: Gone(removed=not input.path.endswith("/lib"))
    platform.fakes.fail("products.commit_files", Refused("rules", "no"))
    platform.fakes.fail("repositories.delete", Refused("protected", "the repository is protected"))
    report = await ended_with(await _start(platform, product))
    assert report.undone == ["could not take back repository docs: the repository is protected", "repository code"]
    assert len(platform.fakes.asked("repositories.delete")) == 3, "what was not there is no line"


WAITS = [
    "products.plan",
    "gitlab.ensure_group",
    "claims.reserve",
    "repositories.ensure",
    "products.commit_files",
]


@pytest.mark.parametrize("where", WAITS)
@pytest.mark.parametrize("deaf", [False, True], ids=["stopped", "too late"])
async def test_a_cancelled_change_is_undone_wherever_it_waits(platform: Platform, where: str, deaf: bool) -> None:
    """`too late`: the call succeeds although the cancellation came while it was under way."""
    if where == "products.commit_files" and deaf:
        return await _past_the_commit(platform)
    product = unique("shop")
    reservation = answers.reserve("edge", "web", new_group=True)
    platform.fakes.answers["products.plan"] = new_product(product, "code", more=[reservation])
    hold = platform.fakes.hold(where, deaf=deaf)
    handle = await _start(platform, product)
    await hold.begun.wait()
    await handle.cancel()
    if deaf:
        await until(lambda: platform.cancel_heard(handle), "the cancellation in history")
        hold.release()
    report = await ended_with(handle)
    assert (report.state, report.message) == ("cancelled", "cancelled")
    assert "control.notify_runtimes" not in platform.fakes.names()
    asked = [each for each in WAITS[: WAITS.index(where) + 1] if each != "products.plan"]
    assert bool(platform.fakes.asked("gitlab.delete_group")) == ("gitlab.ensure_group" in asked)
    assert bool(platform.fakes.asked("repositories.delete")) == (where not in WAITS[:2])
    if deaf and where != "products.commit_files":
        assert platform.fakes.names().count(where) == 1
    return None


async def _past_the_commit(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.plan"] = new_product(product, "code")
    hold = platform.fakes.hold("products.commit_files", deaf=True)
    handle = await _start(platform, product)
    await hold.begun.wait()
    await handle.cancel()
    await until(lambda: platform.cancel_heard(handle), "the cancellation in history")
    hold.release()
    report = await ended_with(handle)
    assert (report.state, report.undone) == ("done", [])
    assert "gitlab.delete_group" not in platform.fakes.names()


async def test_a_commit_that_was_stopped_but_had_happened_is_carried_out(platform: Platform) -> None:
    product = unique("shop")
    before = new_product(product, "code")
    after = plan(head=COMMIT, outcomes=[Outcome(resource="Project/web", action="unchanged")])
    platform.fakes.answers["products.plan"] = before
    hold = platform.fakes.hold("products.commit_files")
    handle = await _start(platform, product)
    await hold.begun.wait()
    platform.fakes.answers["products.plan"] = after
    await handle.cancel()
    report = await ended_with(handle)
    assert (report.state, report.commit, report.undone) == ("done", COMMIT, [])
    assert "gitlab.delete_group" not in platform.fakes.names()


async def test_nothing_is_taken_back_once_it_is_committed(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.plan"] = new_product(product, "code")
    platform.fakes.answers["products.read"] = at_head(product, answers.specified(answers.deployment(product)))
    hold = platform.fakes.hold("control.notify_runtimes")
    handle = await _start(platform, product)
    await hold.begun.wait()
    await handle.cancel()
    await until(lambda: platform.cancel_heard(handle), "the cancellation in history")
    hold.release()
    report = await ended_with(handle)
    assert (report.state, report.undone) == ("done", [])
    assert "gitlab.delete_group" not in platform.fakes.names()


async def test_the_undo_itself_cannot_be_cancelled(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.plan"] = new_product(product, "code")
    platform.fakes.fail("products.commit_files", Refused("rules", "no"))
    hold = platform.fakes.hold("repositories.delete")
    handle = await _start(platform, product)
    await hold.begun.wait()
    await handle.cancel()
    await until(lambda: platform.cancel_heard(handle), "the cancellation in history")
    hold.release()
    report = await ended_with(handle)
    assert report.undone[-1] == f"group {product}"
    assert len(report.undone) == 3
    assert not hold.cancelled.is_set()


async def test_an_outage_is_shown_and_retried_until_it_ends(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.fail("products.commit_files", Unavailable("gitlab-unavailable", "GitLab answers 503"), times=10_000)
    handle = await _start(platform, product)
    shown = await until(lambda: platform.retried(handle.id), "an attempt that failed")
    assert (shown[0], shown[2]) == ("products.commit_files", "GitLab answers 503")
    assert (await platform.shown(handle.id, OperationStatus)).step == "Commit"
    platform.fakes.mend("products.commit_files")
    assert (await ended_with(handle)).state == "done"


async def test_a_change_is_cancelled_while_it_waits_for_an_outage_to_end(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.plan"] = new_product(product, "code")
    platform.fakes.fail("repositories.ensure", Unavailable("vault-unavailable", "Vault is sealed"), times=10_000)
    handle = await _start(platform, product)
    await until(lambda: platform.retried(handle.id), "an attempt that failed")
    await handle.cancel()
    report = await ended_with(handle)
    assert (report.state, report.undone) == (
        "cancelled",
        ["repository code", "repository default.project", f"group {product}"],
    )


async def test_a_head_that_keeps_moving_refuses_and_undoes(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.plan"] = plan(*new_repositories(product, "code"))
    platform.fakes.fail("products.commit_files", Conflict("head-moves", "others keep committing to default.project"))
    report = await ended_with(await _start(platform, product))
    assert (report.state, report.message) == ("refused", "others keep committing to default.project")
    assert "repository code" in report.undone


async def test_a_tree_that_agrees_already_is_no_effect(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.commit_files"] = FilesCommitted(commit=answers.HEAD, changed=[], made=False)
    report = await ended_with(await _start(platform, product))
    assert (report.state, report.effects) == ("done", [])


async def test_a_product_is_removed_in_reverse(platform: Platform) -> None:
    product = unique("shop")
    key = "DeploymentRuntime/web"
    platform.fakes.answers["products.plan"] = answers.removal(product, "code", runtimes=[key], group=True)
    platform.fakes.answers["products.read"] = at_head(product, answers.gone(key))
    report = await ended_with(await _start(platform, product, "remove"))
    assert report.state == "done"
    assert report.head is not None and not report.head.exists
    assert platform.fakes.names() == [
        "products.plan",
        "products.commit_files",
        "products.read",
        "control.notify_runtimes",
        "control.ended",
        "repositories.delete",
        "repositories.delete",
        "gitlab.delete_group",
    ]
    assert platform.fakes.asked("control.ended") == [f"deployment/{product}/web"]
    assert [(each.path, each.ours) for each in platform.fakes.asked("repositories.delete")] == [
        (f"{product}/code", False),
        (f"{product}/default.project", False),
    ]


async def test_a_removal_that_is_cancelled_after_its_commit_says_so(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.plan"] = answers.removal(product, "code", runtimes=["DeploymentRuntime/web"])
    hold = platform.fakes.hold("control.ended")
    handle = await _start(platform, product, "remove")
    await hold.begun.wait()
    await handle.cancel()
    report = await ended_with(handle)
    assert (report.state, report.commit, report.undone) == ("cancelled", COMMIT, [])
    assert report.message.startswith("cancelled after its commit")
    assert "repositories.delete" not in platform.fakes.names()


async def test_a_repository_is_deleted_only_after_its_runtimes_have_ended(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.plan"] = answers.removal(product, "code", runtimes=["DeploymentRuntime/web"])
    hold = platform.fakes.hold("control.ended")
    handle = await _start(platform, product, "remove")
    await hold.begun.wait()
    assert "repositories.delete" not in platform.fakes.names()
    status = await platform.shown(handle.id, OperationStatus)
    assert status.step == "The end of DeploymentRuntime/web"
    hold.release()
    assert (await ended_with(handle)).state == "done"
    assert platform.fakes.names()[-1] == "repositories.delete"


async def test_a_repository_that_is_deleted_does_not_lose_its_keys_first(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.plan"] = answers.removal(product, "code")
    platform.fakes.answers["products.read"] = at_head(
        product, withdraw(product, "code", PROJECT), withdraw(product, "left", 77)
    )
    assert (await ended_with(await _start(platform, product, "remove"))).state == "done"
    assert [each.project_id for each in platform.fakes.asked("repositories.withdraw")] == [77]
    assert [each.project_id for each in platform.fakes.asked("repositories.delete")] == [PROJECT]
