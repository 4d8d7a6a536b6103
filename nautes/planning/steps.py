"""Typed steps: what a plan prints is the very list that a change executes (workflows/executor.py).

A step is the unit of execution and of undo. Its effects are what it does, object by object and system by system.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field, model_validator

from nautes.resources.findings import Finding
from nautes.resources.payload import Payload

Manifest = dict[str, Any]  # a user manifest: {"kind": ..., "spec": {...}}, without secrets
System = Literal["gitlab", "vault", "git", "kubernetes", "temporal"]
Action = Literal["create", "change", "replace", "delete", "keep"]
Kind = Literal[
    "group",
    "repository",
    "reserve",
    "access",
    "commit",
    "withdraw",
    "foreign-keys",
    "environments",
    "report-use",
    "runtime",
    "end",
    "delete-repository",
    "delete-group",
]


class Outcome(Payload):
    """What became of one resource. `action` as the user sees it."""

    resource: str  # "<Kind>/<name>"
    action: Literal["created", "changed", "unchanged", "removed", "absent", "refused"]
    detail: str = ""


class FieldChange(Payload):
    """One field of a plan, by JSON pointer into the manifest; None on the side where it is not there."""

    pointer: str
    before: Any = None
    after: Any = None


class Effect(Payload):
    """One line of a plan or of the record of a change: a system, what is done there, to what."""

    system: System
    action: Action
    target: str
    detail: str = ""
    fields: list[FieldChange] = []  # of a plan: what differs


class Step(Payload):
    """One step. `needs` are ids of steps that must be done before it; `input` is read by what carries out its `kind`."""

    id: str
    kind: Kind
    system: System = "temporal"  # that carries the most of it: how many steps run side by side is bounded per system
    subject: str  # for people: what the status of a running change says
    needs: list[str] = []
    effects: list[Effect] = []
    deletions: int = 0  # how much of what it does counts as a deletion
    why: str = ""  # why it deletes or replaces, "" where that is plain
    input: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _with_system(cls, values: Any) -> Any:
        """A step is made with the system of its first effect; once it is in a history it keeps that, whatever comes later."""
        if isinstance(values, dict) and "system" not in values and values.get("effects"):
            first = values["effects"][0]
            return {**values, "system": first["system"] if isinstance(first, dict) else first.system}
        return values


class Plan(Payload):
    """What a change would do. `findings` not empty: it is refused. `outcomes` are per resource of the request."""

    id: str = ""  # changes when what would be done, or the head it was made at, changes
    head: str = ""  # of default.project, "" when there is none
    group_id: int = 0
    project_id: int = 0  # of default.project
    findings: list[Finding] = []
    already: list[Finding] = []  # were there before; they refuse nothing
    warnings: list[Finding] = []
    outcomes: list[Outcome] = []
    steps: list[Step] = []
    confirm: str = ""  # why its deletions have to be confirmed, "" when they do not
    registered: list[str] = []  # of the clusters that the product's environments name: those that are registered

    @property
    def effects(self) -> list[Effect]:
        """Everything that would be done, in the order of the steps."""
        return [each for step in self.steps for each in step.effects]

    @property
    def deletions(self) -> int:
        """How much goes: resources, repositories, volume claims, objects of protected environments."""
        return sum(step.deletions for step in self.steps)


def digest(parts: Iterable[str]) -> str:
    """The id of a plan: 16 hexadecimal digits."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def without_repeats(steps: Iterable[Step]) -> list[Step]:
    """The first step of each id."""
    found: dict[str, Step] = {}
    for step in steps:
        found.setdefault(step.id, step)
    return list(found.values())
