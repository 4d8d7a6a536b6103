"""Activities that ask a cluster: refusals come back as ours, and a cluster that is not there is waited for only so long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.control import ControlActivities
from contracts import search
from contracts.clusters import ClaimOrder, Reserve, ReserveOrder, Uses, UsesOrder
from contracts.control import WakeOrder
from contracts.declarations import Known
from contracts.errors import Conflict, NotFound, Refused, Unavailable
from contracts.products import ProductInput
from contracts.tenant import TenantInput
from tests.workflow.answers import HEAD, claim, synced, unique
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
    order = ReserveOrder(cluster=cluster, reserve=wish("one", claim(WEB, "shop"), environments=["test"]))
    assert (await control.reserve(order)).runtimes == [WEB]
    theirs = wish("two", claim("deployment/docs/site", "shop", product="product-2"), product="product-2")
    with pytest.raises(Conflict, match=f"is used by {WEB}"):
        await control.reserve(ReserveOrder(cluster=cluster, reserve=theirs))
    assert (await control.unreserve(order)).runtimes == []
    said = await control.uses(UsesOrder(cluster=cluster, uses=Uses(product="product-1", environments=["live"])))
    assert said.environments == ["live"]
    assert (await shown(platform, handle)).environments == {"product-1": ["live"]}


async def test_a_cluster_that_is_not_there_holds_nothing_and_cannot_be_reserved(control: ControlActivities) -> None:
    cluster = unique("edge")
    order = ReserveOrder(cluster=cluster, reserve=Reserve(product="shop", operation="one", environments=["test"]))
    with pytest.raises(NotFound, match="is not registered"):
        await control.reserve(order)  # outside of an activity nothing is waited for
    assert (await control.unreserve(order)).environments == []
    assert (await control.uses(UsesOrder(cluster=cluster, uses=Uses(product="shop")))).environments == []
    with pytest.raises(Unavailable):
        await control.uses(UsesOrder(cluster=cluster, uses=Uses(product="shop", environments=["test"])))


async def test_a_place_is_had_on_a_host_that_is_known(platform: Platform, control: ControlActivities) -> None:
    await started(platform, name := unique("big"), host(name))
    place = claim("cluster/virt", "virt", product="", worker="host")
    assert (await control.claim_host(ClaimOrder(cluster=name, claim=place))).cluster == name
    with pytest.raises(Refused, match="is not one") as caught:
        await control.claim_host(ClaimOrder(cluster=unique("big"), claim=place))
    assert caught.value.code == "cluster-host-unknown"


async def test_who_is_gone_is_told_where_it_still_is_and_never_started(
    platform: Platform, control: ControlActivities
) -> None:
    await started(platform, cluster := unique("edge"), ready(cluster))
    gone = [withdrawn(each, "c" * 40) for each in (cluster, unique("never"))]
    told = await control.wake(WakeOrder(gone=gone))
    assert told.absent == [gone[1].name]
    assert await platform.result(f"registration/{cluster}/git-{'c' * 12}") is not None
    assert not await platform.exists(f"cluster/{gone[1].name}")


async def test_products_whose_keys_run_out_soon_are_woken_and_no_others(
    platform: Platform, control: ControlActivities
) -> None:
    today = datetime.now(UTC).date()
    for product, days in ((soon := unique("soon"), 10), (later := unique("later"), 300)):
        date = (today + timedelta(days=days)).isoformat()
        platform.fakes.answers["products.read"] = synced(product, known=Known(accepted=HEAD, renew=date))
        await platform.start("Product", f"product/{product}", ProductInput(path=product))
        await _listed(platform, product)
    looks = {each: _looks(platform, each) for each in (soon, later)}
    await ActivityEnvironment().run(control.renew_due, 0)
    await until(lambda: _looks(platform, soon) > looks[soon], "a look at the product that is due")
    assert _looks(platform, later) == looks[later]


def _looks(platform: Platform, product: str) -> int:
    return sum(each.product == product for each in platform.fakes.asked("products.read"))


async def _listed(platform: Platform, product: str) -> None:
    """Wait until the list knows when a product's keys run out."""
    query = f"WorkflowId = 'product/{product}' AND {search.RENEW.name} > '2000-01-01'"

    async def known() -> bool:
        return bool([each async for each in platform.client.list_workflows(query)])

    await until(known, f"the list knows {product}")
