"""How long a hand edit stays: one deployment of ten objects that is healthy, then one that is not; the whole platform, embedded.

`python bench/drift.py`, with KUBEBUILDER_ASSETS for a real API server, else against the stand-in; it prints which. A ConfigMap is
edited and read every 10 ms until it is as declared again. The last line is JSON.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from typing import Any

from bench.prepared import flavour, script, spread
from bench.push import POLL_EVERY, TIMEOUT, Pusher, prepared
from nautes_sandbox.kubernetes.client import Client, Kind
from nautes_sandbox.scenario import StepFailedError

CONFIG = Kind("v1", "ConfigMap", "configmaps", namespaced=True)
BAR = 1.0  # seconds, median


def put_back(pusher: Pusher, cluster: Client, value: str) -> float:
    """Edit one field of the ConfigMap; seconds from the answer to the edit until it is as before."""
    declared = cluster.get(CONFIG, pusher.namespace, "settings")["data"]["greeting"]
    cluster.patch(CONFIG.path(pusher.namespace, "settings"), {"data": {"greeting": value}})
    began = time.monotonic()
    while cluster.get(CONFIG, pusher.namespace, "settings")["data"]["greeting"] != declared:
        if time.monotonic() > began + TIMEOUT:
            raise StepFailedError(f"the edit was not put back within {TIMEOUT:.0f} s")
        time.sleep(POLL_EVERY)
    return time.monotonic() - began


def sicken(pusher: Pusher) -> None:
    """Push an image that cannot be pulled, and wait until the deployment is shown as not healthy."""
    tree = pusher.clone(f"{pusher.product}/deploy")
    manifest = tree / "production" / "deployment.yaml"
    manifest.write_text(re.sub(r"(?m)(image: \S+?)(:\S+)?$", r"\1:broken", manifest.read_text()))
    commit = pusher.push(tree, "an image that is not there")
    pusher.until(lambda: _waits(pusher.deployment(), commit), "the deployment waits for its health")


def _waits(status: dict[str, Any], commit: str) -> bool:
    return bool(status["commit"] == commit and status["phase"] == "Waiting" and status["unhealthy"])


def main() -> int:
    """Print both series and, last, one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=20, help="of each kind")
    given = parser.parse_args()

    def measure() -> tuple[dict[str, Any], bool]:
        kind = flavour()
        with prepared(kind) as pusher:
            cluster = Client(pusher.world.kubeconfig("deploy"))
            healthy = [put_back(pusher, cluster, f"edit {number}") for number in range(given.edits)]
            sicken(pusher)
            unhealthy = [put_back(pusher, cluster, f"sick edit {number}") for number in range(given.edits)]
        series = {"healthy": spread(healthy), "unhealthy": spread(unhealthy)}
        held = all(each["median"] <= BAR for each in series.values())
        print(f"\nhand edit -> put back, {given.edits} edits each, {kind} API server; s:  median     min     max")
        for label, each in series.items():
            print(f"  {label:12} {each['median']:10.2f} {each['min']:7.2f} {each['max']:7.2f}")
        print(f"  bar: median <= {BAR:.1f} s: {'held' if held else 'not held'}")
        return {"bench": "drift", "kubernetes": kind, "edits": given.edits, "s": series, "held": held}, held

    return script(measure)


if __name__ == "__main__":
    sys.exit(main())
