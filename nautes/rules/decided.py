"""Rules that are decided outside the rule engine: by the requester, GitLab, a plan, other products, the cluster's claims.

`where` names the place. The finding is made from the rule here, so that its hint is written once.
"""

from __future__ import annotations

from nautes.rules.registry import CHANGE_AND_PUSH, REGISTRATION, Rule, register

CHANGE = "change"
EVERY = "change and registration"
CLUSTER = "cluster's workflow"


def _rule(id_: str, kinds: str, demand: str, where: str, tests: str) -> Rule:
    return register(Rule(id_, tuple(kinds.split(", ")), demand, where, tests))


FROZEN = _rule(
    "frozen",
    "Environment, CodeRepoBinding, ProjectPipelineRuntime, DeploymentRuntime",
    "project of a pipeline runtime, repository of a binding, environment of a deployment runtime and cluster of an environment"
    " with runtimes never change",
    CHANGE_AND_PUSH,
    "tests/unit/rules/test_product_rules.py",
)
DELETIONS_UNCONFIRMED = _rule(
    "deletions-unconfirmed",
    "all of a product",
    "many deletions at once, or of a repository with commits, a volume claim or anything in a protected environment, are"
    " confirmed by their number",
    CHANGE_AND_PUSH,
    "tests/unit/rules/test_deletions.py",
)
PRODUCT_MISSING = _rule(
    "product-missing",
    "Product",
    "the product exists or is declared in the same change",
    CHANGE,
    "tests/integration/activities/test_activities_products.py",
)
PRODUCT_UNKNOWN = _rule(
    "product-unknown",
    "Product",
    "the requester may push to the product's declaration when the change begins",
    CHANGE,
    "tests/integration/api/test_who_may.py",
)
PRODUCT_SPELLING = _rule(
    "product-spelling",
    "Product",
    "a product is written as GitLab writes its group",
    CHANGE,
    "tests/integration/api/test_who_may.py",
)
PRODUCT_IN_USE = _rule(
    "product-in-use",
    "Product",
    "a product that is removed declares nothing any more, and its group holds nothing undeclared",
    CHANGE,
    "tests/integration/scenarios/test_scenarios.py",
)
PRODUCT_RESERVED = _rule(
    "product-reserved",
    "Product",
    "a product is not the tenant's own group",
    "API",
    "tests/integration/api/test_who_may.py",
)
REPOSITORY_UNKNOWN = _rule(
    "repository-unknown",
    "all of a product",
    "a repository that is named is declared, also by a change that skips the rules",
    CHANGE,
    "tests/workflow/test_reading.py",
)
REPOSITORY_ID = _rule(
    "repository-id",
    "CodeRepo",
    "a stored repository carries the id that GitLab has for its path, so that no product takes another's repository by id",
    "push",
    "tests/integration/scenarios/test_pushes.py",
)
REPOSITORY_VISIBILITY = _rule(
    "repository-visibility",
    "CodeRepo",
    "a repository is not more visible than its product's group, as GitLab demands",
    CHANGE,
    "tests/unit/planning/test_request.py",
)
RUNTIME_UNRESOLVED = _rule(
    "runtime-unresolved",
    "DeploymentRuntime, ProjectPipelineRuntime",
    "a runtime names an environment and a repository that are declared; otherwise it keeps its last specification",
    "push",
    "tests/workflow/test_reading.py",
)
PLAN_STALE = _rule(
    "plan-stale",
    "all",
    "a change does what its named plan showed; otherwise plan again",
    EVERY,
    "tests/integration/scenarios/test_change_sets.py",
)
PRECONDITION_FAILED = _rule(
    "precondition-failed",
    "all",
    "a resource is as the caller has seen it (If-Match, If-None-Match)",
    EVERY,
    "tests/integration/scenarios/test_change_sets.py",
)
NAMESPACE_TAKEN = _rule(
    "namespace-taken",
    "DeploymentRuntime, ProjectPipelineRuntime",
    "a namespace of a cluster belongs to one product, that of a pipeline runtime to it alone",
    "workflow of the cluster's namespace claims, before the commit and when the runtime claims",
    "tests/workflow/test_namespaces.py",
)
CLUSTER_IN_USE = _rule(
    "cluster-in-use",
    "Cluster",
    "a cluster that is removed is used by no runtime, no environment and no change, and is host of no other",
    CLUSTER,
    "tests/workflow/test_namespaces.py",
)
CLUSTER_HOST_MOVED = _rule(
    "cluster-host-moved",
    "Cluster",
    "a cluster never moves onto, off or between hosts",
    REGISTRATION,
    "tests/workflow/test_virtual.py",
)
CLUSTER_VIRTUAL_KUBECONFIG = _rule(
    "cluster-virtual-kubeconfig",
    "Cluster",
    "a virtual cluster brings no kubeconfig: the platform makes it",
    REGISTRATION,
    "tests/workflow/test_virtual.py",
)
BINDING_IN_USE_ELSEWHERE = _rule(
    "binding-in-use-elsewhere",
    "CodeRepo, CodeRepoBinding",
    "a repository that another product uses stays until that product has given it up",
    "owner product's workflow",
    "tests/integration/scenarios/test_sharing.py",
)
