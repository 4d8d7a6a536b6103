"""What may not change between two versions of a resource (3.6 of the reference). Called by the activities that plan.

A runtime's namespaces may change, its environment may not: what it has in the old cluster would stay there, owned by nobody.
"""

from __future__ import annotations

from collections.abc import Iterator

from nautes.resources.base import Resource
from nautes.resources.product import CodeRepoBinding, Environment
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from nautes.rules.decided import FROZEN
from nautes.rules.engine import Findings, Runtime, World

FROZEN_HINT = "remove it and declare it anew under another name, or keep what it was"


def frozen(old: Resource, new: Resource, world: World) -> Findings:
    """Findings about what `new` changes although it may not; `world` is the one before the change."""
    return [
        FROZEN.finding(new, f"{field} may not change{why}", pointer=f"/spec/{pointer}", hint=FROZEN_HINT)
        for field, pointer, why in _changed(old, new, world)
    ]


def _changed(old: Resource, new: Resource, world: World) -> Iterator[tuple[str, str, str]]:
    """Field, pointer and reason of each."""
    if isinstance(old, ProjectPipelineRuntime) and isinstance(new, ProjectPipelineRuntime):
        if old.project != new.project:
            yield "project", "project", ""
    elif isinstance(old, DeploymentRuntime) and isinstance(new, DeploymentRuntime):
        if old.destination.environment != new.destination.environment:
            yield "destination.environment", "destination/environment", " once the runtime is declared"
    elif isinstance(old, CodeRepoBinding) and isinstance(new, CodeRepoBinding):
        if old.coderepo != new.coderepo:
            yield "coderepo", "coderepo", ""
    elif isinstance(old, Environment) and isinstance(new, Environment) and old.cluster != new.cluster:
        runtimes: list[Runtime] = [*world.tree.all(DeploymentRuntime), *world.tree.all(ProjectPipelineRuntime)]
        users = sorted(each.key for each in runtimes if each.destination.environment == old.name)
        if users:
            yield "cluster", "cluster", f" while {', '.join(users)} run there"
