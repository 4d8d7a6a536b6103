"""Activities that wake and ask other workflows, on a real server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.control import AT_ONCE, ControlActivities, Sweeps
from nautes.messages import search
from nautes.messages.control import Notified, WakeInput
from nautes.messages.declarations import AccessRequest
from nautes.messages.errors import Unavailable
from nautes.messages.products import ProductInput
from nautes.messages.tenant import TenantInput
from nautes.planning.known import Known
from tests.workflow.answers import HEAD, at_head, unique
from tests.workflow.clusters import ready, started, withdrawn
from tests.workflow.platform import Platform, until


@pytest.fixture
def control(platform: Platform) -> ControlActivities:
    start = TenantInput(tenant="nautes", hooks_url="https://nautes.example.com/hooks")
    return ControlActivities(platform.client, start, Sweeps(), renew_before=30)


async def test_who_is_gone_is_told_where_it_still_is_and_never_started(
    platform: Platform, control: ControlActivities
) -> None:
    await started(platform, cluster := unique("edge"), ready(cluster))
    gone = [withdrawn(each, "c" * 40) for each in (cluster, unique("never"))]
    told = await control.wake(WakeInput(gone=gone))
    assert told.absent == [gone[1].name]
    assert await platform.result(f"registration/{cluster}/git-{'c' * 12}") is not None
    assert not await platform.exists(f"cluster/{gone[1].name}")


async def test_products_whose_keys_run_out_soon_are_woken_and_no_others(
    platform: Platform, control: ControlActivities
) -> None:
    today = datetime.now(UTC).date()
    for product, days in ((soon := unique("soon"), 10), (later := unique("later"), 300)):
        date = (today + timedelta(days=days)).isoformat()
        platform.fakes.answers["products.read"] = at_head(product, known=Known(accepted=HEAD, renew=date))
        await platform.start("Product", f"product/{product}", ProductInput(path=product))
        await _listed(platform, product)
    looks = {each: _looks(platform, each) for each in (soon, later)}
    await ActivityEnvironment().run(control.renew_due, 0)
    await until(lambda: _looks(platform, soon) > looks[soon], "a look at the product that is due")
    assert _looks(platform, later) == looks[later]


class Slow:
    """A client of one workflow that answers when it is told to, and knows how many are asking."""

    def __init__(self) -> None:
        self.asking, self.most, self.open = 0, 0, asyncio.Event()

    def get_workflow_handle(self, key: str) -> Slow:
        self.id = key
        return self

    async def execute_update(self, *_: Any, **__: Any) -> None:
        self.asking += 1
        self.most = max(self.most, self.asking)
        await self.open.wait()
        self.asking -= 1


async def test_few_ask_at_a_time_and_who_waits_too_long_asks_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.control.TURN_WITHIN", 0.05)
    slow = Slow()
    start = TenantInput(tenant="nautes", hooks_url="https://nautes.example.com/hooks")
    control = ControlActivities(slow, start, Sweeps(), renew_before=30)  # type: ignore[arg-type]
    input = AccessRequest(owner="lib", product="shop")
    asked = [asyncio.ensure_future(control.request_access(input)) for _ in range(AT_ONCE + 3)]
    done, under_way = set[asyncio.Future[Notified]](), set(asked)
    while len(done) < 3:  # all who find no turn: on a busy machine they do not give up in the same moment
        ended, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        done |= ended
    refusals = [each.exception() for each in done]
    assert refusals and all(isinstance(each, Unavailable) and each.code == "workflow-busy" for each in refusals)
    slow.open.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(each, Notified) for each in answers) == slow.most == AT_ONCE
    assert (await control.request_access(input)).count == 1, "turns are given back"


def _looks(platform: Platform, product: str) -> int:
    return sum(each.product == product for each in platform.fakes.asked("products.read"))


async def _listed(platform: Platform, product: str) -> None:
    """Wait until the list knows when a product's keys run out."""
    query = f"WorkflowId = 'product/{product}' AND {search.RENEW.name} > '2000-01-01'"

    async def known() -> bool:
        return bool([each async for each in platform.client.list_workflows(query)])

    await until(known, f"the list knows {product}")
