"""Activities that ask who may use a cluster: refusals come back as ours, an unknown cluster is awaited only so long."""

from __future__ import annotations

import pytest

from activities.claims import ClaimActivities
from nautes.messages.claims import ClaimInput, Reserve, ReserveInput, Uses, UsesInput
from nautes.messages.errors import Conflict, NotFound, Refused, Unavailable
from tests.workflow.answers import claim, unique
from tests.workflow.clusters import granting, host, ready, wish
from tests.workflow.platform import Platform

WEB = "deployment/shop/web"


@pytest.fixture
def claims(platform: Platform) -> ClaimActivities:
    return ClaimActivities(platform.client)


async def test_a_change_reserves_gives_back_and_its_product_says_what_it_has(
    platform: Platform, claims: ClaimActivities
) -> None:
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    input = ReserveInput(cluster=cluster, reserve=wish("one", claim(WEB, "shop"), environments=["test"]))
    assert (await claims.reserve(input)).runtimes == [WEB]
    theirs = wish("two", claim("deployment/docs/site", "shop", product="product-2"), product="product-2")
    with pytest.raises(Conflict, match=f"is used by {WEB}"):
        await claims.reserve(ReserveInput(cluster=cluster, reserve=theirs))
    assert (await claims.unreserve(input)).runtimes == []
    said = await claims.uses(UsesInput(cluster=cluster, uses=Uses(product="product-1", environments=["live"])))
    assert said.environments == ["live"]
    assert await asking.environments() == ["product-1/live"]


async def test_a_cluster_that_is_not_there_holds_nothing_and_cannot_be_reserved(claims: ClaimActivities) -> None:
    cluster = unique("edge")
    input = ReserveInput(cluster=cluster, reserve=Reserve(product="shop", operation="one", environments=["test"]))
    with pytest.raises(NotFound, match="is not registered"):
        await claims.reserve(input)  # outside of an activity nothing is waited for
    assert (await claims.unreserve(input)).environments == []
    assert (await claims.uses(UsesInput(cluster=cluster, uses=Uses(product="shop")))).environments == []
    with pytest.raises(Unavailable):
        await claims.uses(UsesInput(cluster=cluster, uses=Uses(product="shop", environments=["test"])))


async def test_a_place_is_had_on_a_host_that_is_known(platform: Platform, claims: ClaimActivities) -> None:
    await granting(platform, name := unique("big"), host(name))
    place = claim("cluster/virt", "virt", product="", worker="host")
    assert (await claims.claim_host(ClaimInput(cluster=name, claim=place))).cluster == name
    with pytest.raises(Refused, match="is not one") as caught:
        await claims.claim_host(ClaimInput(cluster=unique("big"), claim=place))
    assert caught.value.code == "cluster-host-unknown"
