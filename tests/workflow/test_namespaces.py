"""Who uses a cluster: what changes reserve, what products report, and that nothing goes while somebody has it."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from temporalio.service import RPCError

from nautes.messages.claims import PageInput, UsersPage
from nautes.messages.errors import Refused
from nautes.messages.operations import ClusterRequest
from tests.workflow.answers import KUBECONFIG, claim, manifest, registration, unique
from tests.workflow.clusters import granted, granting, host, keep_claims, ready, refusal, shown, started, submit, wish
from tests.workflow.platform import Platform
from workflows.claims_state import NamespacesStart
from workflows.cluster_state import RegistrationReport

WEB, API, SITE = "deployment/shop/web", "deployment/shop/api", "deployment/docs/site"
KINDS = [{"group": "rbac.authorization.k8s.io", "kind": "ClusterRole"}]


async def test_deployments_of_one_product_share_a_namespace_and_get_to_know_the_cluster(platform: Platform) -> None:
    state = ready(cluster := unique("edge"))
    state.manifest["spec"]["productAllowedClusterResources"] = {"product-1": KINDS}
    asking = await granting(platform, cluster, state)
    grant = await asking.claim(claim(WEB, "shop", "web"))
    assert (grant.cluster, grant.kubeconfig) == (cluster, KUBECONFIG)
    assert grant.allowed_cluster_kinds == ["rbac.authorization.k8s.io/ClusterRole"]
    assert {"kube-system", "nautes", "traefik"} <= set(grant.platform_namespaces)
    await asking.claim(claim(API, "shop"))
    assert await asking.held() == {API: ["shop"], WEB: ["shop", "web"]}


async def test_a_namespace_of_another_product_is_refused_and_its_user_named(platform: Platform) -> None:
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    await asking.claim(claim(WEB, "shop"))
    theirs = asking.claim(claim(SITE, "site", "shop", product="product-2"))
    assert await refusal(theirs) == ("Conflict", f"namespace shop of cluster {cluster} is used by {WEB}")
    assert set(await asking.held()) == {WEB}


async def test_nobody_shares_a_namespace_with_a_pipeline_not_even_in_its_product(platform: Platform) -> None:
    cluster = unique("edge")
    asking = await granting(platform, cluster, ready(cluster, manifest=manifest(cluster, "pipeline")))
    await asking.claim(claim("pipeline/shop/build", "build", worker="pipeline"))
    other = asking.claim(claim("pipeline/shop/other", "build", worker="pipeline"))
    assert await refusal(other) == ("Conflict", f"namespace build of cluster {cluster} is used by pipeline/shop/build")


async def test_a_runtime_that_claims_again_replaces_its_claim(platform: Platform) -> None:
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    await asking.claim(claim(WEB, "one"))
    await asking.claim(claim(WEB, "two"))
    await asking.claim(claim(SITE, "one", product="product-2"))
    assert await asking.held() == {WEB: ["two"], SITE: ["one"]}


async def test_a_released_claim_leaves_the_namespaces_nobody_else_uses(platform: Platform) -> None:
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    await asking.claim(claim(WEB, "shop", "web"))
    await asking.claim(claim(API, "shop"))
    for _ in range(2):  # giving back twice answers the same
        assert await asking.release(claim(WEB, "shop", "web")) == ["web"]


async def test_a_change_reserves_and_its_runtime_claims_what_was_reserved(platform: Platform) -> None:
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    for _ in range(2):  # asking twice is asking once
        answer = await asking.reserve(wish("one", claim(WEB, "shop", "data"), environments=["test"]))
    assert (answer.cluster, answer.runtimes, answer.environments) == (cluster, [WEB], ["test"])
    assert (await asking.held("reservation"), await asking.environments()) == (
        {WEB: ["shop", "data"]},
        ["product-1/test"],
    )
    await asking.claim(claim(WEB, "shop"))
    assert (await asking.uses("test", runtimes=[WEB])).runtimes == [WEB], "it has yet to claim the other one"
    await asking.claim(claim(WEB, "shop", "data"))
    assert (await asking.uses("test", runtimes=[WEB])).runtimes == []
    assert await asking.held() == {WEB: ["shop", "data"]}


async def test_a_check_refuses_what_is_taken_and_keeps_nothing(platform: Platform) -> None:
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    await asking.reserve(wish("one", claim(WEB, "shop")).model_copy(update={"only_check": True}))
    theirs = claim("deployment/other/web", "shop", product="product-2")
    await asking.reserve(wish("two", theirs, product="product-2"))
    again = wish("three", claim(WEB, "shop")).model_copy(update={"only_check": True})
    assert "is used by deployment/other/web" in (await refusal(asking.reserve(again)))[1]


async def test_what_is_claimed_is_not_reserved_by_somebody_else_and_nothing_of_the_wish_stays(
    platform: Platform,
) -> None:
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    await asking.claim(claim(WEB, "shop"))
    theirs = [claim(f"deployment/docs/{each}", each, product="product-2") for each in ("docs", "shop")]
    refused = await refusal(asking.reserve(wish("two", *theirs, environments=["live"], product="product-2")))
    assert refused == ("Conflict", f"namespace shop of cluster {cluster} is used by {WEB}")
    assert (await asking.held("reservation"), await asking.environments()) == ({}, [])


async def test_what_is_reserved_is_neither_reserved_nor_claimed_by_somebody_else(platform: Platform) -> None:
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    await asking.reserve(wish("one", claim(WEB, "shop")))
    taken = ("Conflict", f"namespace shop of cluster {cluster} is used by {WEB}")
    theirs = claim(SITE, "shop", product="product-2")
    assert await refusal(asking.reserve(wish("two", theirs, product="product-2"))) == taken
    assert await refusal(asking.claim(theirs)) == taken
    await asking.reserve(wish("three", claim(API, "shop")))  # deployments of one product share


async def test_two_products_without_a_group_yet_are_two_products(platform: Platform) -> None:
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    new = {"product_id": "", "worker_type": "deployment", "namespaces": ["shop"]}
    first = wish("one", claim(WEB, "shop").model_copy(update={**new, "product": "shop"}), product="shop")
    second = wish("two", claim(SITE, "shop").model_copy(update={**new, "product": "docs"}), product="docs")
    await asking.reserve(first)
    assert (await refusal(asking.reserve(second)))[0] == "Conflict"
    third = claim(API, "shop").model_copy(update={**new, "product": "shop"})
    await asking.reserve(wish("three", third, product="shop"))


async def test_two_pipelines_of_one_change_do_not_get_one_namespace(platform: Platform) -> None:
    cluster = unique("edge")
    asking = await granting(platform, cluster, ready(cluster, manifest=manifest(cluster, "pipeline")))
    pipelines = [claim(f"pipeline/shop/{each}", "build", worker="pipeline") for each in ("one", "two")]
    kind, message = await refusal(asking.reserve(wish("one", *pipelines)))
    assert (kind, message.rpartition(" ")[2]) == ("Conflict", "pipeline/shop/two")


async def test_a_change_that_does_not_come_about_gives_back_its_own_and_no_more(platform: Platform) -> None:
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    await asking.reserve(wish("one", claim(WEB, "shop"), environments=["test"]))
    second = wish("two", claim(WEB, "other"), claim(API, "api"), environments=["test", "live"])
    await asking.reserve(second)
    for _ in range(2):
        await asking.unreserve(second)
    assert await asking.held("reservation") == {WEB: ["shop"]}, "as the change before left it"
    assert await asking.environments() == ["product-1/test"]
    await asking.unreserve(wish("nobody", environments=["test"]))
    assert await asking.environments() == ["product-1/test"]
    await asking.claim(claim(SITE, "api", product="product-2"))  # what was given back is free


async def test_a_product_reports_what_it_has_and_the_rest_is_dropped(platform: Platform) -> None:
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    await asking.reserve(wish("one", claim(WEB, "shop"), claim(API, "api"), environments=["test"]))
    await asking.reserve(wish("two", claim(SITE, "docs", product="product-2"), product="product-2"))
    for _ in range(2):
        await asking.uses("live", "test", runtimes=[WEB])
    assert await asking.held("reservation") == {WEB: ["shop"], SITE: ["docs"]}
    assert await asking.environments() == ["product-1/live", "product-1/test"]
    await asking.uses()
    assert (await asking.held("reservation"), await asking.environments()) == ({SITE: ["docs"]}, [])


async def test_a_namespace_that_is_reserved_is_not_left_to_nobody(platform: Platform) -> None:
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    await asking.claim(claim(WEB, "shop", "web"))
    await asking.reserve(wish("one", claim(API, "shop")))
    assert await asking.release(claim(WEB, "shop", "web")) == ["web"]


async def test_a_wish_of_another_kind_or_of_an_unknown_cluster_is_refused(platform: Platform) -> None:
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    input = wish("one", claim("pipeline/shop/build", "build", worker="pipeline"))
    wrong = ("Refused", f"cluster {cluster} is a deployment worker, not pipeline")
    assert await refusal(asking.reserve(input)) == wrong
    assert await refusal(asking.claim(input.claims[0])) == wrong
    big = await granting(platform, name := unique("big"), host(name))
    assert await refusal(big.reserve(input)) == ("Refused", f"cluster {name} is a host, not pipeline")
    await platform.start("NamespaceClaims", f"namespaces/{(nobody := unique('edge'))}", NamespacesStart(cluster=nobody))
    unknown = keep_claims(platform, nobody)
    assert await refusal(unknown.claim(claim(WEB, "shop"))) == ("NotFound", f"cluster {nobody} is not registered")


async def test_a_guest_has_a_place_on_a_host_and_on_nothing_else(platform: Platform) -> None:
    big = await granting(platform, name := unique("big"), host(name))
    place = claim("cluster/virt", "virt", product="", worker="host")
    await big.claim(place)
    edge = await granting(platform, other := unique("edge"), ready(other))
    assert await refusal(edge.claim(place)) == ("Refused", f"cluster {other} is a deployment worker, not host")


async def test_what_many_ask_at_once_is_decided_in_few_updates_and_each_gets_its_own_answer(platform: Platform) -> None:
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    await asking.claim(claim(SITE, "docs", product="product-2"))
    wanted = [claim(f"deployment/shop/{number}", f"shop-{number}") for number in range(200)]
    asked = [*(asking.claim(each) for each in wanted), asking.claim(claim(WEB, "docs"))]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each).__name__ for each in answers] == ["Grant"] * 200 + ["Conflict"]
    held = await platform.handle(asking.id).query("users", PageInput(limit=1000), result_type=UsersPage)
    assert held.total == 201
    history = platform.handle(asking.id).fetch_history_events()
    kinds = [each.WhichOneof("attributes") async for each in history]
    assert kinds.count("workflow_execution_update_accepted_event_attributes") <= 8


async def test_users_are_read_page_by_page(platform: Platform) -> None:
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    for number in range(12):
        await asking.claim(claim(f"deployment/shop/{number}", f"shop-{number}"))
    await asking.uses("live", "test")
    pages, page = [], PageInput(limit=5)
    while True:
        found = await platform.handle(asking.id).query("users", page, result_type=UsersPage)
        pages.append([each.name for each in found.users])
        assert found.total == 14
        if not found.after:
            break
        page = PageInput(limit=5, after=found.after)
    assert [len(each) for each in pages] == [5, 5, 4]
    names = [name for each in pages for name in each]
    assert all(before < after for before, after in pairwise(names[:12]))
    assert names[12:] == ["environment/product-1/live", "environment/product-1/test"]


async def test_the_claims_survive_when_their_history_starts_afresh(platform: Platform) -> None:
    platform.hurry(events_kept=40)
    asking = await granting(platform, cluster := unique("edge"), ready(cluster))
    await asking.reserve(wish("one", claim(WEB, "shop"), environments=["test"]))
    for number in range(20):
        await asking.claim(claim(f"deployment/shop/{number}", f"shop-{number}"))
    await platform.began_afresh(asking.id)
    theirs = claim(SITE, "shop-7", product="product-2")
    assert (await refusal(asking.claim(theirs)))[0] == "Conflict"
    await asking.unreserve(wish("one"))
    assert (await asking.held("reservation"), await asking.environments()) == ({}, [])
    assert len(await asking.held()) == 20


# Clusters and their claims


async def test_claims_wait_while_the_cluster_is_being_registered(platform: Platform) -> None:
    asking = keep_claims(platform, cluster := unique("edge"))
    handle = await started(platform, cluster)
    hold = platform.fakes.hold("components.install")
    operation = await submit(handle, registration(cluster))
    await hold.begun.wait()
    input = wish("one", environments=["test"])
    assert (await refusal(asking.reserve(input)))[0] == "Unavailable"
    assert (await refusal(asking.claim(claim(WEB, "shop"))))[0] == "Unavailable"
    hold.release()
    await platform.result(operation)
    await granted(platform, cluster)
    assert (await asking.reserve(input)).environments == ["test"]


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
    asking = keep_claims(platform, cluster := unique("edge"))
    handle = await started(platform, cluster, ready(cluster))
    await granted(platform, cluster)
    claims, environments = USERS[who]
    await asking.reserve(wish("one", *claims, environments=environments))
    if how == "claimed":
        for each in claims:
            await asking.claim(each)
        await asking.uses(*environments, runtimes=[WEB])
    report = await _removed(platform, handle.id, registration(cluster, "remove"))
    named = [*(each.runtime for each in claims), *(f"environment/product-1/{each}" for each in environments)]
    assert (report.state, report.message) == ("refused", f"cluster {cluster} is used by {', '.join(named)}")
    assert [(each.rule, each.message) for each in report.findings] == [
        ("cluster-in-use", f"cluster {cluster} is used by {each}") for each in named
    ]
    assert {name.partition(".")[0] for name in platform.fakes.names()} == {"claims"}, "nothing was done"
    assert (await shown(platform, handle)).phase == "Ready"


async def _removed(platform: Platform, key: str, request: ClusterRequest) -> RegistrationReport:
    found: RegistrationReport = await platform.result(await submit(platform.handle(key), request), RegistrationReport)
    return found


async def test_a_refused_removal_names_some_and_counts_all(platform: Platform) -> None:
    asking = keep_claims(platform, cluster := unique("edge"))
    handle = await started(platform, cluster, ready(cluster))
    await granted(platform, cluster)
    runtimes = [claim(f"deployment/shop/{number:04}", f"shop-{number}") for number in range(300)]
    await asyncio.gather(*(asking.claim(each) for each in runtimes))
    report = await _removed(platform, handle.id, registration(cluster, "remove"))
    assert len(report.findings) == 200
    assert report.message.endswith("deployment/shop/0019 and 280 more")


async def test_the_check_of_a_change_is_given_every_user(platform: Platform) -> None:
    asking = keep_claims(platform, cluster := unique("edge"))
    handle = await started(platform, cluster, ready(cluster))
    await granted(platform, cluster)
    await asking.reserve(wish("one", claim(WEB, "shop"), environments=["test"]))
    await asking.claim(claim(API, "api"))
    await platform.result(await submit(handle, registration(cluster)))
    assert platform.fakes.asked("clusters.check")[0].users == [API, WEB, "environment/product-1/test"]


async def test_no_claim_gets_in_while_the_cluster_is_being_removed_and_its_claims_end_with_it(
    platform: Platform,
) -> None:
    asking = keep_claims(platform, cluster := unique("edge"))
    handle = await started(platform, cluster, ready(cluster))
    await granted(platform, cluster)
    hold = platform.fakes.hold("components.remove")
    await submit(handle, registration(cluster, "remove"))
    await hold.begun.wait()
    assert (await refusal(asking.claim(claim(WEB, "shop"))))[0] == "Unavailable"
    hold.release()
    await handle.result()
    await platform.handle(asking.id).result()
    with pytest.raises(RPCError):
        await platform.handle(asking.id).signal("cluster_changed")


async def test_a_removal_that_was_refused_opens_the_cluster_again(platform: Platform) -> None:
    asking = keep_claims(platform, cluster := unique("edge"))
    handle = await started(platform, cluster, ready(cluster))
    await granted(platform, cluster)
    platform.fakes.fail("clusters.commit", Refused("tenant-unreadable", "clusters/other.yaml cannot be read"))
    report = await _removed(platform, handle.id, registration(cluster, "remove"))
    assert report.state == "refused"
    await granted(platform, cluster)
    await asking.claim(claim(WEB, "shop"))
