"""What an operation has done so far and what it is at: kept while it runs, shown to people, part of its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from nautes.planning.steps import Effect

ACTIONS = {"created": "create", "changed": "change", "deleted": "delete"}
SHOWN = 3  # steps that run side by side and are named


class Record:
    """`publish` shows it (Temporal UI); called on every step and every effect."""

    def __init__(self, publish: Callable[[Record], None]) -> None:
        self._publish = publish
        self._phase = "Planning"
        self._under_way: list[str] = []
        self.done: list[Effect] = []

    @property
    def step(self) -> str:
        """What the operation is at: the steps under way, else its phase."""
        if not self._under_way:
            return self._phase
        more = f" and {len(self._under_way) - SHOWN} more" if len(self._under_way) > SHOWN else ""
        text = f"{', '.join(self._under_way[:SHOWN])}{more}"
        return text[:1].upper() + text[1:]

    @property
    def phase(self) -> str:
        """Planning, Running, Undoing, or how it ended."""
        return "Running" if self._under_way else self._phase

    def show(self, phase: str) -> None:
        """The operation is at this."""
        self._phase = phase
        self._publish(self)

    def begin(self, *steps: str) -> None:
        """These steps are under way."""
        self._under_way += steps
        self._publish(self)

    def end(self, *steps: str) -> None:
        """These steps are under way no more."""
        for each in steps:
            self._under_way.remove(each)

    def note(self, system: str, made: str, target: str) -> None:
        """Something was created, changed or deleted; what was found as wanted is not worth a line."""
        if made in ACTIONS:
            self.did([Effect.model_validate({"system": system, "action": ACTIONS[made], "target": target})])

    def did(self, effects: Iterable[Effect]) -> None:
        """These effects have happened."""
        self.done += effects
        self._publish(self)

    def performed(self, planned: Iterable[Effect], found: Iterable[Effect], *, retried: bool) -> None:
        """A step has done what it `found` to do. One that was `retried` has done what was planned, be it in a lost attempt."""
        lost = list(planned) if retried else []
        known = {(each.system, each.action, each.target) for each in lost}
        self.did([*lost, *(each for each in found if (each.system, each.action, each.target) not in known)])

    def lines(self) -> list[str]:
        """One line per effect."""
        return [f"{each.system}: {each.action} {each.target}" for each in self.done]
