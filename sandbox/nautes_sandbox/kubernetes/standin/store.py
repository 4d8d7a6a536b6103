"""Objects in memory and on disk, their versions, and what happened to them. Everything else of the stand-in uses it.

Objects are kept without apiVersion and kind, which depend on the request, and never changed in place: a caller may keep
one. A write is on disk (SQLite, write-ahead log) before it is answered, so that a killed process loses nothing.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Object = dict[str, Any]
HISTORY = 4_000  # events kept per resource; who asks for older ones must list again


@dataclass(frozen=True, slots=True)
class Stored:
    """An object and its JSON."""

    object: Object
    text: bytes
    version: int

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.object["metadata"].get("namespace", ""))

    @property
    def uid(self) -> str:
        return str(self.object["metadata"]["uid"])


@dataclass(frozen=True, slots=True)
class Event:
    """`type` is ADDED, MODIFIED or DELETED; `before` is the object as it was."""

    type: str
    resource: str
    stored: Stored
    before: Stored | None

    @property
    def version(self) -> int:
        return self.stored.version


class Store:
    """Used by one thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("pragma journal_mode=wal")
        self._file.execute("pragma synchronous=off")  # survives kill -9; a power cut is not played
        self._file.execute(
            "create table if not exists objects (resource text, namespace text, name text, version integer,"
            " body text, primary key (resource, namespace, name))"
        )
        self._file.execute("create table if not exists last (one integer primary key, version integer)")
        self._objects: dict[str, dict[str, dict[str, Stored]]] = defaultdict(lambda: defaultdict(dict))
        self._uids: dict[str, tuple[str, str, str]] = {}
        self._owned: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
        self._history: dict[str, deque[Event]] = defaultdict(lambda: deque(maxlen=HISTORY))
        self._queues: dict[str, set[asyncio.Queue[Event]]] = defaultdict(set)
        self._evicted: dict[str, int] = {}
        self.listeners: list[Callable[[Event], None]] = []
        self.version = 1
        self._load()
        self._began = self.version

    def _load(self) -> None:
        last = self._file.execute("select version from last").fetchone()
        self.version = int(last[0]) if last else 1
        rows = self._file.execute("select resource, namespace, name, version, body from objects")
        for resource, namespace, name, version, body in rows:
            stored = Stored(json.loads(body), body.encode(), version)
            self._objects[resource][namespace][name] = stored
            self._index(resource, stored)

    # Reading

    def get(self, resource: str, namespace: str, name: str) -> Stored | None:
        """One object."""
        return self._objects[resource][namespace].get(name)

    def items(self, resource: str, namespace: str = "") -> list[Stored]:
        """Objects of a resource in a namespace or ("") everywhere, in the order of their names."""
        spaces = self._objects[resource]
        chosen = [namespace] if namespace else sorted(spaces)
        return [spaces[space][name] for space in chosen for name in sorted(spaces[space])]

    def within(self, namespace: str) -> Iterator[tuple[str, Stored]]:
        """(resource, object) of everything in a namespace."""
        for resource, spaces in list(self._objects.items()):
            for stored in list(spaces.get(namespace, {}).values()):
                yield resource, stored

    def by_uid(self, uid: str) -> Stored | None:
        """The object that has this uid."""
        place = self._uids.get(uid)
        return self.get(*place) if place else None

    def resource_of(self, uid: str) -> str:
        """The resource of the object that has this uid."""
        return self._uids[uid][0]

    def dependents(self, uid: str) -> list[tuple[str, Stored]]:
        """(resource, object) of everything that names this uid as an owner."""
        found = [(place[0], self.get(*place)) for place in sorted(self._owned.get(uid, ()))]
        return [(resource, stored) for resource, stored in found if stored]

    def everything(self) -> Iterator[tuple[str, Stored]]:
        """(resource, object) of all there is."""
        for resource in list(self._objects):
            for stored in self.items(resource):
                yield resource, stored

    # Writing

    def put(self, resource: str, item: Object) -> Stored:
        """Keep `item` in the next version."""
        meta = item["metadata"]
        namespace, name = meta.get("namespace", ""), meta["name"]
        before = self.get(resource, namespace, name)
        stored = self._next(item)
        self._file.execute("begin")
        self._file.execute(
            "insert or replace into objects values (?, ?, ?, ?, ?)",
            (resource, namespace, name, stored.version, stored.text.decode()),
        )
        self._commit()
        self._objects[resource][namespace][name] = stored
        if before:
            self._unindex(resource, before)
        self._index(resource, stored)
        self._tell(Event("MODIFIED" if before else "ADDED", resource, stored, before))
        return stored

    def remove(self, resource: str, before: Stored) -> None:
        """Forget an object."""
        gone = self._next(before.object)
        self._file.execute("begin")
        place = (resource, before.namespace, before.name)
        self._file.execute("delete from objects where resource = ? and namespace = ? and name = ?", place)
        self._commit()
        self._objects[resource][before.namespace].pop(before.name, None)
        self._unindex(resource, before)
        self._tell(Event("DELETED", resource, gone, before))

    def _next(self, item: Object) -> Stored:
        self.version += 1
        made = {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.version)}}
        return Stored(made, json.dumps(made, separators=(",", ":")).encode(), self.version)

    def _commit(self) -> None:
        self._file.execute("insert or replace into last values (1, ?)", (self.version,))
        self._file.execute("commit")

    def _index(self, resource: str, stored: Stored) -> None:
        place = (resource, stored.namespace, stored.name)
        self._uids[stored.uid] = place
        for owner in stored.object["metadata"].get("ownerReferences") or []:
            self._owned[owner["uid"]].add(place)

    def _unindex(self, resource: str, stored: Stored) -> None:
        place = (resource, stored.namespace, stored.name)
        self._uids.pop(stored.uid, None)
        for owner in stored.object["metadata"].get("ownerReferences") or []:
            self._owned[owner["uid"]].discard(place)

    # Events

    def since(self, resource: str, version: int) -> list[Event] | None:
        """What happened after a version; None when that is not known any more."""
        if version < self._evicted.get(resource, self._began):
            return None
        return [each for each in self._history[resource] if each.version > version]

    def subscribe(self, resource: str) -> asyncio.Queue[Event]:
        """What happens from now on."""
        queue: asyncio.Queue[Event] = asyncio.Queue()
        self._queues[resource].add(queue)
        return queue

    def unsubscribe(self, resource: str, queue: asyncio.Queue[Event]) -> None:
        """No longer."""
        self._queues[resource].discard(queue)

    def _tell(self, event: Event) -> None:
        history = self._history[event.resource]
        if len(history) == HISTORY:
            self._evicted[event.resource] = history[0].version
        history.append(event)
        for queue in self._queues[event.resource]:
            queue.put_nowait(event)
        for listener in self.listeners:
            listener(event)
