"""The rule engine: a rule is a function with an id; rules run on what a change touches.

Used by the activities that plan and check. Findings that were there before the change are kept apart and refuse nothing.
An advisory rule refuses nothing either: it gives warnings.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from nautes.resources.base import Resource
from nautes.resources.cluster import Cluster
from nautes.resources.findings import Finding
from nautes.resources.names import is_foreign
from nautes.resources.product import CodeRepo, CodeRepoBinding, Environment
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from nautes.resources.tree import ProductTree
from nautes.rules.hooks import HOOKS, HookEntry
from nautes.rules.registry import CHANGE_AND_PUSH, RULES, Rule, of_scope, register

PRODUCT = "product"
PRODUCT_TESTS, PIPELINE_TESTS = "tests/unit/rules/cases.py", "tests/unit/rules/cases_of_pipelines.py"

Kind = TypeVar("Kind", bound=Resource)
Check = Callable[[Any, "World"], Iterable[Finding]]
Runtime = DeploymentRuntime | ProjectPipelineRuntime
Findings = Iterable[Finding]


@dataclass(frozen=True)
class ForeignRepository:
    """What the owner of another product's repository declares about it: `bindings` of the owner's product."""

    path: str
    project: str = ""
    bindings: tuple[CodeRepoBinding, ...] = ()


@dataclass(frozen=True)
class World:
    """Input of the rules: a product's declaration, the registered clusters, and what other products declare for it.

    `foreign` holds repositories of other products by full path; `products` the paths of the existing products, None when
    not known; `removed` the resources that the change removes, by key (`check` fills it).
    """

    tree: ProductTree
    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    foreign: Mapping[str, ForeignRepository] = field(default_factory=dict)
    products: frozenset[str] | None = None
    hooks: Mapping[str, HookEntry] = field(default_factory=lambda: HOOKS)
    removed: Mapping[str, Resource] = field(default_factory=dict)
    _alike: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def alike(self, kind: type[Kind], of: Callable[[Kind], Hashable]) -> Mapping[Hashable, list[Kind]]:
        """All resources of a kind, grouped by the result of `of` (a function of a module), each sorted by name; made once."""
        if (kind, of) not in self._alike:
            found: dict[Hashable, list[Kind]] = {}
            for each in self.tree.all(kind):
                found.setdefault(of(each), []).append(each)
            self._alike[kind, of] = found
        return cast(Mapping[Hashable, list[Kind]], self._alike[kind, of])


@dataclass(frozen=True)
class Report:
    """`new` findings come with the change and refuse it; `already` were there before; `warnings` refuse nothing."""

    new: list[Finding]
    already: list[Finding]
    warnings: list[Finding] = field(default_factory=list)


def rule(
    id_: str, *kinds: type[Resource], summary: str, advisory: bool = False, removal: bool = False
) -> Callable[[Check], Check]:
    """Register a rule about one resource of a product."""

    def add(check: Check) -> Check:
        tests = PIPELINE_TESTS if check.__module__.endswith(".pipelines") else PRODUCT_TESTS
        names = tuple(each.kind for each in kinds)
        register(Rule(id_, names, summary, CHANGE_AND_PUSH, tests, check, advisory, removal, scope=PRODUCT))
        return check

    return add


def finding(rule_id: str, resource: Resource, message: str, *, pointer: str = "", hint: str = "") -> Finding:
    """A finding of a registered rule about one resource."""
    return RULES[rule_id].finding(resource, message, pointer=pointer, hint=hint)


def check(changed: Iterable[str], before: World, after: World) -> Report:
    """Run the rules on the changed keys and on what refers to them; split new findings from old ones.

    Warnings are given about what was changed only.
    """
    keys = set(changed)
    touched = affected(keys, before.tree, after.tree)
    gone = {key: each for key in keys if (each := before.tree.resources.get(key)) and key not in after.tree.resources}
    found = findings(replace(after, removed=gone), touched)
    known = {_same(each) for each in findings(replace(before, removed={}), touched)}
    refusing = [each for each in found if not RULES[each.rule].advisory]
    return Report(
        new=[each for each in refusing if _same(each) not in known],
        already=[each for each in refusing if _same(each) in known],
        warnings=[each for each in found if RULES[each.rule].advisory and each.resource in keys],
    )


def _same(each: Finding) -> tuple[str, str, str]:
    return each.rule, each.resource, each.message


def findings(world: World, keys: Iterable[str]) -> list[Finding]:
    """Every finding of every rule on these resources."""
    found: list[Finding] = []
    for key in sorted(keys):
        resource = world.tree.resources.get(key) or world.removed.get(key)
        for each in of_scope(PRODUCT):
            if resource and resource.kind in each.kinds and each.removal == (key not in world.tree.resources):
                found += each.check(resource, world) if each.check else []
    return found


def affected(changed: set[str], before: ProductTree, after: ProductTree) -> set[str]:
    """The changed resources and those that refer to one of them, or are of a kind that must be unique beside them."""
    touched, kinds = set(changed), {key.split("/")[0] for key in changed}
    for tree in (before, after):
        for resource in tree:
            if siblings(resource) & kinds or references(resource) & changed:
                touched.add(resource.key)
    return touched


def repositories(runtime: Runtime) -> list[str]:
    """The repositories a runtime uses, by name or full path."""
    if isinstance(runtime, DeploymentRuntime):
        return [runtime.manifest_source.code_repo]
    git = runtime.additional_resources.git if runtime.additional_resources else None
    named = [runtime.pipeline_source, *(each.gitlab.repo_name for each in runtime.event_sources if each.gitlab)]
    return list(dict.fromkeys([*named, *([git.code_repo] if git and git.code_repo else [])]))


def references(resource: Resource) -> set[str]:
    """Keys a resource refers to; what it names of another product is not among them."""
    if isinstance(resource, CodeRepo):
        return {f"Project/{resource.project}"} if resource.project else set()
    if isinstance(resource, CodeRepoBinding):
        projects = resource.projects if resource.opened_to == resource.product else []  # else they are the consumer's
        return {*_own([resource.coderepo]), *(f"Project/{each}" for each in projects)}
    if isinstance(resource, DeploymentRuntime | ProjectPipelineRuntime):
        projects = resource.projects_ref if isinstance(resource, DeploymentRuntime) else [resource.project]
        environment = f"Environment/{resource.destination.environment}"
        return {environment, *_own(repositories(resource)), *(f"Project/{each}" for each in projects)}
    return set()


def _own(names: Iterable[str]) -> Iterable[str]:
    return (f"CodeRepo/{each}" for each in names if not is_foreign(each))


def siblings(resource: Resource) -> set[str]:
    """Kinds whose change may break a resource although it names none of them: uniqueness and rights."""
    if isinstance(resource, Environment):
        return {"Environment"}
    if isinstance(resource, DeploymentRuntime | ProjectPipelineRuntime):
        return {resource.kind, "CodeRepoBinding"}
    return set()
