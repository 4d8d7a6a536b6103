"""Workflows with the payload codec on: nothing in Temporal can be read, keys may come and go, and nothing is lost meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowUpdateFailedError

from nautes.clients.codec import KEY_ID, Codec
from nautes.clients.keys import FileKeys, Keyring, UnknownKey
from nautes.clients.temporal import encrypted, message_of
from nautes.messages import ids
from nautes.messages.errors import Refused
from nautes.messages.operations import BUG, Accepted
from nautes.messages.products import ChangeInput, ChangeReport, ProductInput
from nautes.messages.status import ProductStatus
from tests import payloads
from tests.workflow.answers import change, new_product, unique
from tests.workflow.deployments import started, status_of, until_phase
from tests.workflow.platform import Handle, Platform, connect, hurried, until, working
from workflows.effects import BUG_ATTEMPTS

KEYS = {"one": bytes(range(32)), "two": bytes(range(32, 64))}
MARK = "what-nobody-else-may-read"


async def keyed(address: str, *names: str) -> Client:
    """A client with these keys; the last one is current."""
    keys = FileKeys({each: KEYS[each] for each in names}, names[-1])
    return await connect(address, encrypted(Keyring(keys)))


@pytest.fixture
async def platform(address: str) -> AsyncIterator[Platform]:
    """A worker and a client with one key."""
    with hurried(retry_maximum=0.02):
        async with working(await keyed(address, "one")) as found:
            yield found


async def kept(handle: Handle) -> list[Message]:
    """What Temporal knows of a run: its description (memo, summary, heartbeats) and its history."""
    description = await handle.describe()
    return [description.raw_description, *(await handle.fetch_history()).events]


async def failed_tasks(handle: Handle) -> list[Any]:
    """The failures of workflow tasks in a history."""
    events = [each async for each in handle.fetch_history_events()]
    kind = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    return [each.workflow_task_failed_event_attributes.failure for each in events if each.event_type == kind]


async def test_nothing_of_a_runtime_can_be_read_in_temporal(platform: Platform) -> None:
    platform.fakes.fail("git.fetch", KeyError(MARK), times=BUG_ATTEMPTS)
    handle = await started(platform, unique("shop"))

    async def memo() -> Any:
        return (await (await handle.describe()).memo()).get(BUG)

    found = await until(memo, "a step has stopped")
    assert MARK in found["error"] and (await status_of(platform, handle)).runtime == "web"
    messages = await kept(handle)
    assert payloads.plain(messages) == []
    assert len([each for message in messages for each in payloads.payloads(message)]) > 10
    assert not [each for each in messages if MARK.encode() in each.SerializeToString()]
    await handle.signal("retry")
    await until_phase(platform, handle, "Converged")
    assert payloads.plain(await kept(handle)) == []


async def test_nor_what_a_running_activity_reports(platform: Platform) -> None:
    hold = platform.fakes.hold("git.fetch")
    hold.details = (MARK,)
    handle = await started(platform, unique("shop"))

    async def reported() -> list[Payload]:
        pending = (await handle.describe()).raw_description.pending_activities
        return [payload for each in pending for payload in each.heartbeat_details.payloads]

    found = await until(reported, "a heartbeat with details")
    assert payloads.plain(await kept(handle)) == []
    assert await platform.client.data_converter.decode(found) == [MARK]
    hold.release()
    await until_phase(platform, handle, "Converged")


@pytest.mark.parametrize("path", ["shop", "family/shop"])
async def test_every_payload_of_a_product_says_that_it_is_the_products(platform: Platform, path: str) -> None:
    product, codec = unique(path), platform.client.data_converter.payload_codec
    platform.fakes.answers["products.plan"] = new_product(product, "code")
    handle = await platform.start("Product", ids.product(product), ProductInput(path=product))
    accepted: Accepted = await handle.execute_update("submit", change(product), result_type=Accepted)
    assert (await platform.result(accepted.operation, ChangeReport)).state == "done"
    assert isinstance(codec, Codec)
    for run in (handle, platform.handle(accepted.operation)):
        messages = await kept(run)
        assert payloads.plain(messages) == []
        origins = [(await codec.open(each))[1] for part in messages for each in payloads.payloads(part)]
        assert {ids.product_of(each.workflow_id) for each in origins} == {product}


async def test_a_refusal_is_read_by_those_with_the_key_only(platform: Platform) -> None:
    product = unique("shop")
    platform.fakes.fail("products.plan", Refused("broken", MARK))
    request = change(product)
    handle = await platform.start("Change", f"change/{product}/{request.operation}", ChangeInput(request=request))
    assert MARK in (await platform.result(handle.id, ChangeReport)).message
    events = (await handle.fetch_history()).events
    kind = EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED
    failure = next(each for each in events if each.event_type == kind).activity_task_failed_event_attributes.failure
    assert failure.message == payloads.ENCODED
    assert MARK in await message_of(failure, platform.client.data_converter)
    assert payloads.plain(await kept(handle)) == []
    invalid = change(unique("another"))
    running = await platform.start("Product", ids.product(product), ProductInput(path=product))
    with pytest.raises(WorkflowUpdateFailedError):
        await running.execute_update("submit", invalid, result_type=Accepted)
    assert (await platform.shown(running.id, ProductStatus)).path == product


async def test_a_worker_without_the_key_names_it_and_one_with_it_goes_on(address: str) -> None:
    older, newer = await keyed(address, "one"), await keyed(address, "one", "two")
    async with working(older) as behind:
        late = Platform(newer, behind.queue, behind.fakes, behind._hurried)
        handle = await started(late, unique("shop"))
        failures = await until(lambda: failed_tasks(handle), "a workflow task has failed")
        told = await message_of(failures[0], newer.data_converter)
        assert "this process cannot use the key 'two'" in told and "it has one" in told
    async with working(newer, queue=behind.queue) as ahead:
        await until_phase(ahead, ahead.handle(handle.id), "Converged")
        with pytest.raises(UnknownKey, match="'two'"):  # for the API an outage: 503
            await older.get_workflow_handle(handle.id).query("status")


async def test_a_workflow_from_before_the_codec_goes_on_and_hides_what_is_new(address: str) -> None:
    async with working(await connect(address)) as before:
        handle = await started(before, unique("shop"))
        await until_phase(before, handle, "Converged")
        old = len((await handle.fetch_history()).events)
    async with working(await keyed(address, "one"), queue=before.queue, cached=0) as after:
        again = after.handle(handle.id)
        await again.signal("remove")
        await again.result()
        events = (await again.fetch_history()).events
        assert payloads.plain(events[:old]) and not payloads.plain(events[old:])


async def test_after_a_rotation_a_workflow_goes_on_with_the_new_key(address: str) -> None:
    async with working(await keyed(address, "one")) as before:
        handle = await started(before, unique("shop"))
        await until_phase(before, handle, "Converged")
    async with working(await keyed(address, "one", "two"), queue=before.queue, cached=0) as after:
        await after.handle(handle.id).signal("remove")
        await after.handle(handle.id).result()
        used = [
            each.metadata[KEY_ID] for part in await kept(after.handle(handle.id)) for each in payloads.payloads(part)
        ]
    assert set(used) == {b"one", b"two"}
