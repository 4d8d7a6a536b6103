"""What a claim of namespaces costs at 100 and at 10,000 claims of one cluster, one after the other and fifty at once.

`python bench/claims.py`: a development server of Temporal alone, and the real workflow and activities of the claims. The first
claims are carried in by continue-as-new, as a worker finds them. Reading all users, page by page, is measured as well. The
last line is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from activities.claims import ClaimActivities, ClaimsReader
from bench.prepared import script, verdict
from bench.servers import temporal_server
from nautes.messages import ids
from nautes.messages.claims import Claim, ClaimInput, ClusterFacts
from nautes.messages.secrets import SecretRef
from worker import runner
from workflows.claims_state import ClaimsState, NamespacesStart
from workflows.namespaces import NamespaceClaimsWorkflow

SIZES = (100, 10_000)
TIMES, AT_ONCE = 100, 50
BAR = 2.0  # times what a claim costs among a hundred


def claim(number: int) -> Claim:
    """One runtime of three hundred products."""
    product = f"team-{number % 300:03}"
    return Claim(
        runtime=f"deployment/{product}/web-{number}",
        product=product,
        product_id=f"product-{number % 300}",
        namespaces=[f"{product}-web-{number}"],
        worker_type="deployment",
    )


async def begin(client: Client, cluster: str, count: int) -> int:
    """A cluster with so many claims; characters of the state it was started with."""
    secret = SecretRef(engine="cluster", path=f"kubernetes/{cluster}/default/admin")
    facts = ClusterFacts(cluster=cluster, phase="Ready", worker="deployment", kubeconfig=secret)
    claims = {each.runtime: each for each in map(claim, range(count))}
    start = NamespacesStart.of(cluster, facts, ClaimsState(claims=claims))
    await client.start_workflow("NamespaceClaims", start, id=ids.namespaces(cluster), task_queue=ids.TASK_QUEUE)
    return len(start.packed)


async def timed(times: int, work: Callable[[int], Awaitable[Any]]) -> list[float]:
    """Seconds of each, one after the other."""
    took = []
    for number in range(times):
        began = time.perf_counter()
        await work(number)
        took.append(time.perf_counter() - began)
    return sorted(took)


async def measured(client: Client, count: int) -> dict[str, Any]:
    """Claims and releases among so many."""
    cluster = f"edge-{count}"
    activities, reader = ClaimActivities(client), ClaimsReader(client)
    packed = await begin(client, cluster, count)

    async def there_and_back(number: int) -> None:
        input = ClaimInput(cluster=cluster, claim=claim(1_000_000 + number))
        await activities.claim(input)
        await activities.release(input)

    async def many(number: int) -> None:
        await asyncio.gather(*(there_and_back(number * AT_ONCE + each) for each in range(AT_ONCE)))

    await there_and_back(0)
    alone, together = await timed(TIMES, there_and_back), await timed(10, many)
    began = time.perf_counter()
    users = [each async for each in reader.all_users(cluster)]
    read = time.perf_counter() - began
    assert len(users) == count, len(users)
    return {
        "claims": count,
        "state": packed,
        "claim and release, median": round(statistics.median(alone), 4),
        "p95": round(alone[int(TIMES * 0.95) - 1], 4),
        "fifty at once, each": round(statistics.median(together) / AT_ONCE, 4),
        "all users read": round(read, 3),
    }


async def measure(address: str) -> list[dict[str, Any]]:
    """Both sizes, on one server and one worker."""
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    worker = Worker(client, task_queue=ids.TASK_QUEUE, workflows=[NamespaceClaimsWorkflow], workflow_runner=runner())
    async with worker:
        return [await measured(client, each) for each in SIZES]


def figures() -> tuple[dict[str, Any], bool]:
    """Print them."""
    with temporal_server() as address:
        few, many = asyncio.run(measure(address))
    for each in (few, many):
        print(each)
    ratio = many["claim and release, median"] / few["claim and release, median"]
    held = verdict("claim at 10,000 against at 100", ratio, BAR)
    return {"few": few, "many": many, "ratio": round(ratio, 2)}, held


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    sys.exit(script(figures))
