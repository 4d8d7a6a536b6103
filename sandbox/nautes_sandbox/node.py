"""Plays the node: pods become ready, jobs complete, so that Deployments become Available. `python -m nautes_sandbox.node`.

With a controller manager only pods and volume claims are played and the real controllers do the rest (its binder of volumes is
off); without one (`--controllers`) the status of workloads is played as well. An image with the tag `broken` cannot be pulled.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nautes_sandbox.kubernetes.client import Client, Kind, Object
from nautes_sandbox.process import Service
from nautes_sandbox.watching import follow_all

POD = Kind("v1", "Pod", "pods", namespaced=True)
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments", namespaced=True)
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets", namespaced=True)
DAEMON_SET = Kind("apps/v1", "DaemonSet", "daemonsets", namespaced=True)
REPLICA_SET = Kind("apps/v1", "ReplicaSet", "replicasets", namespaced=True)
JOB = Kind("batch/v1", "Job", "jobs", namespaced=True)
CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", namespaced=True)
BROKEN = ":broken"


def service(name: str, kubeconfig: Path, *, controllers: bool) -> Service:
    """The node player of a cluster as a process."""
    command = [sys.executable, "-m", "nautes_sandbox.node", "--kubeconfig", str(kubeconfig)]
    return Service(f"{name}-node", [*command, *(["--controllers"] if controllers else [])])


class Node:
    """Writes status only, and only where it differs."""

    def __init__(self, cluster: Client) -> None:
        self._cluster = cluster

    def pod(self, pod: Object) -> None:
        """A pod runs, has run (of a job), or cannot pull its image."""
        if pod["metadata"].get("deletionTimestamp"):
            return
        status = pod_status(pod)
        if (pod.get("status") or {}).get("phase") != status["phase"] or not _same_readiness(pod, status):
            self._write(POD, pod, status)

    def deployment(self, item: Object) -> None:
        """Status of a Deployment whose pods no controller creates."""
        wanted, broken = _replicas(item), _broken(item)
        available = 0 if broken else wanted
        conditions = [_condition("Available", available == wanted, "MinimumReplicasAvailable")]
        conditions.append(_condition("Progressing", True, "ReplicaSetUpdated" if broken else "NewReplicaSetAvailable"))
        status = {
            "observedGeneration": item["metadata"].get("generation", 1),
            "replicas": wanted,
            "updatedReplicas": wanted,
            "readyReplicas": available,
            "availableReplicas": available,
            "unavailableReplicas": wanted - available,
            "conditions": conditions,
        }
        self._unless_same(DEPLOYMENT, item, status)

    def stateful_set(self, item: Object) -> None:
        """Status of a StatefulSet whose pods no controller creates."""
        wanted = _replicas(item)
        ready = 0 if _broken(item) else wanted
        counts = {"replicas": wanted, "readyReplicas": ready, "currentReplicas": wanted, "updatedReplicas": wanted}
        generation = item["metadata"].get("generation", 1)
        revisions = {"currentRevision": "1", "updateRevision": "1"}
        self._unless_same(STATEFUL_SET, item, {"observedGeneration": generation, **counts, **revisions})

    def daemon_set(self, item: Object) -> None:
        """Status of a DaemonSet whose pods no controller creates: there is one node."""
        ready = 0 if _broken(item) else 1
        counts = {"desiredNumberScheduled": 1, "currentNumberScheduled": 1, "updatedNumberScheduled": 1}
        counts |= {"numberMisscheduled": 0, "numberReady": ready, "numberAvailable": ready}
        generation = item["metadata"].get("generation", 1)
        self._unless_same(DAEMON_SET, item, {"observedGeneration": generation, **counts})

    def replica_set(self, item: Object) -> None:
        """Status of a ReplicaSet whose pods no controller creates."""
        wanted = _replicas(item)
        ready = 0 if _broken(item) else wanted
        counts = {
            "replicas": wanted,
            "fullyLabeledReplicas": wanted,
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        generation = item["metadata"].get("generation", 1)
        self._unless_same(REPLICA_SET, item, {"observedGeneration": generation, **counts})

    def job(self, item: Object) -> None:
        """Status of a Job whose pods no controller creates: begun, and done unless its image cannot be pulled."""
        if item["spec"].get("suspend"):
            return
        found = item.get("status") or {}
        status: dict[str, Any] = {"startTime": found.get("startTime") or _now()}
        if _broken(item):
            status |= {"active": 1}
        else:
            ended = {"completionTime": found.get("completionTime") or _now(), "succeeded": 1}
            status |= {**ended, "conditions": [_condition("Complete", True, "Completed")]}
        self._unless_same(JOB, item, status)

    def claim(self, item: Object) -> None:
        """A volume is found for every claim."""
        spec = item["spec"]
        capacity = (spec.get("resources") or {}).get("requests") or {}
        modes = spec.get("accessModes") or []
        self._unless_same(CLAIM, item, {"phase": "Bound", "accessModes": modes, "capacity": capacity})

    def _unless_same(self, kind: Kind, item: Object, status: dict[str, Any]) -> None:
        found = item.get("status") or {}
        if any(found.get(name) != value for name, value in status.items() if name != "conditions"):
            self._write(kind, item, status)

    def _write(self, kind: Kind, item: Object, status: dict[str, Any]) -> None:
        path = kind.path(item["metadata"]["namespace"], item["metadata"]["name"]) + "/status"
        self._cluster.patch(path, {"status": status})


def pod_status(pod: Object) -> dict[str, Any]:
    """What the status of a pod is to be."""
    now = _now()
    job = any(each.get("kind") == "Job" for each in pod["metadata"].get("ownerReferences") or [])
    containers = [_container(each, now, done=job) for each in pod["spec"]["containers"]]
    ready = all(each["ready"] for each in containers)
    broken = any("waiting" in each["state"] for each in containers)
    phase = "Pending" if broken else "Succeeded" if job else "Running"
    names = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    conditions = [_condition(name, ready or name in names[:2], "") for name in names]
    return {"phase": phase, "startTime": now, "conditions": conditions, "containerStatuses": containers}


def _container(container: dict[str, Any], now: str, *, done: bool) -> dict[str, Any]:
    image = container["image"]
    state: dict[str, Any] = {"running": {"startedAt": now}}
    if image.endswith(BROKEN):
        state = {"waiting": {"reason": "ImagePullBackOff", "message": f"Back-off pulling image {image}"}}
    elif done:
        state = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}}
    ready = "running" in state
    base = {"name": container["name"], "image": image, "imageID": "", "restartCount": 0}
    return {**base, "ready": ready, "started": ready, "state": state}


def _same_readiness(pod: Object, status: dict[str, Any]) -> bool:
    """Whether the pod's Ready condition is what it is to be already."""

    def ready(holder: dict[str, Any]) -> Any:
        return next((each["status"] for each in holder.get("conditions") or [] if each["type"] == "Ready"), None)

    return bool(ready(pod.get("status") or {}) == ready(status))


def _condition(name: str, value: bool, reason: str) -> dict[str, Any]:
    found = {"type": name, "status": "True" if value else "False", "lastTransitionTime": _now()}
    return found | ({"reason": reason} if reason else {})


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _replicas(item: Object) -> int:
    return int(item["spec"].get("replicas", 1))


def _broken(item: Object) -> bool:
    containers = item["spec"]["template"]["spec"].get("containers") or []
    return any(str(each.get("image", "")).endswith(BROKEN) for each in containers)


def main() -> None:
    """Play until TERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m nautes_sandbox.node")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--controllers", action="store_true", help="play workloads too: there is no controller manager")
    given = parser.parse_args()
    cluster = Client(given.kubeconfig)
    node = Node(cluster)
    plays: list[tuple[Kind, Callable[[Object], None]]] = [(POD, node.pod), (CLAIM, node.claim)]
    if given.controllers:
        plays += [(DEPLOYMENT, node.deployment), (STATEFUL_SET, node.stateful_set), (DAEMON_SET, node.daemon_set)]
        plays += [(REPLICA_SET, node.replica_set), (JOB, node.job)]
    follow_all(cluster, plays)


if __name__ == "__main__":
    main()
