"""What an operation has done so far and what it is at: kept while it runs, shown to people, told at its end."""

from __future__ import annotations

from collections.abc import Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from nautes.messages.operations import Effect

ACTIONS = {"created": "create", "changed": "change", "deleted": "delete"}


class Record:
    """`publish` shows it (Temporal UI); called on every step and every effect."""

    def __init__(self, publish: Callable[[Record], None]) -> None:
        self._publish = publish
        self.step = "Planning"
        self.done: list[Effect] = []

    def show(self, step: str) -> None:
        """The operation is at this step."""
        self.step = step
        self._publish(self)

    def note(self, system: str, made: str, target: str) -> None:
        """Something was created, changed or deleted; what was found as wanted is not worth a line."""
        if made in ACTIONS:
            self.done.append(Effect.model_validate({"system": system, "action": ACTIONS[made], "target": target}))
            self._publish(self)

    def lines(self) -> list[str]:
        """One line per effect."""
        return [f"{each.system}: {each.action} {each.target}" for each in self.done]
