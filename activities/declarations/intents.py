"""A request read against a declaration: what is there, what shall be, and what follows from the two alone.

Pure; used by planning.py, which adds what GitLab and the rules say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from activities.declarations import specifications
from nautes.clients.declarations import Declaration
from nautes.messages import ids
from nautes.messages.clusters import Claim, Reserve
from nautes.messages.declarations import AccessRequest, RepositoryUse
from nautes.messages.operations import ChangeRequest, Effect, Outcome
from nautes.resources.base import Resource
from nautes.resources.findings import Finding
from nautes.resources.kinds import in_order
from nautes.resources.manifest import resource_of, version
from nautes.resources.product import CodeRepo, CodeRepoBinding, Environment, Product, product_of_group
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from nautes.resources.tree import ProductTree
from nautes.rules.engine import finding


@dataclass(frozen=True)
class Intent:
    """A request read against a declaration: what is there, and what shall be."""

    request: ChangeRequest
    declaration: Declaration
    group: Any  # the product's, as GitLab has it; None when there is none
    resources: list[Resource]
    foreign_uses: list[RepositoryUse]

    @classmethod
    def of(
        cls, request: ChangeRequest, declaration: Declaration, group: Any, foreign_uses: list[RepositoryUse]
    ) -> Intent:
        """The request's manifests as resources."""
        return cls(request, declaration, group, [resource_of(each) for each in request.manifests], foreign_uses)

    @property
    def product(self) -> Product | None:
        """The Product itself, when the request names it: it is the group, not a file of the tree."""
        return next((each for each in self.resources if isinstance(each, Product)), None)

    @cached_property
    def before(self) -> ProductTree:
        """The declaration as it is."""
        return self.declaration.tree or ProductTree(self.request.product)

    @cached_property
    def after(self) -> ProductTree:
        """The declaration as it shall be."""
        declared = [each for each in self.resources if not isinstance(each, Product)]
        if self.request.action == "apply":
            return self.before.apply(declared)
        return self.before.remove(each.key for each in declared)

    @property
    def gone(self) -> list[Resource]:
        """What the request takes away."""
        lost = [each for each in self.before if each.key not in self.after.resources]
        product = self.product
        return [*lost, product] if product and self.request.action == "remove" and self.declaration.group_id else lost

    def pairs(self) -> Iterable[tuple[Resource | None, Resource | None]]:
        """(before, after) of every resource the request names and that is a file, in the order of its effects."""
        for each in in_order(self.resources, remove=self.request.action == "remove"):
            if not isinstance(each, Product):
                yield self.before.resources.get(each.key), self.after.resources.get(each.key)


def existence(intent: Intent) -> Iterable[Finding]:
    request, product = intent.request, intent.product
    if request.action == "apply" and product is None and not intent.declaration.project_id:
        yield Finding(
            rule="product-missing",
            message=f"product {request.product} does not exist",
            hint="declare the Product in the same change",
        )
    if request.action == "remove" and product is not None:
        left = sorted(each.key for each in intent.after if each.kind != "Product")
        if left:
            yield finding("product-in-use", product, f"the product still holds {', '.join(left)}")


def expected(intent: Intent) -> Iterable[Finding]:
    """Versions the caller has seen and built upon (If-Match, If-None-Match)."""
    for key, wanted in intent.request.expected.items():
        known = intent.before.resources.get(key)
        if key == f"Product/{intent.request.product}":
            known = product_of_group(intent.request.product, intent.group) if intent.group else None
        found = version(known) if known else ""
        if found != wanted:
            text = f"{key} is not there any more" if not found else f"{key} is there already" if not wanted else ""
            yield Finding(rule="precondition-failed", message=text or f"{key} has changed meanwhile", resource=key)


def unopened(intent: Intent) -> Iterable[Finding]:
    """What another product rests on is not taken from under it: a repository, or the binding that opens it."""
    path = intent.request.product
    for each in intent.gone:
        if not isinstance(each, CodeRepo | CodeRepoBinding):
            continue
        name = each.name if isinstance(each, CodeRepo) else each.coderepo
        users = [
            f"{user} of {agreement.product}"
            for agreement in intent.foreign_uses
            if agreement.repository == f"{path}/{name}" and agreement.product != path
            for user in agreement.users
            if isinstance(each, CodeRepo) or each.consumer == agreement.product
        ]
        if users:
            yield finding("binding-in-use-elsewhere", each, f"{each.key} is used by {', '.join(sorted(users))}")


def outcomes(intent: Intent, lines: list[Effect]) -> Iterable[Outcome]:
    """Per resource of the request; what only GitLab has otherwise than declared counts as a change as well."""
    touched = {each.target for each in lines if each.system == "gitlab" and each.action == "change"}
    path, remove = intent.request.product, intent.request.action == "remove"
    for each in in_order(intent.resources, remove=remove):
        product = isinstance(each, Product)
        known = intent.before.resources.get(each.key)
        there = bool(intent.declaration.project_id) if product else known is not None
        if remove:
            yield Outcome(resource=each.key, action="removed" if there else "absent")
        elif not there:
            yield Outcome(resource=each.key, action="created")
        else:
            target = f"group {path}" if product else f"repository {path}/{each.name}"
            same = (product or known == each) and not (target in touched and isinstance(each, Product | CodeRepo))
            yield Outcome(resource=each.key, action="unchanged" if same else "changed")


def claims(intent: Intent) -> dict[str, Reserve]:
    """By cluster: the namespaces of runtimes, and the environments, that this change brings or moves there."""
    found: dict[str, Reserve] = {}
    if intent.request.action != "apply":
        return found
    for before, after in intent.pairs():
        if after is None or after == before:
            continue
        name = after.name if isinstance(after, Environment) else ""
        if isinstance(after, DeploymentRuntime | ProjectPipelineRuntime):
            name = after.destination.environment
        environment = intent.after.get(Environment, name) if name else None
        if environment is None:
            continue
        reserve = found.get(environment.cluster) or _nothing(intent)
        if isinstance(after, Environment):
            reserve = reserve.model_copy(update={"environments": [*reserve.environments, after.name]})
        else:
            reserve = reserve.model_copy(update={"claims": [*reserve.claims, _claim(intent, after)]})
        found[environment.cluster] = reserve
    return found


def _nothing(intent: Intent) -> Reserve:
    request = intent.request
    return Reserve(product=request.product, product_id=_product_id(intent), operation=request.operation)


def _claim(intent: Intent, runtime: Any) -> Claim:
    deploys = isinstance(runtime, DeploymentRuntime)
    return Claim(
        runtime=specifications.workflow(runtime),
        product=intent.request.product,
        product_id=_product_id(intent),
        namespaces=runtime.namespaces if deploys else [runtime.namespace],
        worker_type="deployment" if deploys else "pipeline",
    )


def _product_id(intent: Intent) -> str:
    """ "" for a product whose group this change makes: the workflow knows it by then."""
    number = intent.declaration.group_id
    return ids.product_name(number) if number else ""


def access_requests(intent: Intent) -> list[AccessRequest]:
    """What the change will need of other products: it declares to use repositories of theirs."""
    if intent.request.action != "apply":
        return []
    before, wanted = (
        specifications.by_owner(specifications.foreign_uses(tree, intent.declaration))
        for tree in (intent.before, intent.after)
    )
    return [
        AccessRequest(owner=owner, product=intent.request.product, wanted=asked, before=before.get(owner, []))
        for owner, asked in wanted.items()
        if asked != before.get(owner, [])
    ]
