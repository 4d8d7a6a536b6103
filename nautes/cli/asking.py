"""Questions to a person: only where standard input and output are a terminal, never in a pipe."""

from __future__ import annotations

import sys
from typing import Any

from nautes.cli import show
from nautes.cli.client import USAGE, CommandError


def terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def answer(question: str) -> str:
    """One line from the person, "" at the end of input."""
    show.err.print(show.plain(f"{question} "), markup=False, end="")
    return sys.stdin.readline().strip()


def chosen(kind: str, names: list[str]) -> list[str]:
    """The names the person says yes to; `A` is yes to all that are left. Raises `CommandError` in a pipe."""
    if not terminal():
        raise CommandError("there is no terminal to ask at: use -y to delete without a question", USAGE)
    found: list[str] = []
    for index, name in enumerate(names):
        said = answer(f"delete {kind}/{name}? [y/n/A]")
        if said in ("A", "all"):
            return [*found, *names[index:]]
        if said.lower() in ("y", "yes"):
            found.append(name)
    return found


def deletions(findings: list[dict[str, Any]]) -> int | None:
    """The number of deletions the person types after reading why; None when there is no terminal or no number is typed."""
    if not terminal():
        return None
    show.findings(findings)
    said = answer("type the number of deletions to go on, anything else to stop:")
    return int(said) if said.isdecimal() else None
