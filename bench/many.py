"""How many runtimes a second follow one push that changes all of them, and what they cost while nothing happens.

`python bench/many.py --runtimes 1000`, with KUBEBUILDER_ASSETS for a real API server, else against the stand-in; it prints
which. One product, one manifest repository, one directory of four objects for each runtime, each with a namespace of its own.
First a tenth of the runtimes is declared and left alone for a minute, then all of them are declared; one push changes every
object; then all are left alone for a minute.

Every runtime claims its namespace of one workflow. Temporal limits the updates of one workflow that are under way to ten; many
claims go in one update (activities/batches.py).

A runtime counts as converged when its workflow reports the pushed commit as converged: one count by search attributes per poll,
which may lag but is never early. Sweeps run every five seconds, so that a minute holds twelve of each; while runtimes
are declared and while the push is measured they are paused, so that only webhooks report it and nothing is read twice. The
last line is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from bench.prepared import apply, calls_since, flavour, platform, register, script, verdict
from nautes.clients.settings import Settings
from nautes.clients.temporal import connect
from nautes.messages import ids, search
from nautes_sandbox.scenario import Scenario, StepFailedError

RATE_BAR = 20.0  # runtimes per second
IDLE_BAR = 1.1  # requests of a minute with all runtimes, of those with a tenth; a minute may hold 12 or 13 sweeps
SWEEP = 5  # seconds
SWEPT = {"NAUTES_SWEEP_SECONDS": str(SWEEP), "NAUTES_DRIFT_SECONDS": str(SWEEP)}
MINUTE = 60.0
POLL_EVERY = 0.1  # seconds
PART = 200  # runtimes declared by one change: a request has a limit
PRODUCT, CLUSTER, REPOSITORY = "many", "deploy", "manifests"
SWEEPS = (ids.BRANCH_SWEEP,)
OBJECTS = 4


@dataclass
class Many(Scenario):
    """`timeout` grows with the number of runtimes."""

    def declare(self, first: int, last: int) -> None:
        """Runtimes from `first` to before `last`, in parts."""
        for begin in range(first, last, PART):
            apply(self, "team", [_runtime(each) for each in range(begin, min(begin + PART, last))])

    def change(self, runtimes: int, version: str) -> str:
        """A commit that changes every object of every runtime; it is pushed by who calls."""
        tree = self.work / f"{PRODUCT}-{REPOSITORY}"
        if not tree.exists():
            self.clone(f"{PRODUCT}/{REPOSITORY}")
        for number in range(runtimes):
            directory = tree / _name(number)
            directory.mkdir(exist_ok=True)
            for kind, document in _objects(version).items():
                (directory / f"{kind}.yaml").write_text(yaml.safe_dump(document))
        self.git(tree, "add", "-A")
        self.git(tree, "commit", "-q", "-m", version)
        return self.git(tree, "rev-parse", "HEAD").strip()

    def publish(self) -> float:
        """`git push`; when it had returned."""
        self.git(self.work / f"{PRODUCT}-{REPOSITORY}", "push", "-q", "origin", "HEAD:refs/heads/main")
        return time.monotonic()

    def sweep(self, *, paused: bool) -> None:
        """Pause the sweeps, or let them run."""

        async def run() -> None:
            client = await connect(Settings(), environment=self.world.environment())
            for each in SWEEPS:
                handle = client.get_schedule_handle(each)
                await (handle.pause() if paused else handle.unpause())
                for running in (await handle.describe()).info.running_actions if paused else ():
                    await client.get_workflow_handle(running.workflow_id).cancel()

        asyncio.run(run())

    def settled(self) -> None:
        """Wait until the platform is idle: no repository was read for two sweeps."""
        deadline = time.monotonic() + self.timeout
        before, seen = -1, self.world.calls()["Git reads"]
        while seen != before:
            if time.monotonic() > deadline:
                raise StepFailedError(f"runtimes still read after {self.timeout:.0f} s in which nothing changed")
            time.sleep(2 * SWEEP + 1)
            before, seen = seen, self.world.calls()["Git reads"]

    def converged(self, commit: str, runtimes: int) -> dict[str, float]:
        """When (monotonic) the first, half and all of the runtimes had converged to a commit."""
        return asyncio.run(self._converged(commit, runtimes))

    async def _converged(self, commit: str, runtimes: int) -> dict[str, float]:
        client = await connect(Settings(), environment=self.world.environment())
        wanted = {
            search.KIND: "Deployment",
            search.PRODUCT: PRODUCT,
            search.PHASE: "Converged",
            search.REVISION: commit,
        }
        query = " AND ".join(f"{key.name} = '{value}'" for key, value in wanted.items())
        marks = {"first": 1, "half": (runtimes + 1) // 2, "all": runtimes}
        found: dict[str, float] = {}
        deadline = time.monotonic() + self.timeout
        while "all" not in found:
            count = (await client.count_workflows(query)).count
            found |= {name: time.monotonic() for name, mark in marks.items() if name not in found and count >= mark}
            if time.monotonic() > deadline:
                raise StepFailedError(f"{count} of {runtimes} runtimes converged within {self.timeout:.0f} s")
            await asyncio.sleep(POLL_EVERY)
        return found


def _name(number: int) -> str:
    return f"app-{number:04}"


def _runtime(number: int) -> dict[str, Any]:
    source = {"codeRepo": REPOSITORY, "targetRevision": "main", "path": _name(number)}
    destination = {"environment": "test", "namespaces": [f"{PRODUCT}-{_name(number)}"]}
    spec = {"name": _name(number), "product": PRODUCT, "manifestSource": source, "destination": destination}
    return {"kind": "DeploymentRuntime", "spec": spec}


def _objects(version: str) -> dict[str, dict[str, Any]]:
    """Four kinds of small objects that are healthy as soon as they are there; the Service takes no address."""
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        "ConfigMap": ("v1", {"data": {"version": version}}),
        "Service": ("v1", {"spec": {"clusterIP": "None", "selector": {"app": "app"}, "ports": [{"port": 80}]}}),
        "ServiceAccount": ("v1", {}),
        "NetworkPolicy": ("networking.k8s.io/v1", {"spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}),
    }
    meta = {"name": "app", "annotations": {"example.com/version": version}}
    return {kind: {"apiVersion": api, "kind": kind, "metadata": meta, **body} for kind, (api, body) in bodies.items()}


def idle(actions: Many) -> dict[str, int]:
    """Calls of a minute in which only the sweeps run."""
    actions.sweep(paused=False)
    actions.settled()
    before = actions.world.calls()
    time.sleep(MINUTE)
    found = calls_since(actions.world, before)
    actions.sweep(paused=True)
    return found


def prepare(actions: Many) -> None:
    """Cluster, product, environment and manifest repository."""
    register(actions, CLUSTER)
    spec = {"name": PRODUCT, "git": {"gitlab": {"visibility": "private"}}}
    repository = {"gitlab": {"name": REPOSITORY, "path": REPOSITORY, "visibility": "private"}}
    own = {"product": PRODUCT}
    documents = {
        "Product": spec,
        "Environment": {"name": "test", **own, "cluster": CLUSTER, "envType": "test"},
        "CodeRepo": {"name": REPOSITORY, **own, "deploymentRuntime": True, "git": repository},
    }
    apply(actions, "team", [{"kind": kind, "spec": each} for kind, each in documents.items()])


@dataclass(frozen=True)
class Figures:
    """Seconds from the declaration and from the push, calls during the push, calls of an idle minute by number of runtimes."""

    ready: float
    push: dict[str, float]
    calls: dict[str, int]
    idle: dict[int, dict[str, int]]

    def report(self, total: int, kind: str) -> tuple[dict[str, Any], bool]:
        """Say it; whether the bars are held."""
        print(f"\n{total} runtimes x {OBJECTS} objects, {kind} API server")
        print(f"  declared -> all converged for the first time{self.ready:10.1f} s")
        for name, each in self.push.items():
            print(f"  push returned -> {name + ' converged':27}{each:10.1f} s")
        few = min(self.idle)
        print(f"  calls {'':17} the push   an idle minute with {few} runtimes   with {total}")
        for name in sorted(self.calls):
            idle = [self.idle[count].get(name, 0) for count in (few, total)]
            print(f"  {name:18} {self.calls[name]:13} {idle[0]:22} {idle[1]:18}")
        rate = total / self.push["all"]
        ratio = sum(self.idle[total].values()) / sum(self.idle[few].values())
        held = verdict("runtimes per second", rate, RATE_BAR, at_least=True)
        held &= verdict("requests of an idle minute, all of a tenth", ratio, IDLE_BAR)
        summary = {"bench": "many", "kubernetes": kind, "runtimes": total, "rate": rate, "idle_ratio": ratio}
        return {**summary, **asdict(self)}, held


def observed(actions: Many, total: int) -> Figures:
    """A tenth, all, a push, and a minute of rest with either."""
    few = max(1, total // 10)
    first = actions.change(total, "first")
    actions.publish()
    actions.sweep(paused=True)
    actions.declare(0, few)
    actions.converged(first, few)
    quiet = {few: idle(actions)}
    began = time.monotonic()
    actions.declare(few, total)
    ready = actions.converged(first, total)["all"] - began
    second = actions.change(total, "second")
    before, returned = actions.world.calls(), actions.publish()
    push = {name: round(at - returned, 2) for name, at in actions.converged(second, total).items()}
    spent = calls_since(actions.world, before)
    if spent["Kubernetes writes"] < OBJECTS * total:
        raise StepFailedError(f"{OBJECTS * total} objects changed, but {spent['Kubernetes writes']} writes were made")
    return Figures(round(ready, 1), push, spent, {**quiet, total: idle(actions)})


def main() -> int:
    """Print a table and, last, one line of JSON; 1 when a bar is not held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtimes", type=int, default=100)
    total = parser.parse_args().runtimes

    def measure() -> tuple[dict[str, Any], bool]:
        kind = flavour()
        with platform(Many, kubernetes=kind, clusters=(CLUSTER,), environment=SWEPT) as actions:
            actions.timeout = 120.0 + total
            prepare(actions)
            return observed(actions, total).report(total, kind)

    return script(measure)


if __name__ == "__main__":
    sys.exit(main())
