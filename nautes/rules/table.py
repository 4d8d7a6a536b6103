"""The table of all rules, as docs/rules.md holds it: `python -m nautes.rules.table > docs/rules.md`."""

from __future__ import annotations

from collections.abc import Iterator

from nautes.resources.base import Resource
from nautes.rules import pipelines
from nautes.rules.clusters import ADVISORY
from nautes.rules.clusters import RULES as CLUSTER_RULES
from nautes.rules.engine import RULES

PRODUCT_TESTS = "`tests/unit/rules/cases.py`"
PIPELINE_TESTS = "`tests/unit/rules/cases_of_pipelines.py`"
CLUSTER_TESTS = "`tests/unit/rules/test_cluster_rules.py`"
CHANGE = "change and push"
INTRO = """# Rules

Written by `python -m nautes.rules.table > docs/rules.md`; a test keeps it up to date.

A rule runs over what a change touches. What it finds anew refuses the change; what was there before is told and refuses
nothing; what an advisory rule finds never refuses anything. `insecure_skip_check=true` leaves out the rules that hold at
"change and push", never the shape of a manifest: unknown fields, names and values are findings `schema-*` and `yaml-*` of
the parser (`resources/`), with line and column. Rights that another product must give (`foreign-*`) are never left out.

| rule | kinds | what it demands | effect | where | tests |
|---|---|---|---|---|---|
"""
# What is decided elsewhere than by a rule about one resource: id, kinds, demand, where, tests.
ELSEWHERE = (
    (
        "frozen",
        "Environment, CodeRepoBinding, ProjectPipelineRuntime, DeploymentRuntime",
        "project of a pipeline runtime, repository of a binding, environment of a deployment runtime and cluster of an"
        " environment with runtimes never change",
        "change and push",
        "`tests/unit/rules/test_product_rules.py`",
    ),
    (
        "deletions-unconfirmed",
        "all of a product",
        "many deletions at once, or any in a protected environment, are confirmed by their number",
        "change and push",
        "`tests/unit/rules/test_deletions.py`",
    ),
    (
        "product-missing",
        "Product",
        "the product exists or is declared in the same change",
        "change",
        "`tests/integration/activities/test_activities_products.py`",
    ),
    (
        "product-unknown",
        "Product",
        "who asks may push to the product's declaration when the change's turn comes",
        "change",
        "`tests/integration/api/test_who_may.py`",
    ),
    (
        "product-spelling",
        "Product",
        "a product is written as GitLab writes its group",
        "change",
        "`tests/integration/api/test_who_may.py`",
    ),
    (
        "product-in-use",
        "Product",
        "a product that is removed holds nothing any more, and its group nothing that nobody declared",
        "change",
        "`tests/integration/scenarios/test_scenarios.py`",
    ),
    (
        "repository-unknown",
        "all of a product",
        "not even a change that skips the rules names a repository that nobody declares",
        "change",
        "`tests/workflow/test_reading.py`",
    ),
    (
        "repository-id",
        "CodeRepo",
        "a stored repository carries the id that GitLab has for its path: nobody takes another product's by its number",
        "push",
        "`tests/integration/scenarios/test_pushes.py`",
    ),
    (
        "plan-stale",
        "all",
        "what is done is what the named plan showed",
        "change and registration",
        "`tests/integration/scenarios/test_change_sets.py`",
    ),
    (
        "precondition-failed",
        "all",
        "a resource is as the caller has seen it (If-Match, If-None-Match)",
        "change and registration",
        "`tests/integration/scenarios/test_change_sets.py`",
    ),
    (
        "namespace-taken",
        "DeploymentRuntime, ProjectPipelineRuntime",
        "a namespace of a cluster belongs to one product, that of a pipeline runtime to it alone",
        "cluster's workflow, before the commit and when the runtime claims",
        "`tests/workflow/test_cluster_claims.py`",
    ),
    (
        "cluster-in-use",
        "Cluster",
        "a cluster that is removed is used by no runtime, no environment and no change, and is host of no other",
        "cluster's workflow",
        "`tests/workflow/test_cluster_claims.py`",
    ),
    (
        "cluster-host-moved",
        "Cluster",
        "a cluster never moves onto, off or between hosts",
        "registration",
        "`tests/workflow/test_virtual.py`",
    ),
    (
        "cluster-virtual-kubeconfig",
        "Cluster",
        "a virtual cluster brings no kubeconfig: the platform makes it",
        "registration",
        "`tests/workflow/test_virtual.py`",
    ),
    (
        "binding-in-use-elsewhere",
        "CodeRepo, CodeRepoBinding",
        "what another product rests on stays until that product has given the repository back",
        "owner product's workflow",
        "`tests/integration/scenarios/test_sharing.py`",
    ),
)


def markdown() -> str:
    """The whole document."""
    return INTRO + "".join(f"| {' | '.join(row)} |\n".replace("<", "&lt;") for row in _rows())


def _rows() -> Iterator[tuple[str, ...]]:
    for id_, known in sorted(RULES.items()):
        tests = PIPELINE_TESTS if known.check.__module__ == pipelines.__name__ else PRODUCT_TESTS
        yield f"`{id_}`", _kinds(known.kinds), known.summary, _effect(known.advisory), CHANGE, tests
    for id_, demand in sorted(CLUSTER_RULES.items()):
        yield f"`{id_}`", "Cluster", demand, _effect(id_ in ADVISORY), "registration", CLUSTER_TESTS
    for id_, kinds, demand, where, tests in ELSEWHERE:
        yield f"`{id_}`", kinds, demand, _effect(False), where, tests


def _kinds(kinds: tuple[type[Resource], ...]) -> str:
    return ", ".join(each.kind for each in kinds)


def _effect(advisory: bool) -> str:
    return "advises" if advisory else "refuses"


if __name__ == "__main__":
    print(markdown(), end="")
