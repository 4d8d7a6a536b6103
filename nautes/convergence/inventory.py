"""Which objects an owner has in a cluster: a label on each, and one parent object that names kinds and namespaces.

The conventions are those of ApplySet (KEP-3659), so that other tools can read the inventory. Called by the convergence,
health and removal activities.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nautes.convergence.objects import Key, Object, group_of, metadata

PART_OF = "applyset.kubernetes.io/part-of"
ID_LABEL = "applyset.kubernetes.io/id"
KINDS = "applyset.kubernetes.io/contains-group-kinds"
NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
TOOLING = "applyset.kubernetes.io/tooling"
PARENT_PREFIX = "applyset-"
PLATFORM_NAMESPACE = "nautes"  # where the parents of the platform's own sets are
LABEL_LENGTH = 63  # of Kubernetes


def label(owner: str) -> str:
    """`owner` as a label value: shortened by a digest when it is too long for one."""
    if len(owner) <= LABEL_LENGTH:
        return owner
    digest = hashlib.sha256(owner.encode()).hexdigest()[:16]
    return f"{owner[: LABEL_LENGTH - 17]}-{digest}"


@dataclass(frozen=True)
class Parent:
    """The parent object's content: group kinds as "Kind.group" ("Kind" in the core group)."""

    owner: str
    namespace: str
    kinds: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return PARENT_PREFIX + label(self.owner)

    def as_object(self) -> Object:
        """The Secret without data that is the parent."""
        annotations = {TOOLING: "nautes/v1", KINDS: ",".join(sorted(self.kinds))}
        others = sorted(self.namespaces - {self.namespace})
        if others:
            annotations[NAMESPACES] = ",".join(others)
        meta = {
            "name": self.name,
            "namespace": self.namespace,
            "labels": {ID_LABEL: label(self.owner), "app.kubernetes.io/managed-by": "nautes"},
            "annotations": annotations,
        }
        return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "applyset.kubernetes.io/parent"}

    def agrees(self, live: Mapping[str, Any] | None) -> bool:
        """Whether the live parent holds the same."""
        if live is None:
            return False
        wanted, found = metadata(self.as_object()), metadata(live)
        return all(
            (found.get(part) or {}).get(key) == value
            for part in ("labels", "annotations")
            for key, value in wanted[part].items()
        ) and (NAMESPACES in wanted["annotations"] or NAMESPACES not in (found.get("annotations") or {}))


def read(live: Mapping[str, Any], owner: str) -> Parent:
    """The parent as it is in the cluster. Entries that are no group kinds are left out."""
    annotations = metadata(live).get("annotations") or {}
    namespace = str(metadata(live).get("namespace") or "")
    return Parent(
        owner,
        namespace,
        frozenset(filter(None, str(annotations.get(KINDS) or "").split(","))),
        frozenset(filter(None, [namespace, *str(annotations.get(NAMESPACES) or "").split(",")])),
    )


def group_kind(item: Mapping[str, Any]) -> str:
    """ "Kind.group" of an object."""
    group = group_of(str(item["apiVersion"]))
    return f"{item['kind']}.{group}" if group else str(item["kind"])


def split(name: str) -> tuple[str, str]:
    """(group, kind) of a "Kind.group"."""
    kind, _, group = name.partition(".")
    return group, kind


def prunable(live: Iterable[Key], wanted: Collection[Key]) -> list[Key]:
    """What is in the inventory and no longer wanted."""
    return [key for key in live if key not in wanted]
