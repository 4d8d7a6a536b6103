"""Output of every command: lines and findings for people, pure JSON or YAML for programs.

Nothing secret is printed, and no text from outside controls the terminal.
Used by every command. Tables are in tables.py, the tree of a product in tree.py, plans in plans.py.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.markup import escape as _escape

WIDE = None if sys.stdout.isatty() else 10_000  # columns in a pipe, which has no width of its own
out = Console(highlight=False, emoji=False, soft_wrap=True, width=WIDE)
err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)
HIDDEN = "***"
SECRET_LENGTH = 8  # shorter secrets are not hidden: hiding "x" would remove every x
_secrets: set[str] = set()


def hide(secret: str) -> None:
    """From now on this text is never printed, even when a server returns it."""
    if len(secret) >= SECRET_LENGTH:
        _secrets.add(secret)


def plain(text: str) -> str:
    """A text from outside for the terminal: control characters (escape sequences) are shown as "?"."""
    return "".join(each if each.isprintable() or each in "\n\t" else "?" for each in _hidden(text))


def escape(text: str) -> str:
    """A text from outside, escaped for our markup."""
    return _escape(plain(text))


def line(text: str, style: str = "") -> None:
    """One line on standard output, as it is."""
    out.print(plain(text), markup=False, style=style or None)


def note(text: str) -> None:
    """A message to people, on standard error."""
    err.print(plain(f"note: {text}"), markup=False)


def documents(values: list[Any]) -> None:
    """YAML documents, as files of manifests hold them."""
    from nautes.resources.scalars import text_of  # only this format needs it

    sys.stdout.write("".join(f"---\n{text_of(each, sort=False, ascii=True)}" for each in values))


def data(value: Any, form: str) -> None:
    """Pure JSON or YAML on standard output."""
    value = veiled(value)
    if form == "json":
        text = json.dumps(value, indent=2)
    else:
        from nautes.resources.scalars import text_of  # only this format needs it

        text = text_of(value, sort=False, ascii=True)
    sys.stdout.write(text.rstrip("\n") + "\n")


def veiled(value: Any) -> Any:
    """The value without hidden texts, and without a kubeconfig, which no answer should hold."""
    if isinstance(value, dict):
        return {key: HIDDEN if key == "kubeconfig" and each else veiled(each) for key, each in value.items()}
    if isinstance(value, list):
        return [veiled(each) for each in value]
    return _hidden(value) if isinstance(value, str) else value


def outcomes(operations: list[dict[str, Any]]) -> None:
    """The results of a command's operations: one line per resource; warnings and older findings on standard error."""
    for operation in operations:
        for outcome in operation.get("outcomes", []):
            line(f"{outcome['resource']} {outcome['action']}")
        if operation["state"] == "running":
            line(f"still running: {operation['operation']}")
        for finding in operation.get("already", []):
            err.print(f"was wrong before: {escape(finding['message'])}")
        warnings(operation)


def warnings(operation: dict[str, Any]) -> None:
    """Warnings of the platform."""
    for finding in operation.get("warnings", []):
        hint = f" ({finding['hint']})" if finding.get("hint") else ""
        note(f"{finding['message']}{hint}")


def findings(found: list[dict[str, Any]]) -> None:
    """Every finding on standard error: position, message, hint."""
    for each in found:
        parts = (each.get("file"), each.get("resource"), each.get("line"), each.get("column"))
        if each.get("file"):
            parts = (
                each["file"],
                each.get("line"),
                each.get("column"),
                f" {each['resource']}" if each["resource"] else "",
            )
        where = ":".join(str(part) for part in parts if part)
        message = escape(each["message"])
        err.print(f"{escape(where)}: {message} ({escape(each['rule'])})" if where else message)
        if each.get("hint"):
            err.print(f"  {escape(each['hint'])}")


def _hidden(text: str) -> str:
    for secret in _secrets:
        text = text.replace(secret, HIDDEN)
    return text
