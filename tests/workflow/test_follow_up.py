"""What follows from a commit, ours or a person's: repositories, keys, clusters, other products and runtimes get what changed."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateStage

from nautes.messages.declarations import AccessRequest, Author
from nautes.messages.errors import Conflict, Forbidden, Refused, Unavailable
from nautes.messages.gitlab import RepositoriesReady
from nautes.messages.operations import Accepted
from nautes.messages.products import ChangeInput, ChangeReport, HeadReport, ProductInput
from nautes.messages.status import ProductStatus
from nautes.planning.known import Consumer, KeyGrant, Known, RepositoryUse
from nautes.planning.repositories import declaration, withdraw
from nautes.planning.steps import Outcome
from nautes.resources.findings import Finding
from tests.workflow import answers
from tests.workflow.answers import DECLARATION, HEAD, PROJECT, at_head, change, plan, push, unique
from tests.workflow.platform import Handle, Platform, ended_with, hurried, until

ARRIVED = "c" * 40


LOST = Finding(
    rule="environment-cluster-unknown", message="cluster nowhere is not registered", resource="Environment/lost"
)


async def _followed(platform: Platform, product: str, report: HeadReport, **more: Any) -> ChangeReport:
    """A push to the declaration, at whose head this was found."""
    request = change(product, "push", manifests=[])
    key = f"change/{product}/{request.operation}"
    await platform.start("Change", key, ChangeInput(request=request, head=report, **more))
    found: ChangeReport = await ended_with(platform.handle(key, ChangeReport))
    return found


async def test_a_push_is_carried_out_without_a_plan_or_a_commit(platform: Platform) -> None:
    product = unique("shop")
    report = at_head(
        product,
        answers.specified(answers.deployment(product)),
        outcomes=[Outcome(resource="Project/web", action="created")],
    )
    ended = await _followed(platform, product, report, known=Known(accepted=HEAD))
    assert (ended.state, ended.commit, [each.action for each in ended.outcomes]) == ("done", HEAD, ["created"])
    assert platform.fakes.names() == ["control.notify_runtimes"], "what the product has read is not read again"


async def test_what_does_not_take_effect_is_said_beside_the_commit_once(platform: Platform) -> None:
    product = unique("shop")
    outcome = Outcome(resource="Environment/lost", action="refused", detail=LOST.message)
    report = at_head(product, commit=ARRIVED, refused=[LOST], findings=[LOST], outcomes=[outcome])
    ended = await _followed(platform, product, report, known=Known(accepted=HEAD))
    assert (ended.state, ended.findings, ended.outcomes) == ("refused", [LOST], [outcome])
    (said,) = platform.fakes.asked("gitlab.comment")
    assert (said.project_id, said.commit) == (DECLARATION, ARRIVED)
    assert "Environment/lost" in said.text and "nowhere is not registered" in said.text


async def test_new_repositories_are_equipped_and_withdrawn_ones_lose_it(platform: Platform) -> None:
    product = unique("shop")
    report = at_head(
        product,
        answers.equipped(product, "code"),
        withdraw(product, "old", 77),
        known=Known(accepted=HEAD, repositories={"code": PROJECT}),
    )
    await _followed(platform, product, report, known=Known(accepted=HEAD, repositories={"old": 77}))
    assert sorted(platform.fakes.names()) == ["repositories.ensure", "repositories.withdraw"]
    assert platform.fakes.asked("repositories.withdraw")[0].project_id == 77
    (made,) = platform.fakes.set_up()
    assert (made.project_id, made.settings, made.api_access, made.new) == (PROJECT, False, True, False)


async def test_a_first_look_equips_the_declaration_itself(platform: Platform) -> None:
    product = unique("shop")
    await _followed(platform, product, at_head(product, declaration(product, DECLARATION, group_is_new=False)))
    assert platform.fakes.names() == ["repositories.ensure"]
    (made,) = platform.fakes.set_up()
    assert (made.project_id, made.permissions, made.api_access) == (DECLARATION, ["readonly"], False)


async def test_keys_clusters_and_neighbours_hear_what_concerns_them(platform: Platform) -> None:
    product = unique("shop")
    grant = KeyGrant(project_id=42, permission="readonly")
    agreement = RepositoryUse(product=product, repository="owner/lib", permissions="readonly")
    report = at_head(
        product,
        answers.opened(product, "code", grant),
        answers.standing("edge", "test", runtimes=["DeploymentRuntime/web"]),
        answers.reported("owner", agreement),
    )
    await _followed(platform, product, report, known=Known(accepted=HEAD))
    assert platform.fakes.asked("repositories.ensure_foreign_keys")[0].wanted == [grant]
    (uses,) = platform.fakes.asked("claims.uses")
    assert (uses.cluster, uses.uses.product, uses.uses.environments) == ("edge", product, ["test"])
    assert uses.uses.runtimes == [f"deployment/{product}/web"]
    assert platform.fakes.asked("control.report_use") == [
        AccessRequest(owner="owner", product=product, wanted=[agreement])
    ]


async def test_a_cluster_that_does_not_answer_stops_nothing_and_is_told_later(platform: Platform) -> None:
    product = unique("shop")
    report = at_head(
        product,
        answers.standing("edge", "test"),
        answers.specified(answers.deployment(product)),
        known=Known(accepted=HEAD, clusters={"edge": ["test"]}),
    )
    gone = Unavailable("cluster-unknown", "cluster edge is not known (yet)")
    with hurried(refused_retry=0.3):
        platform.fakes.fail("claims.uses", gone, times=1000)
        ended = await _followed(platform, product, report, known=Known(accepted=HEAD))
    assert ended.state == "done" and "control.notify_runtimes" in platform.fakes.names()
    assert ended.head is not None
    assert (ended.head.known.clusters, ended.head.known.pending) == ({}, True)


async def test_the_first_date_on_which_something_runs_out_is_known(platform: Platform) -> None:
    product = unique("shop")
    dates = {"a": "2027-02-01", "b": "2027-01-01"}
    platform.fakes.answers["repositories.ensure"] = lambda input: RepositoriesReady(
        repositories=[answers.ready(each, expires_at=dates[each.path]) for each in input.repositories]
    )
    known = Known(accepted=HEAD, repositories={"a": 1, "b": 2}, renew="2027-03-01")
    steps = [answers.equipped(product, "a", 1), answers.equipped(product, "b", 2)]
    report = at_head(product, *steps, known=known)
    ended = await _followed(platform, product, report, known=Known(accepted=HEAD))
    assert ended.head is not None and ended.head.known.renew == "2027-01-01"


# Asked before the commit


async def _apply(platform: Platform, product: str, **more: Any) -> ChangeReport:
    request = change(product, **more)
    key = f"change/{product}/{request.operation}"
    await platform.start("Change", key, ChangeInput(request=request))
    found: ChangeReport = await ended_with(platform.handle(key, ChangeReport))
    return found


async def test_clusters_are_asked_before_the_commit_in_the_name_of_the_group_that_was_just_made(
    platform: Platform,
) -> None:
    product = unique("shop")
    reservation = answers.reserve("edge", "web", environments=["test"], new_group=True)
    platform.fakes.answers["products.plan"] = answers.new_product(product, more=[reservation])
    assert (await _apply(platform, product)).state == "done"
    names = platform.fakes.names()
    assert names.index("gitlab.ensure_group") < names.index("claims.reserve") < names.index("products.commit_files")
    (input,) = platform.fakes.asked("claims.reserve")
    assert (input.cluster, input.reserve.product_id) == ("edge", "product-1")
    assert input.reserve.environments == ["test"]
    assert [(each.product_id, each.runtime, each.namespaces) for each in input.reserve.claims] == [
        ("product-1", f"deployment/{product}/web", ["web"])
    ]


async def test_a_namespace_that_is_taken_refuses_the_change_and_gives_the_rest_back(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.plan"] = plan(answers.reserve("edge", "web"), answers.reserve("far", "web"))
    platform.fakes.answers["claims.reserve"] = _only_edge
    ended = await _apply(platform, product)
    assert (ended.state, [each.rule for each in ended.findings]) == ("refused", ["namespace-taken"])
    assert [each.cluster for each in platform.fakes.asked("claims.unreserve")] == ["far", "edge"]
    assert "products.commit_files" not in platform.fakes.names()


def _only_edge(input: Any) -> Any:
    if input.cluster != "edge":
        raise Conflict("namespace-taken", "namespace web of cluster far is used by deployment/other/web")
    return answers.reserved(input)


async def test_whoever_skips_the_rules_asks_nobody(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.plan"] = plan(answers.reserve("edge", "web"), answers.access("owner"))
    assert (await _apply(platform, product, skip_check=True)).state == "done"
    assert not {"claims.reserve", "control.request_access"} & set(platform.fakes.names())


async def test_an_owner_that_does_not_open_refuses_the_change(platform: Platform) -> None:
    product = unique("shop")
    wanted = RepositoryUse(product=product, repository="owner/lib", permissions="readonly")
    platform.fakes.answers["products.plan"] = plan(answers.access("owner", wanted))
    platform.fakes.fail(
        "control.request_access", Refused("foreign-unknown", "there is no repository owner/lib that is opened")
    )
    ended = await _apply(platform, product)
    assert (ended.state, [each.rule for each in ended.findings]) == ("refused", ["foreign-unknown"])
    assert platform.fakes.asked("control.report_use") == [AccessRequest(owner="owner", product=product)]


# The product


async def _started(platform: Platform, product: str) -> Handle:
    handle = await platform.start("Product", f"product/{product}", ProductInput(path=product))

    async def idle() -> bool:
        found = await platform.shown(handle.id, ProductStatus)
        return bool(found.id) and found.phase == "Idle"

    await until(idle, "an idle product")
    return handle


def _access_request(product: str, guest: str) -> AccessRequest:
    consumer = Consumer(repository=f"{guest}/app", project_id=5)
    wanted = RepositoryUse(product=guest, repository=f"{product}/code", permissions="readonly", consumers=[consumer])
    return AccessRequest(owner=product, product=guest, wanted=[wanted])


async def test_a_product_remembers_who_uses_it_and_its_next_change_knows(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.read"] = at_head(product)
    handle = await _started(platform, product)
    access_request = _access_request(product, "guest")
    await handle.execute_update("request_access", access_request, result_type=Accepted)
    accepted = await handle.execute_update("submit", change(product), result_type=Accepted)
    await platform.result(accepted.operation)
    assert platform.fakes.asked("products.opened")[0].uses == access_request.wanted
    assert platform.fakes.asked("products.plan")[0].known.foreign_uses == access_request.wanted


async def test_a_product_that_is_being_changed_opens_nothing(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.read"] = at_head(product)
    handle = await _started(platform, product)
    hold = platform.fakes.hold("products.plan")
    await handle.execute_update("submit", change(product), result_type=Accepted)
    await hold.begun.wait()
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update("request_access", _access_request(product, "guest"), result_type=Accepted)
    assert "is being changed" in str(caught.value.cause)
    hold.release()


async def test_a_change_waits_until_a_request_for_access_is_decided(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.read"] = at_head(product)
    handle = await _started(platform, product)
    hold = platform.fakes.hold("products.opened")
    loan = await handle.start_update(
        "request_access",
        _access_request(product, "guest"),
        result_type=Accepted,
        wait_for_stage=WorkflowUpdateStage.ACCEPTED,
    )
    await hold.begun.wait()
    accepted = await handle.execute_update("submit", change(product), result_type=Accepted)
    assert "products.plan" not in platform.fakes.names()
    hold.release()
    await loan.result()
    await platform.result(accepted.operation)
    assert platform.fakes.asked("products.plan")[0].known.foreign_uses == _access_request(product, "guest").wanted


async def test_what_others_say_they_use_is_looked_at(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.read"] = at_head(product)
    handle = await _started(platform, product)
    access_request = _access_request(product, "guest")
    await handle.signal("use_reported", access_request)
    await platform.called("products.read", 2)
    assert platform.fakes.asked("products.read")[-1].known.foreign_uses == access_request.wanted


async def test_what_is_held_is_looked_at_again_after_a_while(platform: Platform) -> None:
    product = unique("shop")
    held = Known(accepted=HEAD, held={"Environment/lost": ""})
    with hurried(refused_retry=0.1):
        platform.fakes.answers["products.read"] = at_head(product, known=held, refused=[LOST], findings=[LOST])
        await _started(platform, product)
        await platform.called("products.read", 4)
        assert len(platform.fakes.asked("gitlab.comment")) == 1
        platform.fakes.answers["products.read"] = at_head(
            product, answers.standing("edge", "lost"), known=Known(accepted=HEAD)
        )
        await platform.called("claims.uses")


async def test_a_push_that_cannot_be_carried_out_is_tried_again_after_a_while_and_not_at_once(
    platform: Platform,
) -> None:
    product = unique("shop")
    with hurried(refused_retry=0.3):
        platform.fakes.fail("control.notify_runtimes", Forbidden("token", "the platform's token is gone"), times=2)
        platform.fakes.answers["products.read"] = at_head(product, answers.specified(answers.deployment(product)))
        await _started(platform, product)
    assert len(platform.fakes.asked("control.notify_runtimes")) == 3
    assert len(platform.fakes.asked("products.read")) == 3, "one look each time"


async def test_what_is_committed_is_done_although_somebody_refuses_what_follows(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.fail("control.notify_runtimes", Forbidden("token", "the platform's token is gone"))
    platform.fakes.answers["products.read"] = at_head(product, answers.specified(answers.deployment(product)))
    ended = await _apply(platform, product)
    assert (ended.state, ended.undone, ended.head) == ("done", [], None)
    assert "the platform's token is gone" in ended.message


async def test_a_look_that_fails_is_repeated_after_a_while_and_not_at_once(platform: Platform) -> None:
    product = unique("shop")
    with hurried(refused_retry=0.2):
        platform.fakes.fail("products.read", Refused("token", "the platform's token is gone"))
        platform.fakes.answers["products.read"] = at_head(product, known=Known(accepted=HEAD))
        await _started(platform, product)
    assert len(platform.fakes.asked("products.read")) == 2


async def test_keys_that_run_out_are_renewed_when_the_sweep_says_so(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.read"] = at_head(product, known=Known(accepted=HEAD, renew="2027-01-01"))
    handle = await _started(platform, product)
    platform.fakes.answers["products.read"] = at_head(
        product, answers.equipped(product, "code"), known=Known(accepted=HEAD, repositories={"code": PROJECT})
    )
    await handle.signal("renew")
    await platform.called("repositories.ensure")
    assert [each.renew for each in platform.fakes.asked("products.read")] == [False, True]


async def test_the_sweep_for_lifetime_is_one_listing_for_products_and_one_for_staged_secrets(
    platform: Platform,
) -> None:
    handle = await platform.client.start_workflow("CredentialSweep", id=unique("sweep"), task_queue=platform.queue)
    assert await ended_with(handle) == 1
    assert platform.fakes.names() == ["vault.discard_forgotten", "control.renew_due"]


async def test_a_push_by_plain_git_runs_in_the_name_of_its_author(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.read"] = at_head(product, known=Known(accepted=HEAD))
    handle = await _started(platform, product)
    outcome = Outcome(resource="Project/web", action="created")
    news = at_head(
        product,
        commit=ARRIVED,
        known=Known(accepted=ARRIVED),
        outcomes=[outcome],
        author=Author(name="Ada", email="ada@example.com"),
    )
    platform.fakes.answers["products.read"] = news
    await handle.signal("pushed", push(DECLARATION, repository=f"{product}/default.project", after=ARRIVED))
    ended = await platform.result(f"change/{product}/git-{ARRIVED[:12]}", ChangeReport)
    assert (ended.state, ended.outcomes) == ("done", [outcome])


async def test_a_change_that_waits_for_a_push_to_be_carried_out_is_queued_for_everybody_to_see(
    platform: Platform,
) -> None:
    product = unique("shop")
    platform.fakes.answers["products.read"] = at_head(product, known=Known(accepted=HEAD))
    handle = await _started(platform, product)
    hold = platform.fakes.hold("control.notify_runtimes")
    spec = answers.deployment(product)
    news = at_head(product, answers.specified(spec), commit=ARRIVED, known=Known(accepted=ARRIVED))
    platform.fakes.answers["products.read"] = news
    await handle.signal("pushed", push(DECLARATION, repository=f"{product}/default.project", after=ARRIVED))
    await hold.begun.wait()
    accepted = await handle.execute_update("submit", change(product), result_type=Accepted)
    status = await platform.shown(handle.id, ProductStatus)
    assert (status.operation, status.queued) == (f"change/{product}/git-{ARRIVED[:12]}", [accepted.operation])
    hold.release()
    assert (await platform.result(accepted.operation, ChangeReport)).state == "done"


async def test_an_outage_of_the_owner_is_borne_only_for_a_while(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.plan"] = plan(answers.access("owner"))
    platform.fakes.fail("control.request_access", Unavailable("owner-busy", "owner is being changed"), times=2)
    assert (await _apply(platform, product)).state == "done"
    assert len(platform.fakes.asked("control.request_access")) == 3
