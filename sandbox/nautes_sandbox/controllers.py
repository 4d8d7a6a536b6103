"""Plays those parts of a controller manager that clients rely on, for a real API server without one.

The published test bundle has no controller manager. Run by `python -m nautes_sandbox.controllers`. It empties and removes deleted
namespaces and writes tokens into the Secrets of accounts. Workloads are played by sandbox/nautes_sandbox/node.py. Not played:
garbage collection by owner, default accounts, aggregated roles.
"""

from __future__ import annotations

import argparse
import base64
import logging
import sys
import threading
import time
from pathlib import Path

from nautes_sandbox.kubernetes.client import Client, Kind, NotFound, Object, RequestError
from nautes_sandbox.process import Service
from nautes_sandbox.watching import follow_all

NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts", namespaced=True)
SECRET = Kind("v1", "Secret", "secrets", namespaced=True)
TOKEN_TYPE = "kubernetes.io/service-account-token"
OF_ACCOUNT = "kubernetes.io/service-account.name"
LIFETIME = 10 * 365 * 86400  # seconds: such tokens do not end
PAUSE, LONGEST = 0.1, 5.0  # seconds between two checks of what is left in a namespace: longer each time


def service(name: str, kubeconfig: Path) -> Service:
    """The player of a cluster as a process."""
    return Service(
        f"{name}-controllers", [sys.executable, "-m", "nautes_sandbox.controllers", "--kubeconfig", str(kubeconfig)]
    )


class Controllers:
    """`ca` is the certificate authority of the API server, as PEM."""

    def __init__(self, cluster: Client, ca: bytes) -> None:
        self._cluster = cluster
        self._ca = ca
        self._ending: set[str] = set()
        self._lock = threading.Lock()

    # Namespaces

    def namespace(self, item: Object) -> None:
        """Empty a namespace that is being deleted and finish its deletion, however long that takes."""
        name = item["metadata"]["name"]
        if not item["metadata"].get("deletionTimestamp"):
            return
        with self._lock:
            if name in self._ending:
                return
            self._ending.add(name)
        threading.Thread(target=self._end, args=(name,), daemon=True).start()

    def _end(self, name: str) -> None:
        pause = PAUSE
        try:
            while not self._ended(name):
                time.sleep(pause)
                pause = min(2 * pause, LONGEST)
        finally:
            with self._lock:
                self._ending.discard(name)

    def _ended(self, name: str) -> bool:
        try:
            live = self._cluster.get(NAMESPACE, "", name)
            if not live["metadata"].get("deletionTimestamp"):  # another one of the same name
                return True
            if self._left(name):
                return False
            emptied = {**live, "spec": {**live["spec"], "finalizers": []}}
            self._cluster.call("PUT", f"{NAMESPACE.path('', name)}/finalize", emptied)
        except NotFound:
            return True
        except RequestError as error:
            logging.info("namespace %s: %s", name, error)
        return False

    def _left(self, namespace: str) -> int:
        """Delete everything in a namespace; return how many objects there were."""
        kinds = [each for each in self._cluster.kinds() if each.namespaced]  # anew each time: definitions come and go
        found = [(kind, item) for kind in kinds for item in self._cluster.list(kind, namespace=namespace).items]
        for kind, item in found:
            if not item["metadata"].get("deletionTimestamp"):
                self._cluster.delete(kind, namespace, item["metadata"]["name"])
        return len(found)

    # Tokens

    def secret(self, item: Object) -> None:
        """Write an account's token into its Secret, or delete the Secret when there is no such account."""
        meta = item["metadata"]
        if item.get("type") != TOKEN_TYPE or (item.get("data") or {}).get("token") or meta.get("deletionTimestamp"):
            return
        namespace, account = meta["namespace"], (meta.get("annotations") or {}).get(OF_ACCOUNT, "")
        wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        request = {**wanted, "spec": {"expirationSeconds": LIFETIME}}
        try:
            token = self._cluster.create(f"{ACCOUNT.path(namespace, account)}/token", request)["status"]["token"]
        except NotFound:
            self._cluster.delete(SECRET, namespace, meta["name"], uid=meta["uid"])
            return
        values = {"token": token.encode(), "namespace": namespace.encode(), "ca.crt": self._ca}
        data = {name: base64.b64encode(value).decode() for name, value in values.items()}
        self._cluster.patch(SECRET.path(namespace, meta["name"]), {"data": data})


def main() -> None:
    """Play until TERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m nautes_sandbox.controllers")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    given = parser.parse_args()
    cluster = Client(given.kubeconfig)
    played = Controllers(cluster, given.kubeconfig.with_name("ca.crt").read_bytes())
    follow_all(cluster, [(NAMESPACE, played.namespace), (SECRET, played.secret)])


if __name__ == "__main__":
    main()
