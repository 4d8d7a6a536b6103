"""The one registry of rules: every rule has an id, a demand, the place where it is decided, and the tests that show it.

A rule about one resource registers its function (engine.py, clusters.py). A rule that needs more to decide is registered in
decided.py, and decided in the place that its `where` names. Every finding that refuses something is made by a registered rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nautes.resources.base import Resource
from nautes.resources.findings import Finding

CHANGE_AND_PUSH = "change and push"
REGISTRATION = "registration"


@dataclass(frozen=True)
class Rule:
    """One rule. `kinds` it is about; `check` is its function where it looks at one resource.

    `advisory`: it refuses nothing. `removal`: it looks at what a change removes. `scope` tells rules about products' resources
    ("product") from those about clusters ("cluster") and those that are decided elsewhere ("").
    """

    id: str
    kinds: tuple[str, ...]
    demand: str
    where: str
    tests: str
    check: Callable[..., Any] | None = None
    advisory: bool = False
    removal: bool = False
    scope: str = ""

    def finding(self, about: Resource | str, message: str, *, pointer: str = "", hint: str = "") -> Finding:
        """A finding about a resource, or its key; without a hint of its own it shows what the rule demands."""
        key = about if isinstance(about, str) else about.key
        return Finding(rule=self.id, message=message, pointer=pointer, hint=hint or self.demand, resource=key)


RULES: dict[str, Rule] = {}


def register(rule: Rule) -> Rule:
    """Add a rule. Raises ValueError for an id that is registered already."""
    if rule.id in RULES:
        raise ValueError(f"rule {rule.id} is registered twice")
    RULES[rule.id] = rule
    return rule


def of_scope(scope: str) -> list[Rule]:
    """The rules of one scope."""
    return [each for each in RULES.values() if each.scope == scope]
