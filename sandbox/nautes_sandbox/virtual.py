"""Plays virtual clusters on a host: `python -m nautes_sandbox.virtual`.

There is no container engine here, so nothing of a StatefulSet labelled `app=vcluster` is really run. For each of them an API
server of the sandbox's own flavour is started on this machine, with a node of its own, on the port that the Service
`svc-<name>` names; its kubeconfig is written where a control plane would write it. When the StatefulSet goes, it is ended and
forgotten. Unlike a real virtual cluster it shares nothing with its host: its pods do not appear there.
"""

from __future__ import annotations

import argparse
import base64
import json
import logging
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nautes_sandbox import node, tekton
from nautes_sandbox.kubernetes import Cluster, assets, real
from nautes_sandbox.kubernetes.client import Client, Conflict, Kind, NotFound, Object, RequestError
from nautes_sandbox.process import Service, ServiceError, Supervisor, free_ports
from nautes_sandbox.watching import PAUSE, WATCH_SECONDS

STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets", namespaced=True)
SERVICE = Kind("v1", "Service", "services", namespaced=True)
SECRET = Kind("v1", "Secret", "secrets", namespaced=True)
# As the vcluster chart has them: what its control planes are known by, and where they write their kubeconfig.
LABEL, CONFIG = "app=vcluster", "config"
PORTS = 4  # of one control plane: API server, etcd (two), controller manager


def service(host: str, kubeconfig: Path, run: Path, found: assets.Assets | None) -> Service:
    """The player of a host as a process; what it starts is recorded in `run`, where the end of the sandbox finds it."""
    command = [sys.executable, "-m", "nautes_sandbox.virtual", "--host", host, "--kubeconfig", str(kubeconfig)]
    command += ["--run", str(run), "--directory", str(kubeconfig.parent / "virtual")]
    if found is not None:
        command += ["--apiserver", str(found.apiserver), "--etcd", str(found.etcd)]
        command += ["--controller-manager", str(found.controller_manager)] if found.controller_manager else []
    return Service(f"{host}-virtual", command)


class Player:
    """The virtual clusters of one host. What runs outlives the player: it is found again, or ended, when it is back."""

    def __init__(
        self, host: str, cluster: Client, directory: Path, supervisor: Supervisor, found: assets.Assets | None
    ) -> None:
        self._host = host
        self._cluster = cluster
        self._directory = directory
        self._supervisor = supervisor
        self._assets = found

    def follow(self) -> None:
        """Reconcile with the host now and after each of its events, for ever."""
        while True:
            try:
                listing = self._cluster.list(STATEFUL_SET, selector=LABEL)
                self.agree(listing.items)
                for _ in self._cluster.watch(
                    STATEFUL_SET, selector=LABEL, version=listing.version, seconds=WATCH_SECONDS
                ):
                    self.agree(self._cluster.list(STATEFUL_SET, selector=LABEL).items)
            except (RequestError, ServiceError) as error:
                logging.info("%s", error)
                time.sleep(PAUSE)

    def agree(self, wanted: Sequence[Object]) -> None:
        """End what is declared no more, start what is declared. Idempotent."""
        due = {item["metadata"]["name"]: item for item in wanted if not item["metadata"].get("deletionTimestamp")}
        here = {each.name for each in self._directory.iterdir()} if self._directory.is_dir() else set()
        for name in sorted(here - due.keys()):
            self._end(name)
        if due:
            with ThreadPoolExecutor(len(due)) as pool:
                for done in [pool.submit(self._begin, item) for item in due.values()]:
                    done.result()

    def _begin(self, item: Object) -> None:
        name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
        plane = self._plane(name, self._ports(name, namespace))
        for each in self._services(name, plane):
            self._supervisor.start(each)
        self._publish(name, namespace, plane.kubeconfig)

    def _end(self, name: str) -> None:
        prefix = f"{self._host}-virtual-{name}"
        own = [
            f"{prefix}-{part}" for part in ("tekton", "node", "controllers", "controller-manager", "apiserver", "etcd")
        ]
        for each in own:
            self._supervisor.stop(each)
        shutil.rmtree(self._directory / name, ignore_errors=True)
        logging.info("virtual cluster %s has ended", name)

    def _ports(self, name: str, namespace: str) -> list[int]:
        """Chosen once, so that a restart changes nothing; the first is the node port."""
        kept = self._directory / name / "ports.json"
        if not kept.exists():
            ports = [self._node_port(name, namespace), *free_ports(PORTS)][:PORTS]
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(ports))
        return [int(each) for each in json.loads(kept.read_text())]

    def _node_port(self, name: str, namespace: str) -> int:
        found = self._cluster.get(SERVICE, namespace, f"svc-{name}")
        return int(found["spec"]["ports"][0].get("nodePort") or free_ports(1)[0])

    def _plane(self, name: str, ports: list[int]) -> Cluster:
        full, directory = f"{self._host}-virtual-{name}", self._directory / name
        if self._assets is not None:
            return real.cluster(full, directory, ports, self._assets)
        from nautes_sandbox.kubernetes import standin  # not needed, and not loaded, where there are real binaries

        return standin.cluster(full, directory, ports[0])

    def _services(self, name: str, plane: Cluster) -> list[Service]:
        full = f"{self._host}-virtual-{name}"
        played = not any("controller-manager" in each.name for each in plane.services)
        players = [node.service(full, plane.kubeconfig, controllers=played), tekton.service(full, plane.kubeconfig)]
        return [*plane.services, *players]

    def _publish(self, name: str, namespace: str, kubeconfig: Path) -> None:
        """The Secret that a control plane writes when it serves."""
        secret = f"vc-{name}"
        held = base64.b64encode(kubeconfig.read_bytes()).decode()
        body: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}}
        body |= {"type": "Opaque", "data": {CONFIG: held}}
        try:
            live = self._cluster.get(SECRET, namespace, secret)
        except NotFound:
            try:
                self._cluster.create(SECRET.path(namespace), body)
            except Conflict:
                return
            logging.info("virtual cluster %s serves", name)
        else:
            if (live.get("data") or {}).get(CONFIG) != held:
                self._cluster.patch(SECRET.path(namespace, secret), body)


def main() -> None:
    """Play until TERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m nautes_sandbox.virtual")
    parser.add_argument("--host", required=True, help="name of the host in the sandbox")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="of the host")
    parser.add_argument("--directory", type=Path, required=True, help="what virtual clusters keep")
    parser.add_argument("--run", type=Path, required=True, help="process ids and logs")
    parser.add_argument(
        "--apiserver", type=Path, help="binaries of a real control plane; without them it is a stand-in"
    )
    parser.add_argument("--etcd", type=Path)
    parser.add_argument("--controller-manager", type=Path)
    given = parser.parse_args()
    found = assets.Assets(given.apiserver, given.etcd, given.controller_manager) if given.apiserver else None
    Player(given.host, Client(given.kubeconfig), given.directory, Supervisor(given.run), found).follow()


if __name__ == "__main__":
    main()
