"""Owners of fields: server-side apply with its conflicts, and the effect of plain writes. Used by writing.py.

The rules are those of structured-merge-diff: applying claims what is declared and gives up what is declared no more, which
goes if nobody else owns it; a plain write takes what it changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from nautes_sandbox.kubernetes.standin.fieldsets import (
    Path,
    compare,
    declared,
    dotted,
    from_tree,
    to_tree,
    without,
)
from nautes_sandbox.kubernetes.standin.problems import ApiError, Cause, bad_request
from nautes_sandbox.kubernetes.standin.shapes import Shape, keyed

Object = dict[str, Any]


@dataclass(frozen=True)
class Who:
    """An owner: the same name in another version or for another subresource is another one."""

    manager: str
    operation: str  # Apply | Update
    api_version: str
    subresource: str = ""

    def __str__(self) -> str:
        if self.operation == "Apply":
            return f'"{self.manager}"'
        part = f' with subresource "{self.subresource}"' if self.subresource else ""
        return f'"{self.manager}"{part} using {self.api_version}'


@dataclass(frozen=True)
class Claim:
    """The fields of one owner."""

    fields: frozenset[Path]
    time: str


Owners = dict[Who, Claim]


def now() -> str:
    """The time as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(item: Object | None) -> Owners:
    """The owners an object records."""
    found: Owners = {}
    for each in ((item or {}).get("metadata") or {}).get("managedFields") or []:
        who = Who(each["manager"], each["operation"], each["apiVersion"], each.get("subresource", ""))
        found[who] = Claim(frozenset(from_tree(each.get("fieldsV1") or {})), each.get("time", ""))
    return found


def written(owners: Owners) -> list[Object]:
    """`managedFields`: those who applied first, then those who wrote."""
    order = sorted(owners, key=lambda who: (who.operation != "Apply", owners[who].time, who.manager))
    return [
        {
            "manager": who.manager,
            "operation": who.operation,
            "apiVersion": who.api_version,
            "time": owners[who].time,
            "fieldsType": "FieldsV1",
            "fieldsV1": to_tree(owners[who].fields),
            **({"subresource": who.subresource} if who.subresource else {}),
        }
        for who in order
        if owners[who].fields
    ]


def update(owners: Owners, who: Who, old: Object, new: Object, shape: Shape) -> Owners:
    """Owners after a plain write: it takes what it changes, and what it removed is nobody's."""
    changes = compare(old, new, shape)
    found = {each: _less(claim, changes.written | changes.removed) for each, claim in owners.items() if each != who}
    mine = owners.get(who, Claim(frozenset(), ""))
    fields = (mine.fields | changes.written) - changes.removed
    found[who] = mine if fields == mine.fields else Claim(fields, now())
    return found


def apply(
    owners: Owners, who: Who, live: Object | None, config: Object, shape: Shape, *, force: bool
) -> tuple[Object, Owners]:
    """(the object after applying, its owners). Raises a 409 that names every owner in the way."""
    claimed = frozenset(declared(config, shape))
    others = {each: claim for each, claim in owners.items() if each != who}
    merged = merge(live, config, shape)
    mine = owners.get(who)
    given_up = (
        _given_up(mine.fields - claimed, claimed.union(*(each.fields for each in others.values()))) if mine else ()
    )
    made = without(merged, shape, to_tree(given_up)) if given_up else merged
    if live is not None:
        changes = compare(live, made, shape)
        conflicts = {each: sorted(claim.fields & changes.written) for each, claim in others.items()}
        conflicts = {each: paths for each, paths in conflicts.items() if paths}
        if conflicts and not force:
            raise conflict(conflicts)
        others = {each: _less(claim, changes.written | changes.removed) for each, claim in others.items()}
    time = mine.time if mine and mine.fields == claimed else now()
    return made, {**others, who: Claim(claimed, time)}


def _less(claim: Claim, fields: Iterable[Path]) -> Claim:
    left = claim.fields.difference(fields)
    return claim if left == claim.fields else replace(claim, fields=left)


def _given_up(fields: frozenset[Path], owned: frozenset[Path]) -> set[Path]:
    """Of `fields` those that nobody owns, nor anything below them."""
    parents = {path[:length] for path in owned for length in range(1, len(path) + 1)}
    return {path for path in fields if path not in parents}


def merge(live: Any, config: Any, shape: Shape) -> Any:
    """`live` with what `config` declares."""
    if isinstance(live, dict) and isinstance(config, dict) and not shape.atomic:
        both = {name: merge(live.get(name), each, shape.field(name)) for name, each in config.items()}
        return {**live, **both}
    if isinstance(config, list):
        after = keyed(config, shape)
        if after is not None:
            _distinct(config, after)
            before = keyed(live, shape) if isinstance(live, list) else {}
            if before:
                items = {key: merge(before.get(key), each, shape.item()) for key, each in after.items()}
                return list({**before, **items}.values())
    return config


def _distinct(items: list[Any], found: dict[str, Any]) -> None:
    if len(found) != len(items):
        raise bad_request("failed to create typed patch object: duplicate entries for a key of an associative list")


def conflict(conflicts: dict[Who, list[Path]]) -> ApiError:
    """The refusal to take fields from their owners."""
    causes = [
        Cause("FieldManagerConflict", dotted(path), f"conflict with {who}")
        for who, paths in conflicts.items()
        for path in paths
    ]
    if len(causes) == 1:
        text = f"1 conflict: {causes[0].message}: {causes[0].field}"
    else:
        blocks = [
            "\n".join([f"conflicts with {who}:", *(f"- {dotted(path)}" for path in paths)])
            for who, paths in conflicts.items()
        ]
        text = f"{len(causes)} conflicts: " + "\n".join(blocks)
    return ApiError(409, "Conflict", f"Apply failed with {text}", {"causes": [each._asdict() for each in causes]})
