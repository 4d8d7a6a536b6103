"""How fast an owner's objects converge, beside `kubectl apply --server-side` and a bare loop, on one API server in one run.

`python -m bench.converge` with KUBEBUILDER_ASSETS set. Ours is the whole of a push: the head of the branch is asked for, the
commit fetched over HTTP, the files parsed, guarded, listed, applied as the runtime's account and looked at for pruning.
Ratios are compared, not seconds: both sides share the machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from activities.git import GitActivities
from activities.kubernetes import KubernetesActivities
from bench.slow import slow
from nautes.clients.git import GitCache
from nautes.clients.kubernetes import CONNECTIONS, Clusters
from nautes.messages.git import FetchInput, TreeRef
from tests.integration.convergence.control_plane import binaries, control_plane
from tests.integration.convergence.git_server import PASSWORD, USER, GitServer, Source
from tests.integration.convergence.support import REF, place

BARS = {"changed": 0.55, "changed, 5 ms away": 0.3, "changed, of the bare loop": 1.3, "unchanged": 0.1}
DELAY = 0.005  # seconds added to each request


class Bench:
    """One API server, one namespace per competitor, objects of 1.1 KB."""

    def __init__(self, directory: Path, kubeconfig: Path, server: GitServer, objects: int) -> None:
        self._directory = directory
        self._kubeconfig = kubeconfig
        self._objects = objects
        text = kubeconfig.read_text()
        self.clusters = Clusters(lambda ref: text, allow_loopback=True)
        self.cluster = self.clusters.get(REF)
        self._ours, self._theirs, self._bare = (place(self.clusters, self.cluster) for _ in range(3))
        self._source = Source(server, f"bench/{self._ours.namespace}")
        self._git = GitCache(directory / "git", server.url, lambda: (USER, PASSWORD))

    def ours(self, value: str) -> Callable[[], int]:
        """A push whose objects all hold `value`; the call gives the number of writes."""
        manifests = _yaml(self._config_maps(value, ""))
        self._source.commit({f"{number}.yaml": text for number, text in enumerate(manifests)})
        self._source.pack()
        git, kubernetes = GitActivities(self._git), KubernetesActivities(self.clusters, self._git)

        def run() -> int:
            commit = git.fetch(FetchInput(repository=self._source.repository, ref="main"))
            tree = TreeRef(repository=self._source.repository, commit=commit)
            report = kubernetes.converge(self._ours.input(source=tree))
            assert report.applied + report.unchanged == self._objects, report
            return report.writes

        return run

    def kubectl(self, value: str) -> Callable[[], int]:
        """The same by kubectl, from files on disk."""
        directory = self._directory / "manifests"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        for number, text in enumerate(_yaml(self._config_maps(value, self._theirs.namespace))):
            (directory / f"{number}.yaml").write_text(text)
        command = [_kubectl(), "--kubeconfig", str(self._kubeconfig), "apply", "--server-side", "--validate=ignore"]

        def run() -> int:
            subprocess.run([*command, "-f", str(directory)], check=True, stdout=subprocess.DEVNULL)
            return self._objects

        return run

    def bare(self, value: str) -> Callable[[], int]:
        """The floor for Python: the writes alone, as many at a time as we have."""
        kind = self.cluster.kind("v1", "ConfigMap")
        assert kind is not None
        items = self._config_maps(value, self._bare.namespace)

        def run() -> int:
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                return len(list(pool.map(lambda item: self.cluster.apply(kind, item), items)))

        return run

    def _config_maps(self, value: str, namespace: str) -> list[dict[str, Any]]:
        meta = {"namespace": namespace} if namespace else {}
        data = {f"key-{number}": value * 100 for number in range(10)}
        return [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c-{number}", **meta}, "data": data}
            for number in range(self._objects)
        ]


def _yaml(objects: list[dict[str, Any]]) -> list[str]:
    return [yaml.safe_dump(json.loads(json.dumps(item))) for item in objects]


def _kubectl() -> str:
    beside = Path(sys.executable).with_name("kubectl")
    return str(beside) if beside.exists() else shutil.which("kubectl") or "kubectl"


def timed(run: Callable[[], int]) -> tuple[float, int]:
    """Seconds and writes."""
    began = time.perf_counter()
    writes = run()
    return time.perf_counter() - began, writes


def measure(bench: Bench, rounds: int, *, bare: bool = True) -> dict[str, list[float]]:
    """Seconds by what was measured, competitors taking turns. The first round creates and is not counted."""
    found: dict[str, list[float]] = {name: [] for name in ("kubectl", "ours", "bare", "kubectl again", "ours again")}
    for number in range(rounds + 1):
        value = chr(ord("a") + number)
        ours, kubectl = bench.ours(value), bench.kubectl(value)
        seconds = {"kubectl": timed(kubectl)[0], "ours": timed(ours)[0], "kubectl again": timed(kubectl)[0]}
        seconds["ours again"], writes = timed(ours)
        assert writes == 0, f"{writes} writes although nothing changed"
        if bare:
            seconds["bare"] = timed(bench.bare(value))[0]
        for name, taken in seconds.items() if number else ():
            found[name].append(taken)
    return {name: values for name, values in found.items() if values}


@contextmanager
def servers(objects: int) -> Iterator[tuple[Bench, Callable[[Path], Bench]]]:
    """A bench near its API server, and how to make one that is further away."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        repositories = directory / "repositories"
        repositories.mkdir()
        with control_plane(directory / "cluster") as kubeconfig, GitServer(repositories).serving() as server:

            def make(path: Path) -> Bench:
                own = Path(tempfile.mkdtemp(dir=directory))
                return Bench(own, path, server, objects)

            yield make(kubeconfig), make


def main() -> int:
    """Print a table and the ratios; 1 when a bar is not held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if binaries() is None:
        print("nothing is measured: the bars are for a real API server")
        return 2
    with servers(arguments.objects) as (near, make):
        kubeconfig = near._kubeconfig
        close = {name: statistics.median(each) for name, each in measure(near, arguments.rounds).items()}
        with slow(kubeconfig, DELAY) as away:
            far = {name: statistics.median(each) for name, each in measure(make(away), 2, bare=False).items()}
    ratios = {
        "changed": close["ours"] / close["kubectl"],
        "changed, of the bare loop": close["ours"] / close["bare"],
        "unchanged": close["ours again"] / close["kubectl again"],
        "changed, 5 ms away": far["ours"] / far["kubectl"],
    }
    print(json.dumps({"objects": arguments.objects, "near": close, "5 ms away": far}, indent=2))
    for name, ratio in ratios.items():
        print(f"{name:28} {ratio:5.2f}  bar {BARS[name]:.2f}  {'held' if ratio <= BARS[name] else 'NOT HELD'}")
    return int(any(ratio > BARS[name] for name, ratio in ratios.items()))


if __name__ == "__main__":
    sys.exit(main())
