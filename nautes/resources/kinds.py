"""The kinds, and the order of the original system in which they are applied (and, reversed, removed)."""

from __future__ import annotations

from collections.abc import Iterable

from nautes.resources.base import Resource
from nautes.resources.cluster import Cluster
from nautes.resources.product import CodeRepo, CodeRepoBinding, Environment, Product, Project
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime

APPLY_ORDER: tuple[type[Resource], ...] = (
    Cluster,
    Product,
    Environment,
    Project,
    CodeRepo,
    CodeRepoBinding,
    ProjectPipelineRuntime,
    DeploymentRuntime,
)
KINDS: dict[str, type[Resource]] = {each.kind: each for each in APPLY_ORDER}
_RANK = {each.kind: rank for rank, each in enumerate(APPLY_ORDER)}


def in_order(resources: Iterable[Resource], *, remove: bool = False) -> list[Resource]:
    """Sorted for applying, or for removing; inside one kind the order of the file is kept."""
    return sorted(resources, key=lambda each: -_RANK[each.kind] if remove else _RANK[each.kind])
