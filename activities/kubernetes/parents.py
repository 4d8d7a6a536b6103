"""The parent object of an inventory: written before there are objects of a new kind, and after the last of a kind is gone.

Used by converge.py. It is always written as the platform: the runtime's account cannot be trusted with it, nor needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from activities.kubernetes.inventory import Inventory
from clients.kubernetes import Cluster
from contracts.convergence import ConvergeOrder
from contracts.errors import NotFound
from convergence.inventory import PLATFORM_NAMESPACE, Parent
from convergence.objects import Object
from convergence.plan import Change


class Parents:
    """The parent of one order."""

    def __init__(self, cluster: Cluster, order: ConvergeOrder) -> None:
        self._cluster = cluster
        self._owner = order.owner
        self.namespace = order.namespaces[0] if order.account else PLATFORM_NAMESPACE
        self._namespaces = frozenset(order.namespaces)
        self._live: Object | None = None
        self._wanted = Parent(self._owner, self.namespace)
        self.writes = 0

    def prepare(
        self, found: Inventory, kinds: Iterable[str], changes: Sequence[Change]
    ) -> tuple[list[Change], list[Change]]:
        """Make the parent name `kinds` and what there is already.

        Answers (what must be applied before the parent can be written, the rest): an installation makes the platform's
        own namespace by the very order whose parent lies in it.
        """
        self._live = found.parent_live
        known = found.parent.kinds if found.parent else frozenset()
        others = found.parent.namespaces if found.parent else frozenset()
        live = {f"{key.kind}.{key.group}" if key.group else key.kind for key in found.live}
        self._wanted = Parent(self._owner, self.namespace, frozenset(kinds) | known | live, self._namespaces | others)
        first = [each for each in changes if each.key == ("", "Namespace", "", self.namespace) and not each.version]
        if first:
            return first, [each for each in changes if each not in first]
        self.write()
        return [], list(changes)

    def write(self) -> None:
        """One write if the live parent says something else. Raises NotFound when its namespace is not there."""
        if self._wanted.agrees(self._live):
            return
        kind = self._cluster.kind("v1", "Secret")
        if kind is None:
            raise NotFound("kubernetes-kind", "the cluster does not serve Secrets")
        self.writes += 1
        self._live = self._cluster.apply(kind, self._wanted.as_object())

    def settle(self, kinds: Iterable[str]) -> None:
        """After pruning: only `kinds`, and only the namespaces of the order, are left to name."""
        self._wanted = Parent(self._owner, self.namespace, frozenset(kinds), self._namespaces)
        self.write()
