"""Activities that ask a cluster: refusals come back as ours, and a cluster that is not there is waited for only so long."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.control import AT_ONCE, ControlActivities
from nautes.messages import search
from nautes.messages.clusters import ClaimInput, Grant, Reserve, ReserveInput, Uses, UsesInput
from nautes.messages.control import WakeInput
from nautes.messages.errors import Conflict, NotFound, Refused, Unavailable
from nautes.messages.products import ProductInput
from nautes.messages.tenant import TenantInput
from nautes.planning.known import Known
from tests.workflow.answers import HEAD, KUBECONFIG, at_head, claim, unique
from tests.workflow.clusters import host, ready, shown, started, wish, withdrawn
from tests.workflow.platform import Platform, until

WEB = "deployment/shop/web"


@pytest.fixture
def control(platform: Platform) -> ControlActivities:
    start = TenantInput(tenant="nautes", hooks_url="https://nautes.example.com/hooks")
    return ControlActivities(
        platform.client, start, every={"branches": 60, "drift": 60, "credentials": 60}, renew_before=30
    )


async def test_a_change_reserves_gives_back_and_its_product_says_what_it_has(
    platform: Platform, control: ControlActivities
) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    input = ReserveInput(cluster=cluster, reserve=wish("one", claim(WEB, "shop"), environments=["test"]))
    assert (await control.reserve(input)).runtimes == [WEB]
    theirs = wish("two", claim("deployment/docs/site", "shop", product="product-2"), product="product-2")
    with pytest.raises(Conflict, match=f"is used by {WEB}"):
        await control.reserve(ReserveInput(cluster=cluster, reserve=theirs))
    assert (await control.unreserve(input)).runtimes == []
    said = await control.uses(UsesInput(cluster=cluster, uses=Uses(product="product-1", environments=["live"])))
    assert said.environments == ["live"]
    assert (await shown(platform, handle)).environments == {"product-1": ["live"]}


async def test_a_cluster_that_is_not_there_holds_nothing_and_cannot_be_reserved(control: ControlActivities) -> None:
    cluster = unique("edge")
    input = ReserveInput(cluster=cluster, reserve=Reserve(product="shop", operation="one", environments=["test"]))
    with pytest.raises(NotFound, match="is not registered"):
        await control.reserve(input)  # outside of an activity nothing is waited for
    assert (await control.unreserve(input)).environments == []
    assert (await control.uses(UsesInput(cluster=cluster, uses=Uses(product="shop")))).environments == []
    with pytest.raises(Unavailable):
        await control.uses(UsesInput(cluster=cluster, uses=Uses(product="shop", environments=["test"])))


async def test_a_place_is_had_on_a_host_that_is_known(platform: Platform, control: ControlActivities) -> None:
    await started(platform, name := unique("big"), host(name))
    place = claim("cluster/virt", "virt", product="", worker="host")
    assert (await control.claim_host(ClaimInput(cluster=name, claim=place))).cluster == name
    with pytest.raises(Refused, match="is not one") as caught:
        await control.claim_host(ClaimInput(cluster=unique("big"), claim=place))
    assert caught.value.code == "cluster-host-unknown"


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


async def test_many_ask_one_cluster_and_all_get_an_answer(platform: Platform, control: ControlActivities) -> None:
    await started(platform, cluster := unique("edge"), ready(cluster))
    orders = [ClaimInput(cluster=cluster, claim=claim(f"deployment/shop/{each}", f"web-{each}")) for each in range(60)]
    granted = await asyncio.gather(*(control.claim(each) for each in orders))
    assert {each.cluster for each in granted} == {cluster}


class Slow:
    """A client of one workflow that answers when it is told to, and knows how many are asking."""

    def __init__(self) -> None:
        self.asking, self.most, self.open = 0, 0, asyncio.Event()

    def get_workflow_handle(self, key: str) -> Slow:
        self.id = key
        return self

    async def execute_update(self, *_: Any, **__: Any) -> Grant:
        self.asking += 1
        self.most = max(self.most, self.asking)
        await self.open.wait()
        self.asking -= 1
        return Grant(cluster="edge", kubeconfig=KUBECONFIG)


async def test_few_ask_at_a_time_and_who_waits_too_long_asks_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.control.TURN_WITHIN", 0.05)
    slow = Slow()
    start = TenantInput(tenant="nautes", hooks_url="https://nautes.example.com/hooks")
    control = ControlActivities(slow, start, every={}, renew_before=30)  # type: ignore[arg-type]
    input = ClaimInput(cluster="edge", claim=claim(WEB, "web"))
    asked = [asyncio.ensure_future(control.claim(input)) for _ in range(AT_ONCE + 3)]
    done, under_way = set[asyncio.Future[Grant]](), set(asked)
    while len(done) < 3:  # all who find no turn: on a busy machine they do not give up in the same moment
        ended, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        done |= ended
    refusals = [each.exception() for each in done]
    assert refusals and all(isinstance(each, Unavailable) and each.code == "workflow-busy" for each in refusals)
    slow.open.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(each, Grant) for each in answers) == slow.most == AT_ONCE
    assert (await control.claim(input)).cluster == "edge", "turns are given back"


def _looks(platform: Platform, product: str) -> int:
    return sum(each.product == product for each in platform.fakes.asked("products.read"))


async def _listed(platform: Platform, product: str) -> None:
    """Wait until the list knows when a product's keys run out."""
    query = f"WorkflowId = 'product/{product}' AND {search.RENEW.name} > '2000-01-01'"

    async def known() -> bool:
        return bool([each async for each in platform.client.list_workflows(query)])

    await until(known, f"the list knows {product}")
