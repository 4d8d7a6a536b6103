"""What an owner has in a cluster now: its parent object, and one list per kind. Used by converge, health and removal.

A list that fails fails the observation: nothing is concluded from an incomplete list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from activities.concurrency import Progress, each
from nautes.clients.kubernetes import Cluster, Kind
from nautes.convergence import inventory
from nautes.convergence.difference import applied_by_us
from nautes.convergence.inventory import PART_OF, PLATFORM_NAMESPACE, Parent
from nautes.convergence.objects import Key, Object, key_of
from nautes.messages.errors import NotFound

KINDS_LIMIT = 200  # of a parent, which others may have written into
# Made by controllers, which copy labels; or too many to list.
NEVER_OWNED = frozenset({("", "Event"), ("events.k8s.io", "Event"), ("", "Endpoints"), ("", "Node")})


@dataclass
class Inventory:
    """`live` by identity, with the kind it was listed as; `parent` is None where there is none (any more)."""

    parent: Parent | None
    parent_live: Object | None
    live: dict[Key, Object] = field(default_factory=dict)
    kinds: dict[tuple[str, str], Kind] = field(default_factory=dict)

    def kind(self, key: Key) -> Kind:
        """The kind under which an object of this inventory was found."""
        return self.kinds[key.group, key.kind]


@dataclass(frozen=True)
class Beginning:
    """The first part of an observation: the parent of an inventory and the objects of the kinds it names."""

    parent: Parent | None
    live: Object | None
    listed: dict[Kind, dict[Key, Object]]


class InventoryReader:
    """One observation for one owner. `namespaces` are the owner's; an owner with none may have objects everywhere (platform)."""

    def __init__(self, cluster: Cluster, owner: str, namespaces: Iterable[str], heartbeat: Progress) -> None:
        self._cluster = cluster
        self._owner = owner
        self._namespaces = tuple(namespaces)
        self._heartbeat = heartbeat

    def read(
        self, parent_namespaces: Iterable[str], kinds: Iterable[Kind] = (), *, everything: bool = True
    ) -> Inventory:
        """The owner's objects of `kinds` and, with `everything`, of all kinds its parent names.

        Without a parent every kind is searched: it may have been lost. Raises Unavailable.
        """
        return self.complete(self.begin(parent_namespaces, everything=everything), kinds, everything=everything)

    def begin(self, parent_namespaces: Iterable[str], *, everything: bool) -> Beginning:
        """The part of `read` that does not depend on what is declared."""
        live = self._parent(parent_namespaces)
        parent = inventory.read(live, self._owner) if live else None
        named = self._named(parent) if parent and everything else []
        return Beginning(parent, live, dict(zip(named, self._list(named, parent), strict=True)))

    def complete(self, begun: Beginning, kinds: Iterable[Kind] = (), *, everything: bool) -> Inventory:
        """The inventory: `begun`, and the kinds that it lacks."""
        parent, listed = begun.parent, begun.listed
        found = Inventory(parent, begun.live, kinds={(kind.group, kind.kind): kind for kind in kinds})
        if everything:
            for kind in listed if parent else self._all():
                found.kinds.setdefault((kind.group, kind.kind), kind)
        missing = [kind for kind in found.kinds.values() if kind not in listed]
        listed = listed | dict(zip(missing, self._list(missing, parent), strict=True))
        seen: set[str] = set()
        for items in (listed[kind] for kind in found.kinds.values()):
            # One object can be served in two groups: it counts once, in the declared one (listed first).
            fresh = {key: item for key, item in items.items() if item["metadata"]["uid"] not in seen}
            seen.update(item["metadata"]["uid"] for item in fresh.values())
            found.live |= fresh
        return found

    def _list(self, kinds: list[Kind], parent: Parent | None) -> list[dict[Key, Object]]:
        namespaces = {*self._namespaces, *(parent.namespaces if parent else ())} if self._namespaces else set()
        return each(lambda kind: self.owned(kind, namespaces), kinds, self._heartbeat)

    def owned(self, kind: Kind, namespaces: set[str]) -> dict[Key, Object]:
        """The owner's objects of one kind: one request."""
        where = next(iter(namespaces)) if len(namespaces) == 1 and kind.namespaced else ""
        try:
            listing = self._cluster.list(kind, namespace=where, selector=self.selector)
        except NotFound:  # the definition of the kind was removed meanwhile, and its objects with it
            self._cluster.forget(kind.api_version)
            return {}
        items = {key_of(item): item for item in listing.items if applied_by_us(item)}
        return {
            key: item
            for key, item in items.items()
            if not (key.namespace and namespaces) or key.namespace in namespaces
        }

    @property
    def selector(self) -> str:
        """The label selector of the owner's objects."""
        return f"{PART_OF}={inventory.label(self._owner)}"

    def foreign(self, kind: Kind, namespaces: Iterable[str]) -> Mapping[Key, str]:
        """Objects of one kind that are in another owner's inventory, with that owner's label."""
        where = tuple(namespaces)
        selector = f"{PART_OF},{PART_OF}!={inventory.label(self._owner)}"
        listing = self._cluster.list(kind, namespace=where[0] if len(where) == 1 else "", selector=selector)
        return {key_of(item): item["metadata"]["labels"][PART_OF] for item in listing.items if applied_by_us(item)}

    def _parent(self, namespaces: Iterable[str]) -> Object | None:
        secrets = self._cluster.kind("v1", "Secret")
        if secrets is None:
            raise NotFound("kubernetes-kind", "the cluster does not serve Secrets")
        for namespace in dict.fromkeys(namespaces):
            try:
                return self._cluster.get(secrets, namespace, Parent(self._owner, namespace).name)
            except NotFound:
                continue
        return None

    def _all(self) -> list[Kind]:
        return [kind for kind in self._cluster.every() if (kind.group, kind.kind) not in NEVER_OWNED]

    def _named(self, parent: Parent) -> list[Kind]:
        names = sorted(parent.kinds)[:KINDS_LIMIT]
        found = [self._cluster.preferred(*inventory.split(name)) for name in names]
        return [kind for kind in found if kind is not None]


def parent_namespaces(namespaces: Iterable[str]) -> list[str]:
    """The namespaces in which an owner's parent may be: the owner's first one, or the platform's."""
    return [*list(namespaces)[:1], PLATFORM_NAMESPACE]
