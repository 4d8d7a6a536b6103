"""Prints what a change would do: `+ ~ -` per resource and field, then per system, and last lines with the counts.

Objects that are deleted and made anew elsewhere are `-/+`, those that stay although their runtime moves `=`.

Used by `nautes plan`, `apply --dry-run` and `nautes diff`. Values of fields that name a secret are never shown.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from nautes.cli import show

OUTCOMES = {"created": "+", "changed": "~", "removed": "-"}
SIGNS = {"create": "+", "change": "~", "replace": "-/+", "delete": "-", "keep": "="}
STYLES = {"+": "green", "~": "yellow", "-/+": "magenta", "-": "red", "=": "dim"}
SECRET = re.compile(r"kubeconfig|password|token|secret|private_?key", re.IGNORECASE)
LONGEST = 200  # characters of a value that are shown
Operations = list[dict[str, Any]]


def plan(operations: Operations) -> None:
    """Everything that would be done, resource by resource, then system by system."""
    for operation in operations:
        shown = _resources(operation)
        _systems(operation, shown)
        show.warnings(operation)


def count(operations: Operations) -> None:
    """The last lines of a plan: resources, objects that are replaced, and what has to be confirmed."""
    found = Counter(OUTCOMES[each["action"]] for each in _changing(operations))
    counts = f"{found['+']} to create, {found['~']} to change, {found['-']} to delete"
    show.line(f"Plan: resources: {counts}; in the systems: {_in_systems(operations)}.")
    for each in operations:
        if each.get("confirm"):
            number = each["deletions"]
            what = f"{number} deletion{'s' * (number != 1)} to confirm"
            show.line(f"{what}: --confirm-deletions {number} ({each['confirm']})", STYLES["-"])


def _in_systems(operations: Operations) -> str:
    """How much is created, changed, replaced and deleted in the systems; what was not counted is one."""
    found = Counter[str]()
    for effect in (effect for each in operations for effect in each.get("effects", []) if effect["system"] != "git"):
        number = effect["target"].partition(" ")[0]
        found[effect["action"]] += int(number) if number.isdecimal() else 1
    return ", ".join(f"{found[each]} to {each}" for each in ("create", "change", "replace", "delete"))


def differs(operations: Operations) -> bool:
    """Whether anything would be done."""
    effects = [effect for each in operations for effect in each.get("effects", [])]
    return bool(_changing(operations) or any(each["action"] != "keep" for each in effects))


def diff(operations: Operations) -> None:
    """What would be different, field by field, as removed and added lines."""
    for operation in operations:
        fields = _fields(operation)
        for outcome in _changing([operation]):
            key = outcome["resource"]
            show.line(f"{OUTCOMES[outcome['action']]} {key}", STYLES[OUTCOMES[outcome["action"]]])
            for each in fields.get(key, []):
                for sign, value in (("-", each.get("before")), ("+", each.get("after"))):
                    if value is not None:
                        show.line(f"    {sign} {each['pointer']}: {_value(each['pointer'], value)}", STYLES[sign])


def _changing(operations: Operations) -> list[dict[str, Any]]:
    outcomes = [outcome for operation in operations for outcome in operation.get("outcomes", [])]
    return [each for each in outcomes if each["action"] in OUTCOMES]


def _fields(operation: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Resource -> what differs in it."""
    found: dict[str, list[dict[str, Any]]] = {}
    for effect in operation.get("effects", []):
        found.setdefault(effect["target"], []).extend(effect.get("fields", []))
    return found


def _resources(operation: dict[str, Any]) -> set[str]:
    fields = _fields(operation)
    shown = set()
    for outcome in _changing([operation]):
        sign, key = OUTCOMES[outcome["action"]], outcome["resource"]
        detail = f"  ({outcome['detail']})" if outcome.get("detail") else ""
        show.line(f"{sign} {key}{detail}", STYLES[sign])
        for each in fields.get(key, []):
            _field(each)
        shown.add(key)
    return shown


def _systems(operation: dict[str, Any], shown: set[str]) -> None:
    """Every effect under its system; fields that were shown with a resource are not shown again."""
    systems: dict[str, list[dict[str, Any]]] = {}
    for effect in operation.get("effects", []):
        systems.setdefault(effect["system"], []).append(effect)
    for system, effects in systems.items():
        show.line(f"{system}:")
        for each in effects:
            detail = f"  ({each['detail']})" if each.get("detail") else ""
            show.line(f"  {SIGNS[each['action']]} {each['target']}{detail}", STYLES[SIGNS[each["action"]]])
            if each["target"] not in shown:
                for field in each.get("fields", []):
                    _field(field)


def _field(field: dict[str, Any]) -> None:
    pointer, before, after = field["pointer"], field.get("before"), field.get("after")
    sign = "+" if before is None else "-" if after is None else "~"
    values = [_value(pointer, each) for each in (before, after) if each is not None]
    show.line(f"    {sign} {pointer}: {' -> '.join(values)}", STYLES[sign])


def _value(pointer: str, value: Any) -> str:
    if SECRET.fullmatch(pointer.rpartition("/")[2]):
        return "(secret)"
    text = json.dumps(show.veiled(value), ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
