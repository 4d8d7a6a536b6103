"""Who uses a cluster: what changes reserve, what products say, and that nothing goes while somebody has it."""

from __future__ import annotations

import pytest

from nautes.messages.clusters import Grant
from nautes.messages.control import Released
from nautes.messages.operations import ClusterRequest
from tests.workflow.answers import claim, manifest, registration, unique
from tests.workflow.clusters import host, ready, refusal, reserve, shown, started, submit, uses, wish
from tests.workflow.platform import Platform, until
from workflows.cluster_state import RegistrationReport

WEB, API, SITE = "deployment/shop/web", "deployment/shop/api", "deployment/docs/site"


async def test_a_change_reserves_and_its_runtime_claims_what_was_reserved(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    for _ in range(2):  # asking twice is asking once
        answer = await reserve(handle, wish("one", claim(WEB, "shop", "data"), environments=["test"]))
    assert (answer.cluster, answer.runtimes, answer.environments) == (cluster, [WEB], ["test"])
    status = await shown(platform, handle)
    assert (status.reservations, status.environments) == ({WEB: ["data", "shop"][::-1]}, {"product-1": ["test"]})
    await handle.execute_update("claim", claim(WEB, "shop"), result_type=Grant)
    assert WEB in (await shown(platform, handle)).reservations, "it has yet to claim the other one"
    await handle.execute_update("claim", claim(WEB, "shop", "data"), result_type=Grant)
    status = await shown(platform, handle)
    assert (status.reservations, status.claims) == ({}, {WEB: ["shop", "data"]})


async def test_a_check_refuses_what_is_taken_and_keeps_nothing(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    await reserve(handle, wish("one", claim(WEB, "shop")).model_copy(update={"only_check": True}))
    theirs = claim("deployment/other/web", "shop", product="product-2")
    await reserve(handle, wish("two", theirs, product="product-2"))
    again = wish("three", claim(WEB, "shop")).model_copy(update={"only_check": True})
    assert "is used by deployment/other/web" in (await refusal(handle, "reserve", again))[1]


async def test_what_is_claimed_is_not_reserved_by_somebody_else_and_nothing_of_the_wish_stays(
    platform: Platform,
) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    await handle.execute_update("claim", claim(WEB, "shop"))
    theirs = [claim(f"deployment/docs/{each}", each, product="product-2") for each in ("docs", "shop")]
    input = wish("two", *theirs, environments=["live"], product="product-2")
    assert await refusal(handle, "reserve", input) == (
        "Conflict",
        f"namespace shop of cluster {cluster} is used by {WEB}",
    )
    status = await shown(platform, handle)
    assert (status.reservations, status.environments) == ({}, {})


async def test_what_is_reserved_is_neither_reserved_nor_claimed_by_somebody_else(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    await reserve(handle, wish("one", claim(WEB, "shop")))
    taken = ("Conflict", f"namespace shop of cluster {cluster} is used by {WEB}")
    theirs = claim(SITE, "shop", product="product-2")
    assert await refusal(handle, "reserve", wish("two", theirs, product="product-2")) == taken
    assert await refusal(handle, "claim", theirs) == taken
    await reserve(handle, wish("three", claim(API, "shop")))  # deployments of one product share


async def test_two_products_without_a_group_yet_are_two_products(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    new = {"product_id": "", "worker_type": "deployment", "namespaces": ["shop"]}
    first = wish("one", claim(WEB, "shop").model_copy(update={**new, "product": "shop"}), product="shop")
    second = wish("two", claim(SITE, "shop").model_copy(update={**new, "product": "docs"}), product="docs")
    await reserve(handle, first)
    assert (await refusal(handle, "reserve", second))[0] == "Conflict"
    await reserve(
        handle, wish("three", claim(API, "shop").model_copy(update={**new, "product": "shop"}), product="shop")
    )


async def test_two_pipelines_of_one_change_do_not_get_one_namespace(platform: Platform) -> None:
    cluster = unique("edge")
    handle = await started(platform, cluster, ready(cluster, manifest=manifest(cluster, "pipeline")))
    pipelines = [claim(f"pipeline/shop/{each}", "build", worker="pipeline") for each in ("one", "two")]
    kind, message = await refusal(handle, "reserve", wish("one", *pipelines))
    assert (kind, message.rpartition(" ")[2]) == ("Conflict", "pipeline/shop/two")


async def test_a_change_that_does_not_come_about_gives_back_its_own_and_no_more(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    await reserve(handle, wish("one", claim(WEB, "shop"), environments=["test"]))
    second = wish("two", claim(WEB, "other"), claim(API, "api"), environments=["test", "live"])
    await reserve(handle, second)
    for _ in range(2):
        await handle.execute_update("unreserve", second)
    status = await shown(platform, handle)
    assert status.reservations == {WEB: ["shop"]}, "as the change before left it"
    assert status.environments == {"product-1": ["test"]}
    await handle.execute_update("unreserve", wish("nobody", environments=["test"]))
    assert (await shown(platform, handle)).environments == {"product-1": ["test"]}


async def test_a_product_says_what_it_has_and_the_rest_is_dropped(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    await reserve(handle, wish("one", claim(WEB, "shop"), claim(API, "api"), environments=["test"]))
    await reserve(handle, wish("two", claim(SITE, "docs", product="product-2"), product="product-2"))
    for _ in range(2):
        await uses(handle, "live", "test", runtimes=[WEB])
    status = await shown(platform, handle)
    assert status.reservations == {WEB: ["shop"], SITE: ["docs"]}
    assert status.environments == {"product-1": ["live", "test"]}
    await uses(handle)
    status = await shown(platform, handle)
    assert (status.reservations, status.environments) == ({SITE: ["docs"]}, {})


async def test_a_namespace_that_is_reserved_is_not_left_to_nobody(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    await handle.execute_update("claim", claim(WEB, "shop", "web"))
    await reserve(handle, wish("one", claim(API, "shop")))
    released = await handle.execute_update("release", claim(WEB, "shop", "web"), result_type=Released)
    assert released.namespaces == ["web"]


async def test_a_wish_waits_while_the_cluster_is_being_registered(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"))
    hold = platform.fakes.hold("components.install")
    operation = await submit(handle, registration(cluster))
    await hold.begun.wait()
    input = wish("one", environments=["test"])
    assert (await refusal(handle, "reserve", input))[0] == "Unavailable"
    hold.release()
    await platform.result(operation)
    await until(lambda: _is(platform, handle.id, "Ready"), "a ready cluster")
    assert (await reserve(handle, input)).environments == ["test"]


async def _is(platform: Platform, key: str, phase: str) -> bool:
    return (await shown(platform, platform.handle(key))).phase == phase


async def test_a_wish_of_another_kind_or_of_an_unknown_cluster_is_refused(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    input = wish("one", claim("pipeline/shop/build", "build", worker="pipeline"))
    wrong = ("Refused", f"cluster {cluster} is a deployment worker, not pipeline")
    assert await refusal(handle, "reserve", input) == wrong
    big = await started(platform, name := unique("big"), host(name))
    assert await refusal(big, "reserve", input) == ("Refused", f"cluster {name} is a host, not pipeline")
    nobody = await started(platform, unique("edge"))
    assert (await refusal(nobody, "reserve", input))[0] == "NotFound"


USERS = {
    "runtimes": ([claim(WEB, "shop")], []),
    "environments": ([], ["test"]),
    "both": ([claim(WEB, "shop")], ["test"]),
}


@pytest.mark.parametrize("who", USERS)
@pytest.mark.parametrize("how", ["claimed", "reserved"])
async def test_a_cluster_is_not_removed_while_somebody_uses_it_and_all_are_named(
    platform: Platform, who: str, how: str
) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    claims, environments = USERS[who]
    await reserve(handle, wish("one", *claims, environments=environments))
    if how == "claimed":
        for each in claims:
            await handle.execute_update("claim", each)
        await uses(handle, *environments, runtimes=[WEB])
    report = await _removed(platform, handle.id, registration(cluster, "remove"))
    named = [*(each.runtime for each in claims), *(f"environment/product-1/{each}" for each in environments)]
    assert (report.state, report.message) == ("refused", f"cluster {cluster} is used by {', '.join(named)}")
    assert [(each.rule, each.message) for each in report.findings] == [
        ("cluster-in-use", f"cluster {cluster} is used by {each}") for each in named
    ]
    assert platform.fakes.names() == []
    assert await _is(platform, handle.id, "Ready")


async def _removed(platform: Platform, key: str, request: ClusterRequest) -> RegistrationReport:
    found: RegistrationReport = await platform.result(await submit(platform.handle(key), request), RegistrationReport)
    return found


async def test_the_check_of_a_change_hears_of_every_user(platform: Platform) -> None:
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    await reserve(handle, wish("one", claim(WEB, "shop"), environments=["test"]))
    await handle.execute_update("claim", claim(API, "api"))
    await platform.result(await submit(handle, registration(cluster)))
    assert platform.fakes.asked("clusters.check")[0].users == [API, WEB, "environment/product-1/test"]


async def test_the_register_survives_when_its_history_starts_afresh(platform: Platform) -> None:
    platform.hurry(events_kept=40)
    handle = await started(platform, cluster := unique("edge"), ready(cluster))
    await reserve(handle, wish("one", claim(WEB, "shop"), environments=["test"]))
    for number in range(20):
        await handle.execute_update("claim", claim(f"deployment/shop/{number}", f"shop-{number}"))
    await platform.began_afresh(handle.id)
    await platform.handle(handle.id).execute_update("unreserve", wish("one"))
    status = await shown(platform, platform.handle(handle.id))
    assert (status.reservations, status.environments, len(status.claims)) == ({}, {}, 20)
