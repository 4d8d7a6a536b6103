"""Which components a cluster gets, and which it shares. Called by the registration workflow and activities/clusters.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from nautes.resources.cluster import Cluster

BOOTSTRAP = "bootstrap"  # what the platform itself needs in every cluster
BUILT_IN = {"nautes", "vault"}  # the platform itself, and what the bootstrap of every cluster already holds
ORDER = (
    "certManagement",
    "gateway",
    "oauthProxy",
    "secretManagement",
    "multiTenant",
    "secretSync",
    "deployment",
    "progressiveDelivery",
    "eventListener",
    "pipeline",
)


def of_cluster(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Components to install, as (name in the catalog, namespace), in the order in which they depend on each other."""
    slots: Mapping[str, Any] = manifest.get("spec", {}).get("componentsList") or {}
    wanted = [slots[slot] for slot in ORDER if slots.get(slot)]
    return [(str(each["name"]), str(each.get("namespace", ""))) for each in wanted if each["name"] not in BUILT_IN]


def shared(name: str, server: str, clusters: Mapping[str, Cluster]) -> list[str]:
    """Components that stay when the cluster `name` at `server` goes: others of `clusters` at that address have them, too."""
    others = [
        each for other, each in clusters.items() if other != name and _address(each.api_server) == _address(server)
    ]
    if not others:
        return []
    return sorted({BOOTSTRAP, *(used.name for each in others for used in each.components_list.filled().values())})


def _address(server: str) -> tuple[str, int]:
    parts = urlsplit(server)
    return parts.hostname or server, parts.port or 443
