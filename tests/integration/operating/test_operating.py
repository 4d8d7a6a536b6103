"""The platform as its operators see it: health, metrics, logs and traces of a run of the main process, with trouble in it.

The tests build on each other: they are one story told in order, in one world.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from temporalio.client import Client

from nautes.messages import ids, queues
from nautes_sandbox.scenario import Scenario
from nautes_sandbox.world import World
from tests import promql
from tests.integration import histories, secrets
from tests.integration.operating.collector import Collector, Recorded
from tests.integration.operating.scrape import scrape

SYSTEMS = ("temporal", "gitlab", "vault")
QUEUES = tuple(f"queue {each}" for each in queues.ALL)
OUTSIDE = "/readyz?exclude=gitlab&exclude=vault&exclude=queues"


def _get(url: str) -> tuple[int, dict[str, str]]:
    answer = httpx2.get(url, timeout=20)
    return answer.status_code, answer.json()


def test_without_a_worker_the_api_says_that_nobody_polls_and_stays_in_service(world: World) -> None:
    status, found = _get(f"{world.api_url}/readyz")
    assert (status, found["status"]) == (503, "unavailable")
    assert {name: found[name] for name in SYSTEMS} == dict.fromkeys(SYSTEMS, "ok")
    assert {found[name] for name in QUEUES} <= {
        f"no worker polls for {each} tasks" for each in ("workflow", "activity")
    }
    assert _get(f"{world.api_url}{OUTSIDE}")[0] == 200
    assert _get(f"{world.api_url}/healthz")[0] == 200
    assert scrape(world, "api").value("nautes_queue_pollers") == 0


def test_with_a_worker_everything_is_ready_and_named(scenario: Scenario) -> None:
    world = scenario.world
    world.restart("worker")
    for url in (world.api_url, world.metrics_urls["worker"]):
        scenario.until(lambda url=url: _get(f"{url}/readyz")[0] == 200, f"{url} is ready")  # type: ignore[misc]
        expected = dict.fromkeys(("status", *SYSTEMS, *QUEUES), "ok")
        assert _get(f"{url}/readyz") == (200, expected)
    assert _get(f"{world.metrics_urls['worker']}/healthz") == (200, {"status": "ok"})
    assert _get(f"{world.metrics_urls['worker']}/readyz?exclude=gitlap")[0] == 400
    assert _get(f"{world.api_url}/readyz?exclude=gitlap")[0] == 422


def test_the_main_process_is_counted(scenario: Scenario) -> None:
    scenario.install()
    scenario.register_clusters()
    scenario.initialize_product()
    scenario.deploy()
    scenario.change_one()
    scenario.correct_drift()
    scenario.run_pipeline()
    found = scrape(scenario.world, "worker")
    for system in ("gitlab", "vault", "git"):
        assert found.value("nautes_client_requests_total", system=system, outcome="ok") > 0, system
    for cluster in ("deploy", "pipeline"):
        assert found.value("nautes_client_requests_total", system="kubernetes", cluster=cluster, outcome="ok") > 20
        assert "nautes_circuit_open" in found.names and found.value("nautes_circuit_open", cluster=cluster) == 0
    assert found.value("nautes_client_request_duration_seconds_count", system="vault") > 20
    assert found.value("nautes_convergence_seconds_count", cause="change") >= 2
    assert found.value("nautes_convergence_seconds_count", cause="drift") >= 1
    assert found.value("nautes_convergences_total", outcome="converged") >= 3
    assert found.value("nautes_drift_corrected_total", cluster="deploy") == 1
    assert found.value("nautes_changes_total", outcome="done") == 1
    assert found.value("nautes_pushes_total", outcome="delivered") >= 2
    for queue in queues.ALL:
        assert found.value("temporal_worker_task_slots_available", task_queue=queue) > 0
        assert found.value("nautes_queue_pollers", queue=queue, type="activity") == 1
    days = [
        found.value("nautes_credential_expiration_timestamp_seconds", credential=each)
        for each in ("products", "gitlab")
    ]
    assert all(each > 1.7e9 for each in days)


def test_requests_are_counted_by_route_and_deliveries_by_outcome(scenario: Scenario) -> None:
    world = scenario.world
    httpx2.post(f"{world.api_url}/api/v1/hooks/gitlab/1", json={})
    httpx2.get(f"{world.api_url}/no/such/shop")
    httpx2.request("BREW", f"{world.api_url}/api/v1/products/shop/status")
    httpx2.head(f"{world.api_url}/api/v1/products/a%2Fb/status")
    found = scrape(world, "api")
    assert found.value("nautes_http_requests_total", method="POST", route="/api/v1/apply", status="200") == 2
    hook = "/api/v1/hooks/gitlab/{project_id}"
    assert found.value("nautes_http_requests_total", method="POST", route=hook, status="401") == 1
    assert found.value("nautes_http_requests_total", method="GET", route="unknown", status="404") == 1
    assert found.value("nautes_http_requests_total", method="unknown", route="unknown", status="405") == 1
    status = "/api/v1/products/{product_name}/status"
    assert found.value("nautes_http_requests_total", method="HEAD", route=status, status="401") == 1
    assert found.value("nautes_http_request_duration_seconds_count", route="/api/v1/apply") == 2
    assert found.value("nautes_webhooks_total", outcome="accepted") >= 3
    assert found.value("nautes_webhooks_total", outcome="unsigned") == 1
    assert found.value("nautes_client_requests_total", system="gitlab", outcome="ok") > 5
    assert found.value("temporal_request_total") > 5


def test_metrics_are_not_on_the_port_of_the_api(world: World) -> None:
    assert httpx2.get(f"{world.api_url}/metrics").status_code == 404
    assert all(urlsplit(each).hostname == "127.0.0.1" for each in world.metrics_urls.values())


def test_a_cluster_that_does_not_answer_is_seen(scenario: Scenario) -> None:
    world = scenario.world
    world.kill("deploy-apiserver")
    try:
        tree = scenario.clone("shop/deploy")
        (tree / "production" / "late.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late}\n")
        commit = scenario.push(tree, "while the cluster is away")
        gone = {"system": "kubernetes", "cluster": "deploy", "outcome": "unanswered"}
        scenario.until(
            lambda: scrape(world, "worker").value("nautes_circuit_open", cluster="deploy") == 1, "it is left alone"
        )
        assert scrape(world, "worker").value("nautes_client_requests_total", **gone) >= 3
        assert _get(f"{world.metrics_urls['worker']}/readyz")[0] == 200, "one cluster is not the platform"
    finally:
        world.up()
    scenario.until(lambda: scenario.deployment()["converged_commit"] == commit, "the push is deployed")
    assert scrape(world, "worker").value("nautes_circuit_open", cluster="deploy") == 0


async def test_a_bug_is_counted_and_shown_until_it_is_mended(scenario: Scenario) -> None:
    """The cache of repositories is no directory any more: git.fetch fails as nobody has foreseen."""
    world = scenario.world
    cache, aside = world.directory / "state" / "nautes" / "git", world.directory / "aside"
    cache.rename(aside)
    cache.write_text("no directory")
    tree = scenario.clone("shop/deploy")
    (tree / "production" / "later.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: later}\n")
    commit = scenario.push(tree, "while the cache is broken")
    scenario.until(lambda: scrape(world, "worker").value("nautes_workflows_stopped") == 1, "the step has stopped")
    assert scrape(world, "worker").value("nautes_bugs_total", workflow_type="Deployment") == 1
    cache.unlink()
    aside.rename(cache)
    client = await Client.connect(world.temporal_address)
    await client.get_workflow_handle(ids.deployment("shop", "web")).signal("retry")
    scenario.until(lambda: scenario.deployment()["converged_commit"] == commit, "the push is deployed")
    scenario.until(lambda: scrape(world, "worker").value("nautes_workflows_stopped") == 0, "no step has stopped")


async def test_workflow_code_that_fails_is_counted(scenario: Scenario) -> None:
    world = scenario.world
    client = await Client.connect(world.temporal_address)
    stray = await client.start_workflow("NobodyKnowsIt", id="stray", task_queue=ids.TASK_QUEUE)
    name = "temporal_workflow_task_execution_failed_total"
    scenario.until(lambda: scrape(world, "worker").value(name) > 0, "the failure is counted")
    await stray.terminate()


def test_every_metric_of_the_dashboard_and_of_the_alerts_is_in_a_real_scrape(world: World) -> None:
    found = scrape(world, "worker").names | scrape(world, "api").names
    missing = {name: users for name, users in promql.used().items() if name not in found}
    assert missing == {}


@pytest.mark.parametrize("process", ["worker", "api"])
def test_no_label_holds_a_secret_or_what_somebody_has_written(scenario: Scenario, process: str) -> None:
    values = scrape(scenario.world, process).labels
    assert secrets.within("\n".join(values), secrets.of(scenario)) == []
    assert [each for each in values if "shop" in each or "127.0.0.1" in each] == []


def _log(world: World, process: str) -> list[dict[str, Any]]:
    """Every line, as it is: JSON."""
    return [json.loads(line) for line in world.supervisor.log(process).read_text().splitlines()]


def test_every_line_of_the_log_is_json_that_says_what_it_is_about(world: World) -> None:
    accepted = [each for each in _log(world, "api") if str(each["message"]).endswith(" is accepted")]
    assert {each.get("product") for each in accepted} == {"shop", None}
    assert {each.get("cluster") for each in accepted} == {"deploy", "pipeline", None}
    assert all(each["operation"].startswith(("change/", "registration/")) and each["trace_id"] for each in accepted)
    worker = _log(world, "worker")
    [stopped] = [each for each in worker if "stopped: Unexpected: " in str(each["message"])]
    expected = {"workflow_id": "deployment/shop/web", "product": "shop", "cluster": "deploy", "level": "ERROR"}
    assert expected.items() <= stopped.items() and stopped["run_id"] and stopped["attempt"] == 1
    fetched = [each for each in worker if each.get("activity") == "git.fetch" and "error" in each]
    assert fetched and {each["workflow_id"] for each in fetched} == {"deployment/shop/web"}
    away = [each for each in worker if each.get("activity") == "kubernetes.converge" and "error" in each]
    assert away and {(each["product"], each["cluster"]) for each in away} == {("shop", "deploy")}


@pytest.mark.parametrize("process", ["worker", "api"])
def test_no_line_of_the_log_holds_a_secret(scenario: Scenario, process: str) -> None:
    text = scenario.world.supervisor.log(process).read_text()
    assert secrets.within(text, secrets.of(scenario)) == []


def _change_of(spans: list[Recorded]) -> list[list[Recorded]]:
    """The traces in which the product was changed by a request."""
    traces = [each.trace for each in spans if each.name == "RunWorkflow:Change"]
    return [[each for each in spans if each.trace == trace] for trace in traces]


def _above(span: Recorded, trace: list[Recorded]) -> list[str]:
    """Names of the spans from the beginning of the trace to this one, as far as their parents are known."""
    known = {each.id: each for each in trace}
    names = [span.name]
    while span.parent in known:
        span = known[span.parent]
        names.insert(0, span.name)
    return names


def test_one_trace_goes_from_the_request_to_the_outside_call(scenario: Scenario, collector: Collector) -> None:
    scenario.initialize_product()  # the same again: another request, and a trace of its own
    scenario.until(lambda: len(_change_of(collector.spans)) == 2, "both changes have been exported")
    first, second = _change_of(collector.spans)
    assert first[0].trace != second[0].trace
    hosts = {urlsplit(each).netloc: name for each, name in _addresses(scenario.world).items()}
    for trace in (first, second):
        assert {each.service for each in trace} == {"nautes-api", "nautes-worker"}
        calls = [each for each in trace if each.service == "nautes-worker" and _host(each) in hosts]
        for system in {hosts[_host(each)] for each in calls}:
            chain = next(_above(each, trace) for each in calls if hosts[_host(each)] == system)
            assert chain[0] == "POST /api/v1/apply", (system, chain)
            order = ["HandleUpdate:submit", "StartChildWorkflow:Change", "RunWorkflow:Change"]
            places = [chain.index(each) for each in order]
            assert places == sorted(places) and chain[places[-1] + 1].startswith("StartActivity:")
            assert chain[places[-1] + 2].startswith("RunActivity:")
    assert {hosts[_host(each)] for each in first if _host(each) in hosts} == {"gitlab", "vault"}
    assert any(each.name == "git fetch" for each in collector.spans)


def _addresses(world: World) -> dict[str, str]:
    return {world.gitlab_url: "gitlab", world.vault_url: "vault"}


def _host(span: Recorded) -> str:
    return urlsplit(span.attributes.get("http.url") or span.attributes.get("url.full") or "").netloc


def test_no_span_holds_a_secret_or_a_query(scenario: Scenario, collector: Collector) -> None:
    httpx2.get(f"{scenario.world.api_url}/api/v1/products?private_token=glpat-0123456789abcdef")
    scenario.until(lambda: any("/api/v1/products" in each.name for each in collector.spans), "the request is exported")
    spans = collector.spans
    text = "\n".join(str(each) for each in spans)
    assert secrets.within(text, secrets.of(scenario)) == []
    assert [each for each in spans for value in each.attributes.values() if "?" in value and "/" in value] == []
    assert not [each for each in spans if "readyz" in each.name or "healthz" in each.name]


async def test_histories_that_were_written_with_traces_replay_without(world: World) -> None:
    await histories.replay([each for each in await histories.of(world.temporal_address) if each.id != "stray"])


def test_the_scrapes_are_kept_small(world: World) -> None:
    """What a run of the main process leaves: a few thousand series at most, of ours and of the SDK."""
    for process, most in (("worker", 3000), ("api", 1000)):
        assert len([1 for each in scrape(world, process).families for _ in each.samples]) < most
