"""Which components a cluster gets, from its manifest. Called by the registration workflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BUILT_IN = {"nautes", "vault"}  # the engine itself, and what the ground of every cluster already holds
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
    """Components to bring about, as (name in the catalog, namespace), in the order in which they depend on each other."""
    slots: Mapping[str, Any] = manifest.get("spec", {}).get("componentsList") or {}
    wanted = [slots[slot] for slot in ORDER if slots.get(slot)]
    return [(str(each["name"]), str(each.get("namespace", ""))) for each in wanted if each["name"] not in BUILT_IN]
