"""The rule engine: a rule is a function with an id; rules run on what a change touches.

Used by the activities that plan and check. Findings that were there before the change are told apart: they refuse nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from resources.base import Resource
from resources.cluster import Cluster
from resources.findings import Finding
from resources.product import CodeRepo, CodeRepoBinding, Environment
from resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from resources.tree import ProductTree

Check = Callable[[Any, "World"], Iterable[Finding]]


@dataclass(frozen=True)
class World:
    """What rules may look at: a product's declaration and the clusters there are."""

    tree: ProductTree
    clusters: Mapping[str, Cluster] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """One rule: `kinds` it looks at, and one line of what it demands."""

    id: str
    kinds: tuple[type[Resource], ...]
    summary: str
    check: Check


@dataclass(frozen=True)
class Report:
    """`new` findings come with the change and refuse it; `already` were there before."""

    new: list[Finding]
    already: list[Finding]


RULES: dict[str, Rule] = {}


def rule(id_: str, *kinds: type[Resource], summary: str) -> Callable[[Check], Check]:
    """Register a rule."""

    def register(check: Check) -> Check:
        RULES[id_] = Rule(id_, kinds, summary, check)
        return check

    return register


def finding(rule_id: str, resource: Resource, message: str, *, pointer: str = "", hint: str = "") -> Finding:
    """A finding about one resource; where nothing better is known, the hint is what the rule demands."""
    known = RULES.get(rule_id)
    hint = hint or (known.summary if known else "")
    return Finding(rule=rule_id, message=message, pointer=pointer, hint=hint, resource=resource.key)


def check(changed: Iterable[str], before: World, after: World) -> Report:
    """Run the rules on the changed keys and on what refers to them; split new findings from old ones."""
    touched = affected(set(changed), before.tree, after.tree)
    found = findings(after, touched)
    known = {(each.rule, each.resource, each.message) for each in findings(before, touched)}
    return Report(
        new=[each for each in found if (each.rule, each.resource, each.message) not in known],
        already=[each for each in found if (each.rule, each.resource, each.message) in known],
    )


def findings(world: World, keys: Iterable[str]) -> list[Finding]:
    """Every finding of every rule on these resources."""
    found: list[Finding] = []
    for key in sorted(keys):
        resource = world.tree.resources.get(key)
        if resource is not None:
            for each in RULES.values():
                if isinstance(resource, each.kinds):
                    found += each.check(resource, world)
    return found


def affected(changed: set[str], before: ProductTree, after: ProductTree) -> set[str]:
    """The changed resources and those that refer to one of them, or are of a kind that must be unique beside them."""
    touched = set(changed)
    for tree in (before, after):
        for resource in tree:
            if references(resource) & changed or (siblings(resource) & {key.split("/")[0] for key in changed}):
                touched.add(resource.key)
    return touched


def references(resource: Resource) -> set[str]:
    """Keys a resource refers to."""
    if isinstance(resource, CodeRepo):
        return {f"Project/{resource.project}"} if resource.project else set()
    if isinstance(resource, CodeRepoBinding):
        return {f"CodeRepo/{resource.coderepo}", *(f"Project/{each}" for each in resource.projects)}
    if isinstance(resource, DeploymentRuntime):
        return {
            f"Environment/{resource.destination.environment}",
            f"CodeRepo/{resource.manifest_source.code_repo}",
            *(f"Project/{each}" for each in resource.projects_ref),
        }
    if isinstance(resource, ProjectPipelineRuntime):
        repositories = {each.gitlab.repo_name for each in resource.event_sources if each.gitlab}
        return {
            f"Environment/{resource.destination.environment}",
            f"Project/{resource.project}",
            f"CodeRepo/{resource.pipeline_source}",
            *(f"CodeRepo/{each}" for each in repositories),
        }
    return set()


def siblings(resource: Resource) -> set[str]:
    """Kinds whose change may break a resource although it names none of them: uniqueness and rights."""
    if isinstance(resource, Environment):
        return {"Environment"}
    if isinstance(resource, DeploymentRuntime | ProjectPipelineRuntime):
        return {resource.kind, "CodeRepoBinding"}
    return set()
