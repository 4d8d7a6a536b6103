"""A product: its queue, its declaration read again, and every push passed on to whom it concerns."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from nautes.messages.control import NotifyInput
from nautes.messages.errors import Forbidden
from nautes.messages.gitlab import Push
from nautes.messages.operations import REQUEST_LIMIT, Accepted
from nautes.messages.products import ChangeReport, HeadInput, HeadReport, ProductInput, Watch
from nautes.messages.runtimes import PipelineInput
from nautes.messages.status import PipelineStatus, ProductStatus
from nautes.planning.steps import Outcome
from tests.workflow import answers
from tests.workflow.answers import DECLARATION, HEAD, PROJECT, at_head, change, push, unique
from tests.workflow.platform import Handle, Platform, ended_with, until
from workflows.product_state import ProductStart, ProductState, Undelivered
from workflows.runtime_states import DeploymentStart, DeploymentState


async def _started(platform: Platform, product: str, **state: Any) -> Handle:
    """A product that was read, with nothing to do."""
    handle = await platform.start("Product", f"product/{product}", ProductStart(path=product, **state))
    await until(lambda: _idle(platform, product), "an idle product")
    return handle


async def _idle(platform: Platform, product: str) -> bool:
    status = await platform.shown(f"product/{product}", ProductStatus)
    return bool(status.id) and status.phase == "Idle" and not status.queued


async def _watcher(platform: Platform, product: str, runtime: str = "web") -> Handle:
    """A deployment of the product that follows the code repository; paused: it only hears."""
    spec = answers.deployment(product, runtime=runtime)
    state = DeploymentState(spec=spec, paused=True)
    start = DeploymentStart(product=product, runtime=runtime, state=state)
    return await platform.start("Deployment", f"deployment/{product}/{runtime}", start)


async def _heard(platform: Platform, handle: Handle) -> list[str]:
    """The events of the pushes a workflow was told."""
    return [each.event for each in await platform.heard(handle.id, "pushed", Push)]


async def _submit(handle: Handle, request: Any) -> str:
    accepted = await handle.execute_update("submit", request, result_type=Accepted)
    return str(accepted.operation)


def _watches(product: str, *runtimes: str) -> list[Watch]:
    return [Watch(workflow=f"deployment/{product}/{each}", project_id=PROJECT) for each in runtimes]


async def test_a_push_reaches_every_watcher_once_however_often_it_is_delivered(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.read"] = at_head(product, watches=_watches(product, "web", "gone", "docs"))
    web, docs = await _watcher(platform, product), await _watcher(platform, product, "docs")
    handle = await _started(platform, product)
    first, second = push(), push()
    for each in (first, first, second, first):
        await handle.signal("pushed", each)
    await _told(platform, docs, second)
    await _told(platform, web, second)
    assert await _heard(platform, web) == await _heard(platform, docs) == [first.event, second.event]


# Nothing here asks a query: without a cache, the SDK loses a query that comes while it evicts a run, and nobody answers it.
@pytest.mark.parametrize("platform", [1000, 0], indirect=True, ids=["cached", "replayed"])
async def test_every_watcher_hears_pushes_in_the_order_in_which_its_product_heard_them(platform: Platform) -> None:
    product, names = unique("shop"), [f"web{number}" for number in range(8)]
    platform.fakes.answers["products.read"] = at_head(product, watches=_watches(product, *names))
    watchers = [await _watcher(platform, product, each) for each in names]
    handle = await platform.start("Product", f"product/{product}", ProductInput(path=product))
    await until(lambda: _has_read(handle), "the declaration read")
    pushes = [push() for _ in range(10)]
    for each in pushes:
        await handle.signal("pushed", each)
    for watcher in watchers:
        await _told(platform, watcher, pushes[-1])
    expected = [each.event for each in pushes]
    assert [await _heard(platform, watcher) for watcher in watchers] == [expected] * len(watchers)


async def _has_read(handle: Handle) -> bool:
    kinds = [each.WhichOneof("attributes") async for each in handle.fetch_history_events()]
    done = "activity_task_completed_event_attributes"
    return done in kinds and "workflow_task_completed_event_attributes" in kinds[kinds.index(done) :]


async def test_what_the_run_before_did_not_deliver_comes_first(platform: Platform) -> None:
    product = unique("shop")
    web, docs = await _watcher(platform, product), await _watcher(platform, product, "docs")
    first, second, third = push(), push(), push()
    left = [Undelivered(push=first, workflows=[docs.id]), Undelivered(push=second, workflows=[docs.id, web.id])]
    state = ProductState(id="product-7", due=False, watches=_watches(product, "web", "docs"), undelivered=left)
    start = ProductStart(path=product, state=state)
    await platform.client.start_workflow(
        "Product",
        start,
        id=f"product/{product}",
        task_queue=platform.queue,
        start_signal="pushed",
        start_signal_args=[third],
    )
    await _told(platform, docs, third)
    await _told(platform, web, third)
    assert await _heard(platform, docs) == [first.event, second.event, third.event]
    assert await _heard(platform, web) == [second.event, third.event]


async def test_runs_begin_in_the_order_in_which_the_product_heard_of_the_pushes(platform: Platform) -> None:
    product = unique("shop")
    key = f"pipeline/{product}/build"
    watch = Watch(workflow=key, project_id=PROJECT)
    platform.fakes.answers["products.read"] = at_head(product, watches=[watch])
    pipeline = await platform.start("Pipeline", key, PipelineInput(product=product, runtime="build"))
    await pipeline.signal("specified", answers.pipeline(product))
    handle = await _started(platform, product)
    pushes = [push() for _ in range(8)]
    await asyncio.gather(*(handle.signal("pushed", each) for each in pushes))
    await until(lambda: _ran(platform, key, len(pushes)), "a run for each push")
    heard = [each.event for each in await platform.heard(handle.id, "pushed", Push)]
    begun = (await platform.shown(key, PipelineStatus)).runs[::-1]
    assert begun == [f"run/{product}/build/{event}-pushes-ci" for event in heard]


async def _ran(platform: Platform, key: str, times: int) -> bool:
    return len((await platform.shown(key, PipelineStatus)).runs) == times


async def _told(platform: Platform, handle: Handle, news: Push) -> None:
    await until(lambda: _has(platform, handle, news), "the push at its watcher")


async def _has(platform: Platform, handle: Handle, news: Push) -> bool:
    return news.event in await _heard(platform, handle)


async def test_a_push_is_passed_on_while_a_change_runs(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.read"] = at_head(product, watches=_watches(product, "web"))
    web, handle = await _watcher(platform, product), await _started(platform, product)
    hold = platform.fakes.hold("products.plan")
    operation = await _submit(handle, change(product))
    await hold.begun.wait()
    news = push()
    await handle.signal("pushed", news)
    await _told(platform, web, news)
    assert (await platform.shown(handle.id, ProductStatus)).operation == operation
    hold.release()
    assert (await platform.result(operation, ChangeReport)).state == "done"


async def test_a_push_that_came_before_its_watcher_was_known_is_passed_on_then(platform: Platform) -> None:
    product = unique("shop")
    web = await _watcher(platform, product)
    platform.fakes.answers["products.read"] = at_head(product, watches=_watches(product, "web"))
    hold = platform.fakes.hold("products.read")
    handle = await platform.start("Product", f"product/{product}", ProductInput(path=product))
    await hold.begun.wait()
    news = push()
    await handle.signal("pushed", news)
    hold.release()
    await _told(platform, web, news)


async def test_a_push_that_came_while_a_change_brought_its_watcher_is_passed_on(platform: Platform) -> None:
    product = unique("shop")
    handle, web = await _started(platform, product), await _watcher(platform, product)
    platform.fakes.answers["products.read"] = at_head(product, watches=_watches(product, "web"))
    hold = platform.fakes.hold("products.commit_files")
    await _submit(handle, change(product))
    await hold.begun.wait()
    news = push()
    await handle.signal("pushed", news)
    hold.release()
    await _told(platform, web, news)


async def test_a_runtime_that_cannot_be_resolved_for_now_still_hears_of_pushes(platform: Platform) -> None:
    product = unique("shop")
    runtime = f"deployment/{product}/web"
    platform.fakes.answers["products.read"] = at_head(
        product, watches=_watches(product, "web"), digests={"DeploymentRuntime/web": "1"}
    )
    web, handle = await _watcher(platform, product), await _started(platform, product)
    platform.fakes.answers["products.read"] = at_head(
        product, digests={"DeploymentRuntime/web": "1"}, kept=[runtime], commit="c" * 40
    )
    await handle.signal("pushed", push(DECLARATION, repository=f"{product}/default.project"))
    await until(lambda: _at(platform, handle, "c" * 40), "the new head")
    news = push()
    await handle.signal("pushed", news)
    await _told(platform, web, news)


async def _at(platform: Platform, handle: Handle, commit: str) -> bool:
    return bool((await platform.shown(handle.id, ProductStatus)).commit == commit)


async def test_a_push_to_the_declaration_is_read_and_tells_what_changed(platform: Platform) -> None:
    product = unique("shop")
    handle = await _started(platform, product)
    spec = answers.deployment(product)
    gone = f"deployment/{product}/old"
    platform.fakes.answers["products.read"] = at_head(
        product, answers.specified(spec), answers.gone("DeploymentRuntime/old"), commit="c" * 40
    )
    await handle.signal("pushed", push(DECLARATION, repository=f"{product}/default.project", after="c" * 40))
    await platform.called("control.notify_runtimes")
    assert platform.fakes.asked("control.notify_runtimes") == [NotifyInput(deployments=[spec], removed=[gone])]


async def test_the_webhook_of_our_own_commit_is_no_news(platform: Platform) -> None:
    product = unique("shop")
    handle = await _started(platform, product)
    await handle.signal("pushed", push(DECLARATION, after=HEAD))
    hold = platform.fakes.hold("products.plan")
    await _submit(handle, change(product))
    await hold.begun.wait()
    assert len(platform.fakes.asked("products.read")) == 1
    hold.release()


async def test_what_runtimes_were_told_is_remembered_so_that_only_news_is_told(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.read"] = at_head(product, digests={"DeploymentRuntime/web": "1"})
    handle = await _started(platform, product)
    operation = await _submit(handle, change(product))
    await platform.result(operation)
    orders: list[HeadInput] = platform.fakes.asked("products.read")
    assert [each.known.digests for each in orders] == [{}, {"DeploymentRuntime/web": "1"}]


async def test_changes_run_one_at_a_time_in_order_and_the_same_operation_once(platform: Platform) -> None:
    product = unique("shop")
    handle = await _started(platform, product)
    hold = platform.fakes.hold("products.plan")
    first, second = change(product), change(product)
    keys = [await _submit(handle, each) for each in (first, second, first, second)]
    await hold.begun.wait()
    status = await platform.shown(handle.id, ProductStatus)
    assert (status.phase, status.operation, status.queued) == ("Changing", keys[0], [keys[1]])
    assert len(platform.fakes.asked("products.plan")) == 1
    hold.release()
    await platform.result(keys[1])
    planned = [each.request.operation for each in platform.fakes.asked("products.plan")]
    assert planned == [first.operation, second.operation]


async def test_a_change_that_was_refused_does_not_stop_the_next(platform: Platform) -> None:
    product = unique("shop")
    handle = await _started(platform, product)
    platform.fakes.fail("products.plan", Forbidden("token", "the platform's token is gone"))
    first, second = [await _submit(handle, change(product)) for _ in range(2)]
    assert (await platform.result(first, ChangeReport)).state == "refused"
    assert (await platform.result(second, ChangeReport)).state == "done"


async def test_a_change_that_was_terminated_does_not_stop_the_next_and_the_declaration_is_read_again(
    platform: Platform,
) -> None:
    product = unique("shop")
    handle = await _started(platform, product)
    hold = platform.fakes.hold("products.plan")
    first = await _submit(handle, change(product))
    await hold.begun.wait()
    await platform.handle(first).terminate("by hand")
    second = await _submit(handle, change(product))
    assert (await platform.result(second, ChangeReport)).state == "done"
    await platform.called("products.read", 3)


async def test_a_removal_cancelled_after_its_commit_is_still_told_to_the_runtimes(platform: Platform) -> None:
    product = unique("shop")
    handle = await _started(platform, product)
    hold = platform.fakes.hold("products.read")
    operation = await _submit(handle, change(product, "remove"))
    await hold.begun.wait()
    gone = f"deployment/{product}/web"
    platform.fakes.answers["products.read"] = at_head(product, answers.gone("DeploymentRuntime/web"), commit="b" * 40)
    await platform.handle(operation).cancel()
    assert (await platform.result(operation, ChangeReport)).state == "cancelled"
    await platform.called("control.notify_runtimes")
    assert platform.fakes.asked("control.notify_runtimes") == [NotifyInput(removed=[gone])]


async def test_a_request_for_another_product_is_refused_and_one_too_large_says_its_size(platform: Platform) -> None:
    product = unique("shop")
    handle = await _started(platform, product)
    large = change(product, manifests=[{"kind": "Project", "spec": {"name": "x" * REQUEST_LIMIT}}])
    for request, words in ((change("other"), f"this is product {product}"), (large, "bytes as one change")):
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await _submit(handle, request)
        assert words in str(caught.value.cause)
    assert str(len(large.model_dump_json())) in str(caught.value.cause)


async def test_it_ends_when_the_product_is_gone(platform: Platform) -> None:
    product = unique("shop")
    handle = await _started(platform, product)
    platform.fakes.answers["products.plan"] = answers.removal(product, group=True, commit=False).model_copy(
        update={"outcomes": [Outcome(resource=f"Product/{product}", action="removed")]}
    )
    platform.fakes.answers["products.read"] = HeadReport(exists=False)
    await _submit(handle, change(product, "remove"))
    await handle.result()
    assert "gitlab.delete_group" in platform.fakes.names()


async def test_a_product_that_is_not_there_ends_at_once(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.answers["products.read"] = HeadReport(exists=False)
    await ended_with(await platform.start("Product", f"product/{product}", ProductInput(path=product)))


async def test_a_declaration_that_cannot_be_read_is_said_and_nothing_is_told(platform: Platform) -> None:
    product = unique("shop")
    handle = await _started(platform, product)
    platform.fakes.fail("products.read", Forbidden("token", "the platform's token is gone"))
    await handle.signal("pushed", push(DECLARATION))
    await until(lambda: _says(platform, handle, "the platform's token is gone"), "the reason")
    assert "control.notify_runtimes" not in platform.fakes.names()


async def _says(platform: Platform, handle: Handle, text: str) -> bool:
    return bool((await platform.shown(handle.id, ProductStatus)).message == text)


async def test_nothing_is_lost_or_done_twice_when_its_history_starts_afresh(platform: Platform) -> None:
    product = unique("shop")
    platform.hurry(events_kept=30)
    platform.fakes.answers["products.read"] = at_head(product, watches=_watches(product, "web"))
    web, handle = await _watcher(platform, product), await _started(platform, product)
    pushes = [push() for _ in range(20)]
    requests = [change(product) for _ in range(2)]
    for number, each in enumerate(pushes):
        await handle.signal("pushed", each)
        await handle.signal("pushed", pushes[number // 2])
        if number % 10 == 5:
            await _submit(handle, requests[number // 10])
    await _told(platform, web, pushes[-1])
    for each in requests:
        await _submit(handle, each)
        await platform.result(f"change/{product}/{each.operation}")
    await platform.began_afresh(handle.id)
    assert await _heard(platform, web) == [each.event for each in pushes]
    planned = [each.request.operation for each in platform.fakes.asked("products.plan")]
    assert planned == [each.operation for each in requests]


def test_the_state_of_a_product_that_waits_is_small() -> None:
    """Carried over with everything at its bound, it stays under the limit of a payload."""
    undelivered = [Undelivered(push=push(), workflows=["deployment/shop/web"]) for _ in range(200)]
    state = ProductState(handled=["x" * 12] * 500, unclaimed=[push() for _ in range(200)], undelivered=undelivered)
    assert len(state.model_dump_json()) < 256 << 10
