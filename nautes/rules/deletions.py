"""How much a change may delete without a confirmation. Called by the activities that plan.

A few deletions need nothing; many at once, or any in a protected environment, need their number repeated: a wrong file or
an empty directory must not take a product away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nautes.resources.base import Resource
from nautes.resources.findings import Finding
from nautes.resources.product import Environment
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from nautes.resources.tree import ProductTree
from nautes.rules.decided import DELETIONS_UNCONFIRMED


@dataclass(frozen=True)
class Limits:
    """`free` deletions are never too many; above it, at most `number` and at most `share` of what the product declares."""

    free: int = 3
    share: float = 0.5
    number: int = 20


@dataclass(frozen=True)
class Consequence:
    """What is deleted with a resource when it goes or moves: `count` objects besides the resource itself, and why it matters."""

    key: str  # of the resource
    count: int
    why: str


def check(
    gone: Iterable[Resource],
    before: ProductTree,
    confirmed: int | None = None,
    limits: Limits | None = None,
    consequences: Sequence[Consequence] = (),
) -> list[Finding]:
    """Empty when `gone` may be deleted with its consequences. `confirmed` is the number the user gave: a wrong one is refused."""
    deleted = list(gone)
    number = len(deleted) + sum(each.count for each in consequences)
    why = reason(deleted, before, limits, consequences)
    if not (deleted or consequences) or confirmed == number or (confirmed is None and not why):
        return []
    refusal = f"{confirmed} were confirmed" if confirmed is not None else f"this has to be confirmed because {why}"
    return [
        DELETIONS_UNCONFIRMED.finding(
            "",
            f"{number} resource{'s' * (number != 1)} would be deleted; {refusal}",
            hint=f"confirm with --confirm-deletions {number}",
        )
    ]


def reason(
    gone: Iterable[Resource],
    before: ProductTree,
    limits: Limits | None = None,
    consequences: Sequence[Consequence] = (),
) -> str:
    """Why these deletions have to be confirmed, "" when they do not."""
    deleted = list(gone)
    reasons = [_why(deleted, before, limits or Limits()) if deleted else "", *(each.why for each in consequences)]
    return "; ".join(filter(None, reasons))


def _why(deleted: list[Resource], before: ProductTree, limits: Limits) -> str:
    """What of the resources themselves asks for it."""
    protected = sorted(each.key for each in deleted if _protected(each, before))
    if protected:
        return f"{', '.join(protected)} is protected or lies in a protected environment"
    count, all_of_it = len(deleted), max(len(before.resources), len(deleted))
    if count <= limits.free:
        return ""
    if count > limits.number:
        return f"they are more than {limits.number}"
    return f"they are {count} of the product's {all_of_it} resources" if count > limits.share * all_of_it else ""


def _protected(resource: Resource, before: ProductTree) -> bool:
    """By the environment as it was declared before the change."""
    name = resource.name if isinstance(resource, Environment) else ""
    if isinstance(resource, DeploymentRuntime | ProjectPipelineRuntime):
        name = resource.destination.environment
    environment = before.get(Environment, name)
    return environment is not None and environment.protected
