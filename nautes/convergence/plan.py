"""The plan of a convergence: which objects to create, change, leave alone and prune. Called by the convergence activity.

Pure: the live objects come from lists, the memory of what was applied last from the caller.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nautes.convergence.difference import difference
from nautes.convergence.inventory import PART_OF, prunable
from nautes.convergence.objects import Key, Object, key_of, metadata

PATHS_SHOWN = 5

Known = Callable[[Object, Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Change:
    """An object to be applied; `paths` in which it differs and `version` it has now, none when it is not there."""

    key: Key
    item: Object
    paths: tuple[str, ...] = ()
    version: str = ""

    @property
    def why(self) -> str:
        """For display; names of fields only, no values."""
        if not self.version:
            return "new"
        more = f" and {len(self.paths) - PATHS_SHOWN} more" if len(self.paths) > PATHS_SHOWN else ""
        return ", ".join(self.paths[:PATHS_SHOWN]) + more


@dataclass
class Plan:
    """Every desired object is in exactly one of the first four lists; `going`: being deleted now, created again later."""

    create: list[Change] = field(default_factory=list)
    change: list[Change] = field(default_factory=list)
    unchanged: list[Key] = field(default_factory=list)
    going: list[Key] = field(default_factory=list)
    prune: list[Key] = field(default_factory=list)

    @property
    def writes(self) -> list[Change]:
        """All that is to be applied."""
        return [*self.create, *self.change]


def plan(
    wanted: Sequence[Object],
    live: Mapping[Key, Mapping[str, Any]],
    *,
    known: Known,
    keep: Collection[Key],
    prune: bool,
) -> Plan:
    """`live` is the inventory: what carries the owner's label now.

    `known(desired, live)` is true when the server stored `desired` as exactly this `live` before, even if they differ.
    `keep` are declared keys that are not applied (refused ones): they are not pruned either.
    """
    made = Plan()
    for item in wanted:
        key = key_of(item)
        found = live.get(key)
        if found is None:
            made.create.append(Change(key, item))
            continue
        if metadata(found).get("deletionTimestamp"):
            made.going.append(key)
            continue
        paths = difference(item, found)
        if paths and not known(item, found):
            made.change.append(Change(key, item, tuple(paths), str(metadata(found).get("resourceVersion"))))
        else:
            made.unchanged.append(key)
    if prune:
        made.prune = prunable(live, {*(key_of(item) for item in wanted), *keep})
    return made


def digest(item: Object) -> str:
    """Of a desired object."""
    return hashlib.sha256(json.dumps(item, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def live_digest(item: Mapping[str, Any]) -> str:
    """Of what applying can change in a live object: neither its status nor the server's bookkeeping."""
    meta = {key: metadata(item).get(key) for key in ("labels", "annotations", "finalizers", "ownerReferences", "uid")}
    content = {key: value for key, value in item.items() if key not in ("status", "metadata")}
    return digest({"metadata": meta, "content": content, "of": str(_part_of(item))})


def _part_of(item: Mapping[str, Any]) -> Any:
    return (metadata(item).get("labels") or {}).get(PART_OF)
