"""What an event about an object means: somebody changed a field of ours, or something else about it is new. Pure.

Used by activities/observer.py with metadata alone. The server keeps in `managedFields` which fields we applied, and when:
another writer who changes one of them takes it out of our entry, and leaves our entry's time as it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nautes.convergence.difference import entry_of_ours
from nautes.convergence.inventory import PART_OF
from nautes.convergence.objects import metadata

Meaning = Literal["drift", "health"]
NOISE = ("deployment.kubernetes.io/revision",)  # annotations that controllers write


@dataclass(frozen=True)
class Seen:
    """What is remembered of an object. `owner` is the label of the set it belongs to; `state` covers what people can edit."""

    owner: str
    fields: str  # digest of the fields that we own
    applied: str  # when we applied it last, as the server says
    state: str  # digest
    version: str = ""


def seen(item: Mapping[str, Any]) -> Seen | None:
    """None for an object that we did not apply, whatever its label says."""
    meta = metadata(item)
    entry = entry_of_ours(item)
    if entry is None:
        return None
    return Seen(
        owner=str((meta.get("labels") or {}).get(PART_OF, "")),
        fields=_digest(entry.get("fieldsV1")),
        applied=str(entry.get("time", "")),
        state=_state(meta),
        version=str(meta.get("resourceVersion", "")),
    )


def meaning(before: Seen | None, after: Seen | None) -> Meaning | None:
    """What an event is to the owner: `before` and `after` as they were seen, None where it is not there or not ours.

    An object that we made or changed ourselves is none: the convergence that did it looks at its health.
    """
    if before is None:
        return None
    if after is None or before.owner != after.owner:
        return "drift"
    if before.applied != after.applied or (after.version and before.version == after.version):
        return None
    return "drift" if before.fields != after.fields else "health"


def _state(meta: Mapping[str, Any]) -> str:
    """What people can edit. Without a generation, the version is used."""
    annotations = {key: value for key, value in (meta.get("annotations") or {}).items() if key not in NOISE}
    version = meta.get("generation") or meta.get("resourceVersion")
    return _digest([meta.get("uid"), version, meta.get("labels"), annotations, meta.get("deletionTimestamp")])


def fingerprint(objects: Mapping[str, Seen]) -> str:
    """Of all objects of one owner, by path: two digests, of what people can edit and of the versions."""
    states, versions = (
        _digest(sorted((path, part) for path, part in parts))[:8]
        for parts in (
            [(path, each.state) for path, each in objects.items()],
            [(path, each.version) for path, each in objects.items()],
        )
    )
    return f"{states}-{versions}"


def difference_of(before: str, after: str) -> Meaning | None:
    """What it means to an owner that its fingerprint is another one; "" where there is none."""
    if before == after:
        return None
    return "health" if before.partition("-")[0] == after.partition("-")[0] else "drift"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
