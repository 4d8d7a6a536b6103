"""What people wait for a list: the runtimes of a product with 1,000 of them, and a page of 10,000 pipeline runs.

`python bench/status.py`: a development server of Temporal alone. The workflows are started with the memo and the search
attributes that ours publish; nothing runs them, because a list asks none. What is measured is the API's own code
(api/lists.py, api/status.py) without HTTP and without GitLab's answer about rights. The last line is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.contrib.pydantic import pydantic_data_converter

from api import lists
from api.state import State
from api.status import listed as tree_of
from bench.servers import temporal_server
from nautes.messages import search
from nautes.messages.convergence import ObjectHealth
from nautes.messages.status import MEMO, DeploymentStatus, ProductStatus, RunStatus, RuntimeLine

PRODUCT, PRODUCT_ID = "shop", "product-7"
RUNTIMES, RUNS, ASKED = 1_000, 10_000, 50
PAGE = 250  # runtimes in one answer
BAR = 0.3  # seconds, the 95th percentile
AT_ONCE = 40


def deployment(number: int) -> DeploymentStatus:
    """Every tenth one waits for its objects."""
    waits = number % 10 == 0
    bad = [ObjectHealth(kind="Deployment", namespace="shop", name="web", status="InProgress", reason="0 of 1 ready")]
    return DeploymentStatus(
        product=PRODUCT,
        runtime=f"web-{number:04}",
        cluster="edge",
        phase="Waiting" if waits else "Converged",
        revision="main",
        commit="c" * 40,
        converged_commit="c" * 40,
        finished="2026-11-28T12:00:00Z",
        unhealthy=bad if waits else [],
    )


def run(number: int) -> RunStatus:
    """One that has succeeded."""
    return RunStatus(
        product=PRODUCT,
        runtime="build",
        event=f"{number:012x}",
        trigger="pushes-ci",
        pipeline="ci",
        ref="refs/heads/main",
        commit="c" * 40,
        phase="Succeeded",
        steps=[f"build/step-{each}: Completed" for each in range(5)],
    )


async def start(client: Client, kind: str, key: str, status: DeploymentStatus | RunStatus) -> None:
    """A workflow as lists see it."""
    values = {search.KIND: kind, search.PRODUCT: PRODUCT, search.PRODUCT_ID: PRODUCT_ID, search.PHASE: status.phase}
    await client.start_workflow(
        kind,
        id=key,
        task_queue="nobody",
        memo={MEMO: status.model_dump(mode="json", exclude_defaults=True)},
        search_attributes=TypedSearchAttributes([SearchAttributePair(key, value) for key, value in values.items()]),
    )


async def fill(client: Client) -> None:
    """Start everything, some at a time."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(kind: str, key: str, status: DeploymentStatus | RunStatus) -> None:
        async with turns:
            await start(client, kind, key, status)

    await asyncio.gather(
        *(one("Deployment", f"deployment/{PRODUCT}/web-{each:04}", deployment(each)) for each in range(RUNTIMES)),
        *(one("PipelineRun", f"run/{PRODUCT}/build/{each:012x}-pushes-ci", run(each)) for each in range(RUNS)),
    )


async def listed(client: Client, kind: str, count: int) -> None:
    """Wait until visibility has all of them: it lags."""
    while (await client.count_workflows(f"NautesKind = '{kind}'")).count < count:  # noqa: ASYNC110 - nothing reports it
        await asyncio.sleep(0.5)


async def measured(look: Callable[[], Awaitable[Any]]) -> dict[str, float]:
    """Seconds of `ASKED` looks, one after the other."""
    took = []
    for _ in range(ASKED):
        began = time.perf_counter()
        await look()
        took.append(time.perf_counter() - began)
    took.sort()
    return {"median": round(statistics.median(took), 4), "p95": round(took[int(len(took) * 0.95) - 1], 4)}


async def measure(address: str) -> dict[str, Any]:
    """Fill the server and look."""
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    await fill(client)
    await listed(client, "Deployment", RUNTIMES)
    await listed(client, "PipelineRun", RUNS)
    lines = [
        RuntimeLine(
            kind="DeploymentRuntime",
            name=f"web-{each:04}",
            environment="test",
            workflow=f"deployment/{PRODUCT}/web-{each:04}",
        )
        for each in range(RUNTIMES)
    ]
    product = ProductStatus(path=PRODUCT, id=PRODUCT_ID, runtimes=lines, environments={"test": "edge"})
    shared = cast("State", SimpleNamespace(temporal=client))
    runs = f"NautesKind = 'PipelineRun' AND NautesProductId = '{PRODUCT_ID}'"

    async def tree() -> None:
        found = await tree_of(shared, product, lines[:PAGE], DeploymentStatus)
        assert len(found) == PAGE and sum(each.phase == "Waiting" for each in found) == PAGE / 10

    async def page() -> None:
        assert len((await lists.page(client, runs, RunStatus, 100)).items) == 100

    return {"status, 250 of 1,000 runtimes": await measured(tree), "100 of 10,000 runs": await measured(page)}


def main() -> int:
    """Print the figures; 1 when a bar is not held."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with temporal_server() as address:
        found = asyncio.run(measure(address))
    held = all(each["p95"] <= BAR for each in found.values())
    for what, each in found.items():
        print(f"{what}: median {each['median']:.3f} s, p95 {each['p95']:.3f} s of {ASKED} (bar {BAR} s)")
    print(json.dumps({**found, "held": held}))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
