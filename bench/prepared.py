"""What the measurements of a running platform share: an embedded world that always ends, and figures as people read them.

Used by the scripts beside it. Everything listens on loopback and is forgotten afterwards, also when the script is told to end.
"""

from __future__ import annotations

import json
import math
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import yaml

from nautes.clients.vault import Vault
from nautes_sandbox.kubernetes import assets
from nautes_sandbox.scenario import Scenario, StepFailedError
from nautes_sandbox.world import CLUSTERS, World

QUIET = {
    "NAUTES_SWEEP_SECONDS": "600",
}  # only webhooks report pushes, and no sweep looks for drift
Person = TypeVar("Person", bound=Scenario)


@contextmanager
def platform(
    person: Callable[..., Person],
    *,
    kubernetes: str = "stand-in",
    clusters: Sequence[str] = CLUSTERS,
    environment: dict[str, str] = QUIET,
) -> Iterator[Person]:
    """The whole platform with nothing on it yet, through the actions of `person`; the arguments are those of `World`."""
    with tempfile.TemporaryDirectory(prefix="nautes-bench-") as name:
        world = World(
            Path(name) / "world", kubernetes=kubernetes, free_ports=True, environment=environment, clusters=clusters
        )
        actions = person(world, say=lambda _text: None)
        try:
            world.up()
            actions.install()
            yield actions
        finally:
            actions.close()
            world.reset()


def flavour() -> str:
    """Real API servers where there are binaries of one, else the stand-in."""
    return "real" if assets.find(say=lambda text: print(text, flush=True)) else "stand-in"


def register(actions: Scenario, cluster: str) -> None:
    """One worker for deployments, under the name it has in the world."""
    kubeconfig = actions.world.kubeconfig_to_register(cluster)
    spec = {
        "name": cluster,
        "apiServer": yaml.safe_load(kubeconfig)["clusters"][0]["cluster"]["server"],
        "clusterKind": "kubernetes",
        "clusterType": "physical",
        "usage": "worker",
        "workerType": "deployment",
        "kubeconfig": kubeconfig,
    }
    apply(actions, "platform", [{"kind": "Cluster", "spec": spec}])


def apply(actions: Scenario, who: str, manifests: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """`POST /api/v1/apply`, to its end; the answer."""
    answer = actions.api("POST", "/api/v1/apply", who, json=list(manifests), params={"wait": 50})
    if answer.status_code == 202:
        address = answer.headers["Location"]
        actions.until(lambda: actions.api("GET", address, who).json()["state"] != "running", f"{address} has ended")
        answer = actions.api("GET", address, who)
        if answer.json()["state"] != "done":
            raise StepFailedError(answer.text)
    elif answer.status_code != 200:
        raise StepFailedError(answer.text)
    return dict(answer.json())


def vault_of(world: World) -> Vault:
    """Vault as the platform itself logs in there."""
    given = world.environment()
    secret_id = Path(given["NAUTES_VAULT_SECRET_ID_FILE"]).read_text().strip()
    return Vault(world.vault_url, given["NAUTES_VAULT_ROLE_ID"], secret_id)


def calls_since(world: World, before: dict[str, int]) -> dict[str, int]:
    """Calls to GitLab, Vault and Kubernetes since `World.calls` answered that, by kind."""
    return {name: count - before.get(name, 0) for name, count in sorted(world.calls().items())}


def spread(values: Sequence[float], *, digits: int = 1) -> dict[str, float]:
    """Median, extremes and the 99th percentile (nearest rank)."""
    ordered = sorted(values)
    numbers = {
        "median": statistics.median(ordered),
        "min": ordered[0],
        "max": ordered[-1],
        "p99": ordered[math.ceil(0.99 * len(ordered)) - 1],
    }
    return {name: round(value, digits) for name, value in numbers.items()}


def verdict(what: str, value: float, bar: float, *, at_least: bool = False) -> bool:
    """Say whether a bar is held."""
    held = value >= bar if at_least else value <= bar
    sign = ">=" if at_least else "<="
    print(f"{what:44} {value:8.2f}  bar {sign} {bar:g}  {'held' if held else 'NOT HELD'}")
    return held


def script(measure: Callable[[], tuple[dict[str, Any], bool]]) -> int:
    """Run a measurement and print its figures as the last line, JSON; 1 when a bar is not held or the platform failed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers are ended then, too
    try:
        found, held = measure()
    except (StepFailedError, httpx2.HTTPError) as error:
        print(f"the platform did not do its part: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found))
    return int(not held)
