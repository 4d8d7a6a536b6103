"""Custom resource definitions and their resources in one convergence: the resources wait until their kind is served.

Used by converge.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from activities.concurrency import Progress
from activities.kubernetes.apply import Result
from nautes.clients.kubernetes import Cluster
from nautes.convergence.objects import Object, metadata

ESTABLISHED_WITHIN = 15.0  # seconds; API servers need one or two
POLL_EVERY = 0.1
DEFINITION = "CustomResourceDefinition"


def scopes(objects: Iterable[Object]) -> dict[str, bool]:
    """ "Kind.group" -> whether it is namespaced, of the kinds that `objects` define themselves."""
    found = {}
    for item in objects:
        spec = item.get("spec")
        if item["kind"] != DEFINITION or not isinstance(spec, dict):
            continue
        names = spec.get("names")
        kind = names.get("kind") if isinstance(names, dict) else None
        found[f"{kind}.{spec.get('group')}"] = spec.get("scope") == "Namespaced"
    return found


def await_definitions(cluster: Cluster, done: Iterable[Result], heartbeat: Progress) -> None:
    """Wait, within a bound, until new definitions are served; objects of a kind that is not served then fail one by one."""
    defined = [each.live for each in done if each.live and each.key.kind == DEFINITION]
    deadline = time.monotonic() + ESTABLISHED_WITHIN
    pause = threading.Event()
    for item in defined:
        versions = [
            (f"{item['spec']['group']}/{each['name']}", item) for each in item["spec"]["versions"] if each["served"]
        ]
        for api_version, definition in versions:
            cluster.forget(api_version)
            while not _served(cluster, api_version, definition) and time.monotonic() < deadline:
                heartbeat(f"{metadata(definition).get('name')} is being established")
                pause.wait(POLL_EVERY)


def _served(cluster: Cluster, api_version: str, definition: Mapping[str, Any]) -> bool:
    return cluster.kind(api_version, str(definition["spec"]["names"]["kind"])) is not None
