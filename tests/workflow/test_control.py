"""Activities that ask a cluster: refusals come back as ours, and a cluster that is not there is waited for only so long."""

from __future__ import annotations

import pytest

from activities.control import ControlActivities
from contracts.clusters import ClaimOrder, Reserve, ReserveOrder, Uses, UsesOrder
from contracts.control import WakeOrder
from contracts.errors import Conflict, NotFound, Refused, Unavailable
from contracts.tenant import TenantInput
from tests.workflow.answers import claim, unique
from tests.workflow.clusters import host, ready, shown, started, wish, withdrawn
from tests.workflow.platform import Platform

WEB = "deployment/shop/web"


@pytest.fixture
def control(platform: Platform) -> ControlActivities:
    start = TenantInput(tenant="nautes", hooks_url="https://nautes.example.com/hooks")
    return ControlActivities(platform.client, start, sweep=60, drift=60)


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
