"""The executor of a change: needs, side by side, bounds, and what becomes of the others when one step fails or is stopped."""

from __future__ import annotations

import asyncio
from typing import Any

from nautes.messages.errors import Refused
from nautes.messages.gitlab import Gone, RepositoriesReady, RepositorySetups, WithdrawInput
from nautes.messages.operations import OperationStatus
from nautes.messages.products import ChangeInput, ChangeReport, FilesCommitted
from nautes.planning.repositories import withdraw
from nautes.planning.steps import Step
from tests.workflow import answers
from tests.workflow.answers import COMMIT, PROJECT, at_head, change, new_product, new_repositories, plan, unique
from tests.workflow.platform import Handle, Platform, ended_with, until
from workflows.executor import AT_ONCE


class Held:
    """Answers for what is done to repositories that all wait until they are let go; it knows how many wait at once."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._open = asyncio.Event()
        self.waiting: list[str] = []
        self.most = 0
        platform.fakes.answers["repositories.withdraw"] = self._withdrawn
        platform.fakes.answers["repositories.ensure"] = self._set_up

    async def _withdrawn(self, input: WithdrawInput) -> Gone:
        await self._wait([input.path])
        return Gone(removed=True)

    async def _set_up(self, input: RepositorySetups) -> RepositoriesReady:
        await self._wait([each.path for each in input.repositories])
        return answers.all_ready(input)

    async def _wait(self, paths: list[str]) -> None:
        self.waiting += paths
        self.most = max(self.most, len(self.waiting))
        try:
            await self._open.wait()
        finally:
            self.waiting = [each for each in self.waiting if each not in paths]

    def release(self) -> None:
        """All of them end, and those that come later end at once."""
        self._open.set()

    async def so_many(self, number: int) -> None:
        """Wait until so many wait."""
        await until(lambda: len(self.waiting) >= number, f"{number} at once; calls: {self._platform.fakes.names()}")


async def _start(platform: Platform, product: str, *steps: Step, **more: Any) -> Handle:
    platform.fakes.answers["products.plan"] = plan(*steps, **more)
    request = change(product)
    key = f"change/{product}/{request.operation}"
    await platform.start("Change", key, ChangeInput(request=request))
    return platform.handle(key, ChangeReport)


def _names(number: int) -> list[str]:
    return [f"code{each:02}" for each in range(number)]


def _withdrawn(product: str, *names: str) -> list[Step]:
    """Steps of one system, each performed by a call of its own."""
    return [withdraw(product, each, PROJECT) for each in names]


def _set_up(platform: Platform) -> list[str]:
    return [each.path for each in platform.fakes.set_up()]


def _paths(platform: Platform, name: str) -> list[str]:
    return [each.path.rpartition("/")[2] for each in platform.fakes.asked(name)]


async def test_steps_that_need_nothing_of_each_other_run_side_by_side_up_to_the_bound(platform: Platform) -> None:
    product, names = unique("shop"), _names(AT_ONCE + 3)
    held = Held(platform)
    handle = await _start(platform, product, *_withdrawn(product, *names))
    await held.so_many(AT_ONCE)
    status = await platform.shown(handle.id, OperationStatus)
    assert (
        status.step
        == f"Repository {product}/code00, repository {product}/code01, repository {product}/code02 and 5 more"
    )
    held.release()
    report = await ended_with(handle)
    assert (report.state, held.most) == ("done", AT_ONCE)
    assert sorted(_paths(platform, "repositories.withdraw")) == names
    assert len([each for each in report.effects if each.target.startswith("webhook ")]) == len(names)


async def test_the_bound_holds_for_each_system_by_itself(platform: Platform) -> None:
    product, names = unique("shop"), _names(AT_ONCE)
    held = Held(platform)
    steps = [*_withdrawn(product, *names), answers.reserve("edge", "web"), answers.access("owner")]
    handle = await _start(platform, product, *steps)
    await held.so_many(AT_ONCE)
    await platform.called("claims.reserve")
    await platform.called("control.request_access")
    assert "products.commit_files" not in platform.fakes.names()
    held.release()
    assert (await ended_with(handle)).state == "done"


async def test_a_step_begins_only_when_what_it_needs_is_done(platform: Platform) -> None:
    product = unique("shop")
    held = Held(platform)
    first, second, third = _withdrawn(product, "first", "second", "third")
    chain = [first, _needing(second, first), _needing(third, second)]
    handle = await _start(platform, product, *chain, answers.reserve("edge", "web"))
    await held.so_many(1)
    await platform.called("claims.reserve")
    assert _paths(platform, "repositories.withdraw") == ["first"]
    held.release()
    assert (await ended_with(handle)).state == "done"
    assert _paths(platform, "repositories.withdraw") == ["first", "second", "third"]
    assert held.most == 1


def _needing(step: Step, *needed: Step) -> Step:
    return step.model_copy(update={"needs": [each.id for each in needed]})


async def test_a_refusal_stops_the_others_and_waits_for_them_before_the_undo_begins(platform: Platform) -> None:
    product = unique("shop")
    hold = platform.fakes.hold("repositories.ensure", deaf=True)
    platform.fakes.fail("claims.reserve", Refused("namespace-taken", "namespace web is used by deployment/other/web"))
    steps = [*new_repositories(product, "code"), answers.reserve("edge", "web")]
    handle = await _start(platform, product, *steps)
    await hold.begun.wait()
    await until(lambda: _asked_to_stop(platform, handle), "the others are asked to stop")
    assert not {"repositories.delete", "claims.unreserve"} & set(platform.fakes.names())
    hold.release()
    report = await ended_with(handle)
    assert (report.state, [each.rule for each in report.findings]) == ("refused", ["namespace-taken"])
    assert report.undone == ["repository code"]
    assert platform.fakes.names()[-2:] == ["claims.unreserve", "repositories.delete"]
    assert "products.commit_files" not in platform.fakes.names()


async def _asked_to_stop(platform: Platform, handle: Handle) -> bool:
    """Whether the workflow has asked for the cancellation of an activity."""
    kinds = [each.WhichOneof("attributes") async for each in handle.fetch_history_events()]
    return "activity_task_cancel_requested_event_attributes" in kinds


async def test_what_has_not_begun_when_a_step_is_refused_does_not_begin(platform: Platform) -> None:
    product, names = unique("shop"), _names(AT_ONCE + 4)
    refused = Refused("repository-closed", "its repositories are not open")
    platform.fakes.fail("control.request_access", refused, times=len(names))
    report = await ended_with(await _start(platform, product, *map(answers.access, names)))
    assert (report.state, report.message) == ("refused", "its repositories are not open")
    begun = {each.owner for each in platform.fakes.asked("control.request_access")}
    assert 0 < len(begun) <= AT_ONCE
    undone = {each.owner for each in platform.fakes.asked("control.report_use")}
    assert begun <= undone and len(undone) <= AT_ONCE
    assert {each.removeprefix("use of ") for each in report.undone} == undone


async def test_repositories_that_are_ready_are_set_up_by_one_call_and_all_taken_back_when_one_is_refused(
    platform: Platform,
) -> None:
    product, names = unique("shop"), _names(20)
    platform.fakes.fail("repositories.ensure", Refused("gitlab-refused", "the name is taken"))
    report = await ended_with(await _start(platform, product, *new_repositories(product, *names)))
    assert (report.state, report.message) == ("refused", "the name is taken")
    assert (len(platform.fakes.asked("repositories.ensure")), _set_up(platform)) == (1, names)
    assert _paths(platform, "repositories.delete") == names[::-1]
    assert report.undone == [f"repository {each}" for each in reversed(names)]


async def test_a_cancellation_while_several_steps_run_takes_all_of_them_back(platform: Platform) -> None:
    product, names = unique("shop"), _names(4)
    held = Held(platform)
    made = new_product(product, *names)
    handle = await _start(platform, product, *made.steps[:-1], head="", group_id=0, project_id=0)
    await held.so_many(5)
    await handle.cancel()
    report = await ended_with(handle)
    assert report.state == "cancelled"
    expected = [f"repository {each}" for each in (*reversed(names), "default.project")]
    assert report.undone == [*expected, f"group {product}"]
    assert held.waiting == [], "nothing runs any more"
    assert sorted(_paths(platform, "repositories.delete")) == sorted([*names, "default.project"])
    assert platform.fakes.names()[-1] == "gitlab.delete_group"


async def test_a_commit_that_succeeded_while_the_cancellation_came_is_followed_and_not_taken_back(
    platform: Platform,
) -> None:
    product = unique("shop")
    spec = answers.deployment(product)
    platform.fakes.answers["products.commit_files"] = FilesCommitted(
        commit=COMMIT, changed=["x"], made=True, head=at_head(product, answers.specified(spec), commit=COMMIT)
    )
    hold = platform.fakes.hold("products.commit_files", deaf=True)
    handle = await _start(platform, product, *new_repositories(product, "code"))
    await hold.begun.wait()
    await handle.cancel()
    await until(lambda: platform.cancel_heard(handle), "the cancellation in history")
    hold.release()
    report = await ended_with(handle)
    assert (report.state, report.commit, report.undone) == ("done", COMMIT, [])
    assert platform.fakes.asked("control.notify_runtimes")[0].deployments == [spec]
    assert not {"repositories.delete", "products.read"} & set(platform.fakes.names())


async def test_a_step_that_was_done_before_the_commit_is_not_done_again_after_it(platform: Platform) -> None:
    product = unique("shop")
    follow_up = [answers.equipped(product, "code"), answers.equipped(product, "pushed", 77)]
    platform.fakes.answers["products.read"] = at_head(product, *follow_up)
    handle = await _start(platform, product, *new_repositories(product, "code"))
    assert (await ended_with(handle)).state == "done"
    assert _set_up(platform) == ["code", "pushed"]


async def test_all_runtimes_that_are_ready_are_notified_by_one_call_after_what_they_need(platform: Platform) -> None:
    product = unique("shop")
    equipped = answers.equipped(product, "code")
    runtimes = [
        answers.specified(answers.deployment(product)),
        answers.specified(answers.pipeline(product)),
        answers.gone("DeploymentRuntime/old"),
    ]
    steps = [equipped, *(_needing(each, equipped) for each in runtimes)]
    platform.fakes.answers["products.read"] = at_head(product, *steps)
    handle = await _start(platform, product)
    assert (await ended_with(handle)).state == "done"
    assert platform.fakes.names()[-2:] == ["repositories.ensure", "control.notify_runtimes"]
    (notified,) = platform.fakes.asked("control.notify_runtimes")
    assert (len(notified.deployments), len(notified.pipelines)) == (1, 1)
    assert notified.removed == [f"deployment/{product}/old"]


async def test_one_refusal_after_the_commit_leaves_the_rest_to_the_product(platform: Platform) -> None:
    product = unique("shop")
    steps = [answers.equipped(product, "code"), answers.reported("owner")]
    platform.fakes.answers["products.read"] = at_head(product, *steps)
    platform.fakes.fail("control.report_use", Refused("owner-gone", "there is no product owner"))
    report = await ended_with(await _start(platform, product))
    assert (report.state, report.undone, report.head) == ("done", [], None)
    assert report.message == "committed, but not everything is carried out yet: there is no product owner"
