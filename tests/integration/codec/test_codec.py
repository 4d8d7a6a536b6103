"""The main process with the payload codec on: Temporal holds nothing to read, and people read what is theirs through the API."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from typing import Any

import httpx2
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from temporalio.api.workflowservice.v1 import DescribeScheduleRequest
from temporalio.client import Client

from nautes_sandbox import temporal
from nautes_sandbox.scenario import Scenario
from tests import payloads
from tests.integration.api.support import problem
from tests.integration.codec.conftest import RIVAL

DECODE, ENCODE = "/api/v1/codec/decode", "/api/v1/codec/encode"
OWN, FOREIGN, CLUSTER = "deployment/shop/web", f"product/{RIVAL}", "cluster/deploy"
MINE = [
    {"metadata": {"encoding": base64.b64encode(b"json/plain").decode()}, "data": base64.b64encode(b'"hi"').decode()}
]

Kept = dict[str, list[dict[str, Any]]]  # payloads as JSON, by workflow


@pytest.fixture(scope="session")
async def client(shop: Scenario) -> Client:
    """What anybody sees who reaches Temporal, without a key."""
    return await Client.connect(shop.world.temporal_address)


async def messages(client: Client, workflow_id: str, run_id: str | None = None) -> list[Message]:
    """A workflow's description and history."""
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    return [(await handle.describe()).raw_description, *(await handle.fetch_history()).events]


@pytest.fixture(scope="session")
async def kept(client: Client) -> Kept:
    """Some payloads of each workflow of interest, as JSON."""
    found = {}
    for name in (OWN, FOREIGN, CLUSTER, "tenant"):
        every = [each for part in await messages(client, name) for each in payloads.payloads(part)]
        assert len(every) > 3
        found[name] = [MessageToDict(each) for each in every[:20]]
    return found


def asked(shop: Scenario, who: str | None, given: Any, path: str = DECODE, **headers: str) -> httpx2.Response:
    """What the endpoint answers."""
    return shop.api("POST", path, who, json={"payloads": given}, headers={"X-Namespace": "default", **headers})


def opened(shop: Scenario, who: str, given: list[dict[str, Any]]) -> list[bool]:
    """Which of the payloads a person can read; the others come back as they were."""
    answer = asked(shop, who, given)
    assert answer.status_code == 200, answer.text
    found = answer.json()["payloads"]
    same = [before == after for before, after in zip(given, found, strict=True)]
    plain = [base64.b64decode(each["metadata"]["encoding"]) != b"binary/encrypted" for each in found]
    assert same == [not each for each in plain]
    return plain


async def test_nothing_in_temporal_can_be_read(shop: Scenario, client: Client) -> None:
    kinds, count = set(), 0
    async for each in client.list_workflows():
        found = await messages(client, each.id, each.run_id)
        assert payloads.plain(found) == [], each.id
        assert payloads.plain([each.raw_info]) == [], f"{each.id} in a list"
        kinds.add(each.workflow_type)
        count += sum(1 for part in found for _ in payloads.payloads(part))
    assert kinds >= {"Tenant", "Cluster", "Registration", "Product", "Change", "Deployment", "Pipeline", "PipelineRun"}
    assert count > 200
    async for schedule in await client.list_schedules():
        request = DescribeScheduleRequest(namespace="default", schedule_id=schedule.id)
        assert payloads.plain([await client.workflow_service.describe_schedule(request)]) == [], schedule.id


def test_people_see_what_is_theirs_and_nothing_else(shop: Scenario, kept: Kept) -> None:
    everything = {name: set(opened(shop, "team", given)) for name, given in kept.items()}
    assert everything == {OWN: {True}, FOREIGN: {False}, CLUSTER: {False}, "tenant": {False}}
    everything = {name: set(opened(shop, "rival", given)) for name, given in kept.items()}
    assert everything == {OWN: {False}, FOREIGN: {True}, CLUSTER: {False}, "tenant": {False}}
    everything = {name: set(opened(shop, "platform", given)) for name, given in kept.items()}
    assert everything == {OWN: {False}, FOREIGN: {False}, CLUSTER: {True}, "tenant": {True}}


def test_administrators_see_everything(shop: Scenario, kept: Kept) -> None:
    headers = {"Authorization": f"Bearer {shop.world.root_token}"}
    for given in kept.values():
        found = asked(shop, None, given, **headers).json()["payloads"]
        assert all(before != after for before, after in zip(given, found, strict=True))


def test_in_one_request_each_payload_counts_for_itself(shop: Scenario, kept: Kept) -> None:
    mixed = [kept[OWN][0], kept[FOREIGN][0], kept[OWN][1], kept[CLUSTER][0]]
    assert opened(shop, "team", mixed) == [True, False, True, False]


@pytest.mark.parametrize("path", [DECODE, ENCODE])
def test_nobody_is_served_without_a_token(shop: Scenario, kept: Kept, path: str) -> None:
    problem(asked(shop, None, kept[OWN], path), 401, "token-missing")
    bad = {"Authorization": "Bearer glpat-wrong-0123456789abcdef"}
    problem(asked(shop, None, kept[OWN], path, **bad), 401, "gitlab-unauthenticated")


def test_changed_payloads_come_back_like_those_of_others(shop: Scenario, kept: Kept) -> None:
    def metadata(name: str, value: bytes) -> dict[str, Any]:
        given = kept[FOREIGN][0]
        return {**given, "metadata": {**given["metadata"], name: base64.b64encode(value).decode()}}

    changed = [
        {**kept[OWN][0], "data": base64.b64encode(b"no nonce").decode()},
        metadata("workflow-id", OWN.encode()),
        metadata("encryption-key-id", b"another"),
        metadata("encryption-data-key", b"vault:v1:AAAA"),
    ]
    assert opened(shop, "team", [*changed, kept[FOREIGN][0]]) == [False] * 5


def test_what_is_no_payload_is_refused(shop: Scenario, kept: Kept) -> None:
    problem(asked(shop, "team", [7]), 422, "payloads-invalid")
    problem(asked(shop, "team", kept[OWN], **{"X-Namespace": "another"}), 404, "namespace-unknown")
    problem(asked(shop, "team", [{"data": "A" * (1 << 20)}]), 413, "body-too-large")
    assert asked(shop, "team", []).json() == {"payloads": []}
    assert asked(shop, "team", MINE).json() == {"payloads": MINE}, "what is plain comes back as it is"


def test_what_people_send_is_encrypted_and_for_administrators(shop: Scenario) -> None:
    encoded = asked(shop, "team", MINE, ENCODE).json()["payloads"]
    assert opened(shop, "team", encoded) == [False]
    headers = {"Authorization": f"Bearer {shop.world.root_token}"}
    assert asked(shop, None, encoded, **headers).json()["payloads"] == MINE


def test_pages_of_temporal_ui_may_ask_and_no_others(shop: Scenario, kept: Kept) -> None:
    wanted = "authorization,authorization-extras,content-type,x-namespace"
    path = f"{DECODE}?preserveStorageRefs=true"  # as Temporal UI asks
    for origin, allowed in ((shop.world.temporal_ui_url, shop.world.temporal_ui_url), ("http://evil.example", None)):
        before = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": wanted}
        preflight = shop.api("OPTIONS", path, None, headers={"Origin": origin, **before})
        assert preflight.headers.get("access-control-allow-origin") == allowed
        assert (preflight.status_code == 200) is (allowed is not None)
        for who, status in (("team", 200), (None, 401)):
            answer = asked(shop, who, kept[OWN], path, Origin=origin, **{"Authorization-Extras": "an id token"})
            assert answer.status_code == status
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert "access-control-allow-credentials" not in answer.headers
    other = shop.api("GET", "/api/v1/products", "team", headers={"Origin": shop.world.temporal_ui_url})
    assert "access-control-allow-origin" not in other.headers, "it is for this endpoint only"


@pytest.mark.parametrize(("who", "reads"), [("team", True), ("rival", False)])
def test_the_temporal_command_shows_it_to_those_it_belongs_to(shop: Scenario, who: str, reads: bool) -> None:
    command = [
        temporal.binary(),
        "workflow",
        "show",
        "--workflow-id",
        OWN,
        "--output",
        "json",
        "--no-json-shorthand-payloads",
    ]
    command += ["--address", shop.world.temporal_address, "--codec-endpoint", f"{shop.world.api_url}/api/v1/codec"]
    command += ["--codec-auth", f"Bearer {shop.people[who].token}", "--disable-config-file"]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    first = json.loads(done.stdout)["events"][0]["workflowExecutionStartedEventAttributes"]["input"]["payloads"][0]
    assert (base64.b64decode(first["metadata"]["encoding"]) == b"json/plain") is reads
    assert (b'"product":"shop"' in base64.b64decode(first["data"])) is reads


def test_the_platform_itself_reads_on(shop: Scenario) -> None:
    entries = shop.api("GET", "/api/v1/products/shop/timeline", "team").json()["items"]
    assert {each["requester"]["username"] for each in entries} >= {"team"}
    assert all(call["summary"] for each in entries for call in each["calls"])


def test_vault_was_asked_per_process_and_not_per_payload(shop: Scenario) -> None:
    log = (shop.world.directory / "openbao" / "audit.log").read_text()
    requests = [entry["request"]["path"] for entry in map(json.loads, log.splitlines()) if entry["type"] == "request"]
    made = requests.count("transit/datakey/plaintext/nautes")
    assert made == 2, "one of the worker, one of the API"
    assert 1 <= requests.count("transit/decrypt/nautes") <= 10
