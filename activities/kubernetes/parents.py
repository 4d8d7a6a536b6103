"""The parent object of an inventory: written before objects of a new kind, and after the last object of a kind is gone.

Used by converge.py. It is always written as the platform: the runtime's account needs no right to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from activities.kubernetes.inventory import Inventory
from nautes.clients.kubernetes import Cluster
from nautes.convergence import inventory
from nautes.convergence.inventory import PLATFORM_NAMESPACE, Parent
from nautes.convergence.objects import Object
from nautes.convergence.plan import Change
from nautes.messages.convergence import ConvergeInput
from nautes.messages.errors import NotFound


class Parents:
    """The parent of one convergence."""

    def __init__(self, cluster: Cluster, input: ConvergeInput) -> None:
        self._cluster = cluster
        self._owner = input.owner
        self.namespace = input.namespaces[0] if input.account else PLATFORM_NAMESPACE
        self._namespaces = frozenset(input.namespaces)
        self._live: Object | None = None
        self._wanted = Parent(self._owner, self.namespace)
        self._former: Parent | None = None  # where the parent was until the owner's first namespace changed
        self.writes = 0

    def prepare(
        self, found: Inventory, wanted: Iterable[Object], changes: Sequence[Change]
    ) -> tuple[list[Change], list[Change]]:
        """Make the parent name all kinds and namespaces of the declared and of the existing objects.

        Returns (what must be applied before the parent can be written, the rest): an installation creates the platform's
        own namespace in the convergence whose parent lies in it.
        """
        moved = found.parent is not None and found.parent.namespace != self.namespace
        self._live, self._former = (None, found.parent) if moved else (found.parent_live, None)
        known = found.parent or Parent(self._owner, self.namespace)
        named = self._naming([*wanted, *found.live.values()])
        self._wanted = replace(named, kinds=named.kinds | known.kinds, namespaces=named.namespaces | known.namespaces)
        first = [each for each in changes if each.key == ("", "Namespace", "", self.namespace) and not each.version]
        if first:
            return first, [each for each in changes if each not in first]
        self.write()
        return [], list(changes)

    def write(self) -> None:
        """One write if the live parent differs. Raises NotFound when its namespace is not there."""
        if self._wanted.agrees(self._live):
            return
        kind = self._cluster.kind("v1", "Secret")
        if kind is None:
            raise NotFound("kubernetes-kind", "the cluster does not serve Secrets")
        self.writes += 1
        self._live = self._cluster.apply(kind, self._wanted.as_object())
        if self._former:  # only now: without a parent, every kind would have to be searched
            self.writes += 1
            self._cluster.delete(kind, self._former.namespace, self._former.name)
            self._former = None

    def settle(self, left: Iterable[Object]) -> None:
        """After pruning: name only the kinds and namespaces of objects that may still be there."""
        self._wanted = self._naming(left)
        self.write()

    def _naming(self, objects: Iterable[Object]) -> Parent:
        items = list(objects)
        namespaces = {str(item["metadata"].get("namespace") or "") for item in items} - {""}
        return Parent(
            self._owner,
            self.namespace,
            frozenset(inventory.group_kind(item) for item in items),
            self._namespaces | namespaces,
        )
