"""A request read against a declaration: what is there, what shall be, and what follows from the two alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from nautes.planning.known import RepositoryUse
from nautes.planning.steps import Effect, Outcome
from nautes.resources.base import Resource
from nautes.resources.declaration import Declaration
from nautes.resources.findings import Finding
from nautes.resources.kinds import in_order
from nautes.resources.manifest import version
from nautes.resources.product import CodeRepo, CodeRepoBinding, Product, product_of_group
from nautes.resources.tree import ProductTree
from nautes.rules.decided import (
    BINDING_IN_USE_ELSEWHERE,
    PRECONDITION_FAILED,
    PRODUCT_IN_USE,
    PRODUCT_MISSING,
    REPOSITORY_VISIBILITY,
)

VISIBILITIES = ("private", "internal", "public")  # of GitLab, each includes those before


@dataclass(frozen=True)
class Request:
    """What somebody asks for: resources of one product to be applied or removed.

    `expected` holds the versions the caller has seen ("" means: must not exist), by "<Kind>/<name>".
    """

    product: str
    action: Literal["apply", "remove"]
    resources: list[Resource]
    expected: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Intent:
    """A request and the declaration it is read against. `group` is the product's group in GitLab, None when there is none."""

    request: Request
    declaration: Declaration
    group: Any
    foreign_uses: list[RepositoryUse]

    @property
    def removes(self) -> bool:
        """Whether the resources shall go."""
        return self.request.action == "remove"

    @property
    def path(self) -> str:
        """Full path of the product's group."""
        return self.request.product

    @property
    def product(self) -> Product | None:
        """The Product itself, when the request names it: it is the group, not a file of the tree."""
        return next((each for each in self.request.resources if isinstance(each, Product)), None)

    @cached_property
    def before(self) -> ProductTree:
        """The declaration as it is."""
        return self.declaration.tree or ProductTree(self.path)

    @cached_property
    def after(self) -> ProductTree:
        """The declaration as it shall be."""
        declared = [each for each in self.request.resources if not isinstance(each, Product)]
        return self.before.remove(each.key for each in declared) if self.removes else self.before.apply(declared)

    @property
    def gone(self) -> list[Resource]:
        """What the request takes away."""
        lost = [each for each in self.before if each.key not in self.after.resources]
        product = self.product
        return [*lost, product] if product and self.removes and self.declaration.group_id else lost

    def pairs(self) -> Iterable[tuple[Resource | None, Resource | None]]:
        """(before, after) of every resource the request names and that is a file, in the order of its effects."""
        for each in in_order(self.request.resources, remove=self.removes):
            if not isinstance(each, Product):
                yield self.before.resources.get(each.key), self.after.resources.get(each.key)


def existence(intent: Intent) -> Iterable[Finding]:
    """The product must exist, or be declared by the same request; it goes only with all that it holds."""
    if not intent.removes and intent.product is None and not intent.declaration.project_id:
        yield PRODUCT_MISSING.finding(
            "",
            f"product {intent.path} does not exist",
            hint="declare the Product in the same change",
        )
    if intent.removes and intent.product is not None:
        left = sorted(each.key for each in intent.after if each.kind != "Product")
        if left:
            yield PRODUCT_IN_USE.finding(intent.product, f"the product still holds {', '.join(left)}")


def expected(intent: Intent) -> Iterable[Finding]:
    """Versions the caller has seen and built upon (If-Match, If-None-Match)."""
    for key, wanted in intent.request.expected.items():
        known = intent.before.resources.get(key)
        if key == f"Product/{intent.path}":
            known = product_of_group(intent.path, intent.group) if intent.group else None
        found = version(known) if known else ""
        if found != wanted:
            text = f"{key} is not there any more" if not found else f"{key} is there already" if not wanted else ""
            yield PRECONDITION_FAILED.finding(key, text or f"{key} has changed meanwhile")


def too_visible(intent: Intent) -> Iterable[Finding]:
    """GitLab takes no repository that is more visible than its group: asked before anything is made."""
    if intent.removes:
        return
    asked = intent.product.git.gitlab.visibility if intent.product and intent.product.git.gitlab else ""
    group = asked or (str(intent.group["visibility"]) if intent.group else "private")
    touched = intent.after.all(CodeRepo) if asked else intent.request.resources
    for each in touched:
        own = each.git.gitlab.visibility if isinstance(each, CodeRepo) and each.git.gitlab else ""
        if own and VISIBILITIES.index(own) > VISIBILITIES.index(group):
            text = f"{each.key} is {own}, but the group {intent.path} is {group}"
            hint = f"make the group {own} or the repository {group}"
            yield REPOSITORY_VISIBILITY.finding(each, text, pointer="/spec/git/gitlab/visibility", hint=hint)


def unopened(intent: Intent) -> Iterable[Finding]:
    """What another product rests on is not taken from under it: a repository, or the binding that opens it."""
    for each in intent.gone:
        if not isinstance(each, CodeRepo | CodeRepoBinding):
            continue
        name = each.name if isinstance(each, CodeRepo) else each.coderepo
        users = [
            f"{user} of {use.product}"
            for use in intent.foreign_uses
            if use.repository == f"{intent.path}/{name}" and use.product != intent.path
            for user in use.users
            if isinstance(each, CodeRepo) or each.consumer == use.product
        ]
        if users:
            yield BINDING_IN_USE_ELSEWHERE.finding(each, f"{each.key} is used by {', '.join(sorted(users))}")


def outcomes(intent: Intent, effects: Iterable[Effect]) -> Iterable[Outcome]:
    """Per resource of the request; what only GitLab has otherwise than declared counts as a change as well."""
    touched = {each.target for each in effects if each.system == "gitlab" and each.action == "change"}
    for each in in_order(intent.request.resources, remove=intent.removes):
        product = isinstance(each, Product)
        known = intent.before.resources.get(each.key)
        there = bool(intent.declaration.project_id) if product else known is not None
        if intent.removes:
            yield Outcome(resource=each.key, action="removed" if there else "absent")
        elif not there:
            yield Outcome(resource=each.key, action="created")
        else:
            target = f"group {intent.path}" if product else f"repository {intent.path}/{each.name}"
            same = (product or known == each) and not (target in touched and isinstance(each, Product | CodeRepo))
            yield Outcome(resource=each.key, action="unchanged" if same else "changed")
