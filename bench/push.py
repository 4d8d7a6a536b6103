"""How long a push takes to be converged, and where the time goes: one product, 10 objects, the whole platform, embedded.

`python bench/push.py`, with KUBEBUILDER_ASSETS for a real API server, else against the stand-in; it prints which. First pushes
that change one object, then pushes that change all ten. Sweeps are switched off: only webhooks report pushes. The API is
polled every 10 ms, so the times are exact to 10 ms. The last line is JSON.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from bench.prepared import flavour, platform, script, spread
from nautes_sandbox.scenario import Scenario, StepFailedError

OBJECTS = 10
POLL_EVERY = 0.01  # seconds
TIMEOUT = 60.0  # seconds one push may take
STEPS = ("fetch", "read", "list", "apply", "prune", "health", "total")  # of the status; total is the workflow's own


@dataclass
class Push:
    """Wall-clock times of one push: when git began, when it returned, when the API reported converged."""

    began: float
    returned: float
    converged: float
    started: float  # by the workflow's clock: the convergence began
    seconds: dict[str, float]


@dataclass
class Pusher(Scenario):
    """The main process up to a deployment, and pushes with a clock beside them."""

    pushes: list[Push] = field(default_factory=list)
    clock: tuple[float, float] = (0.0, 0.0)

    def push(self, tree: Path, message: str) -> str:
        """Only `git push` itself is timed, not the commit before it."""
        self.git(tree, "add", "-A")
        self.git(tree, "commit", "-q", "-m", message)
        commit = self.git(tree, "rev-parse", "HEAD").strip()
        began = time.time()
        self.git(tree, "push", "-q", "origin", "HEAD:refs/heads/main")
        self.clock = (began, time.time())
        return commit

    def push_and_wait(self, tree: Path, message: str) -> float:
        """Push and look until that commit is converged; keeps the times."""
        commit = self.push(tree, message)
        self._look(lambda seen: seen["converged_commit"] == commit and seen["phase"] == "Converged", message)
        converged = time.time()
        seen = self._look(lambda seen: "total" in seen["seconds"], f"{message}: all times")
        started = datetime.fromisoformat(seen["started"].replace("Z", "+00:00")).timestamp()
        self.pushes.append(Push(*self.clock, converged, started, dict(seen["seconds"])))
        return converged - self.clock[0]

    def change_all(self, value: str) -> None:
        """Push another label on every object."""
        tree = self.clone(f"{self.product}/deploy")
        for path in sorted((tree / "production").glob("*.yaml")):
            documents = list(yaml.safe_load_all(path.read_text()))
            for each in documents:
                each["metadata"].setdefault("labels", {})["bench"] = value
            path.write_text(yaml.safe_dump_all(documents))
        self.push_and_wait(tree, f"label everything {value}")

    def _look(self, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            seen = self.deployment()
            if wanted(seen):
                return seen
            time.sleep(POLL_EVERY)
        raise StepFailedError(f"{what}: not within {TIMEOUT:.0f} s; the last status was {seen}")


@contextmanager
def prepared(kubernetes: str) -> Iterator[Pusher]:
    """A deployment of ten objects, ready for pushes."""
    with platform(Pusher, kubernetes=kubernetes) as pusher:
        pusher.register_clusters()
        pusher.initialize_product()
        pusher.deploy()
        yield pusher


def measured(pusher: Pusher, count: int, change: Callable[[int], object], writes: int) -> list[Push]:
    """`count` pushes by `change`, each of which has to be this many writes."""
    pusher.pushes.clear()
    for number in range(count):
        change(number)
        status = pusher.deployment()
        assert status["writes"] == writes, f"{status['writes']} writes where {writes} objects changed"
        assert status["applied"] + status["unchanged"] == OBJECTS, status
    return list(pusher.pushes)


def summary(pushes: list[Push]) -> dict[str, dict[str, float]]:
    """Milliseconds: what a person waits for, what the platform does meanwhile."""
    series = {
        "push returned -> converged": [each.converged - each.returned for each in pushes],
        "push begun -> converged": [each.converged - each.began for each in pushes],
        "push returned -> started": [each.started - each.returned for each in pushes],
        "push begun -> started": [each.started - each.began for each in pushes],
        "git push itself": [each.returned - each.began for each in pushes],
        **{f"step {name}": [each.seconds.get(name, 0.0) for each in pushes] for name in STEPS},
    }
    return {name: spread([each * 1000 for each in values]) for name, values in series.items()}


def main() -> int:
    """Print a table per kind of push and, last, one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pushes", type=int, default=20, help="of each kind")
    given = parser.parse_args()

    def measure() -> tuple[dict[str, Any], bool]:
        kind = flavour()
        with prepared(kind) as pusher:
            one = measured(pusher, given.pushes, lambda number: pusher.greet(f"hello-{number}"), 1)
            all_of_them = measured(pusher, given.pushes, lambda number: pusher.change_all(f"v{number}"), OBJECTS)
        found = {"one changed": summary(one), f"all {OBJECTS} changed": summary(all_of_them)}
        for what, series in found.items():
            print(
                f"\n{what} of {OBJECTS} objects, {given.pushes} pushes, {kind} API server; ms:  median     min     max"
            )
            for label, each in series.items():
                print(f"  {label:28} {each['median']:10.1f} {each['min']:7.1f} {each['max']:7.1f}")
        return {"bench": "push", "kubernetes": kind, "objects": OBJECTS, "pushes": given.pushes, "ms": found}, True

    return script(measure)


if __name__ == "__main__":
    sys.exit(main())
