"""How long GitLab waits for the answer to a webhook: 202 comes when Temporal has taken the event, and not before.

`python bench/webhooks.py`: the whole platform, embedded, with one product as in the main process. Deliveries are those of a real
push to its manifest repository, signed with the hook's own secret (Standard Webhooks), each about other commits, over a
connection of its own as GitLab sends them, at a steady pace below the limit of the receiver. Every one of them wakes the product,
which wakes the deployment, which reads its repository and its cluster: the platform works on earlier deliveries while it
receives more. Last, as many at once as the limit allows. Sweeps are switched off. The last line is JSON.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import secrets
import sys
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx2

from api.hooks import BURST, RATE
from bench.prepared import flavour, platform, script, spread, vault_of, verdict
from nautes.blueprints.vault import hook_path
from nautes.messages.secrets import SecretRef
from nautes_sandbox.actions import quoted
from nautes_sandbox.scenario import Scenario, StepFailedError

BAR = 50.0  # milliseconds, 99 of 100 deliveries
PACE = 0.75 * RATE  # deliveries per second
CONNECTIONS = 8  # of a burst
ATTEMPT = 10.0  # seconds GitLab gives a receiver


@dataclass(frozen=True)
class Hook:
    """A repository's webhook: its address, its secret, and the last push it delivered."""

    url: str
    secret: bytes
    told: dict[str, Any]

    def delivery(self) -> tuple[bytes, dict[str, str]]:
        """Body and headers of a push that was not delivered yet."""
        body = json.dumps({**self.told, "before": self.told["after"], "after": secrets.token_hex(20)}).encode()
        key, stamp = str(uuid.uuid4()), str(int(time.time()))
        mac = hmac.new(self.secret, f"{key}.{stamp}.".encode() + body, hashlib.sha256).digest()
        return body, {
            "content-type": "application/json",
            "idempotency-key": key,
            "x-gitlab-event": "Push Hook",
            "webhook-id": key,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        }


def hook_of(actions: Scenario, repository: str) -> Hook:
    """The hook of a repository that was pushed to, as GitLab and Vault have it."""
    project = actions.gitlab(f"/projects/{quoted(repository)}")["id"]
    hook = actions.gitlab(f"/projects/{project}/hooks")[0]
    told = actions.gitlab(f"/projects/{project}/hooks/{hook['id']}/events")[0]["request_data"]
    secret = vault_of(actions.world).value(SecretRef(engine="git", path=hook_path(project)), "token")
    return Hook(hook["url"], base64.b64decode(secret), told)


def send(client: httpx2.Client, hook: Hook) -> tuple[int, float]:
    """Status and milliseconds of one delivery."""
    body, headers = hook.delivery()
    began = time.perf_counter()
    answer = client.post(hook.url, content=body, headers=headers)
    return answer.status_code, (time.perf_counter() - began) * 1000


def steady(hook: Hook, count: int) -> list[float]:
    """Milliseconds of each delivery, one after the other at the pace; every one has to be taken."""
    found = []
    with httpx2.Client(timeout=ATTEMPT, limits=httpx2.Limits(max_keepalive_connections=0)) as client:
        began = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, began + number / PACE - time.monotonic()))
            status, took = send(client, hook)
            if status != 202:
                raise StepFailedError(f"delivery {number} was answered {status}")
            found.append(took)
    return found


def burst(hook: Hook, count: int) -> tuple[list[float], Counter[int]]:
    """Milliseconds of each delivery and how many got which status, over a few connections that are kept."""
    limits = httpx2.Limits(max_connections=CONNECTIONS)
    with httpx2.Client(timeout=ATTEMPT, limits=limits) as client, ThreadPoolExecutor(CONNECTIONS) as pool:
        sent = list(pool.map(lambda _: send(client, hook), range(count)))
    return [took for _, took in sent], Counter(status for status, _ in sent)


def main() -> int:
    """Print a table and, last, one line of JSON; 1 when the bar is not held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=300)
    given = parser.parse_args()

    def measure() -> tuple[dict[str, Any], bool]:
        kind = flavour()
        with platform(Scenario, kubernetes=kind) as actions:
            actions.register_clusters()
            actions.initialize_product()
            actions.deploy()
            hook = hook_of(actions, f"{actions.product}/deploy")
            one_by_one = spread(steady(hook, given.deliveries))
            times, statuses = burst(hook, int(BURST))
        at_once = spread(times)
        print(f"\nwebhooks answered, {kind} API server; ms:                 median     p99     min     max")
        for label, each in (
            (f"{given.deliveries} at {PACE:g} per second", one_by_one),
            (f"{int(BURST)} at once over {CONNECTIONS} connections", at_once),
        ):
            print(f"  {label:46} {each['median']:10.1f} {each['p99']:7.1f} {each['min']:7.1f} {each['max']:7.1f}")
        print(f"  answers to the burst: {', '.join(f'{count} x {status}' for status, count in statuses.items())}")
        held = verdict("99th percentile at the steady pace, ms", one_by_one["p99"], BAR)
        found = {"bench": "webhooks", "kubernetes": kind, "ms": {"steady": one_by_one, "burst": at_once}}
        return {**found, "deliveries": given.deliveries, "burst": dict(statuses)}, held

    return script(measure)


if __name__ == "__main__":
    sys.exit(main())
