"""The controllers of a cluster, as far as clients rely on them. Woken by events of the store.

Garbage collection by owner, the end of namespaces and definitions, and the default account and CA bundle of each namespace with
the tokens of accounts (accounts.py). Workloads are played by sandbox/nautes_sandbox/node.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from nautes_sandbox.kubernetes.standin import definitions
from nautes_sandbox.kubernetes.standin.accounts import Accounts
from nautes_sandbox.kubernetes.standin.deletion import FOREGROUND, Deleter
from nautes_sandbox.kubernetes.standin.kinds import DEFINITIONS, NAMESPACES, Kinds
from nautes_sandbox.kubernetes.standin.store import Event, Store, Stored


class Controllers:
    """Runs between two requests, never inside of one."""

    def __init__(self, store: Store, kinds: Kinds, deleter: Deleter, accounts: Accounts) -> None:
        self._store = store
        self._kinds = kinds
        self._deleter = deleter
        self._accounts = accounts
        self._events: deque[Event] = deque()
        self._scheduled = False
        store.listeners.append(self._seen)

    def begin(self) -> None:
        """Reconcile every object, as after a restart."""
        self._accounts.begin()
        for resource, stored in list(self._store.everything()):
            self._handle(Event("ADDED", resource, stored, None))
        self._run()

    def _seen(self, event: Event) -> None:
        if event.resource == DEFINITIONS:
            self._serve(event)  # at once: the next request may be for the new kind
        self._events.append(event)
        if not self._scheduled:
            with contextlib.suppress(RuntimeError):  # no loop yet: `begin` runs it
                asyncio.get_running_loop().call_soon(self._run)
                self._scheduled = True

    def _run(self) -> None:
        self._scheduled = False
        while self._events:
            self._handle(self._events.popleft())

    def _serve(self, event: Event) -> None:
        spec = event.stored.object["spec"]
        kind = definitions.kind_of(event.stored.object)
        if event.type == "DELETED" or kind is None:
            self._kinds.remove(f"{spec['group']}/{spec['names']['plural']}")
        else:
            self._kinds.add(kind)

    def _handle(self, event: Event) -> None:
        """`event` only triggers the check; the current state decides."""
        stored = event.stored
        live = self._store.get(event.resource, stored.namespace, stored.name)
        if live and event.resource == DEFINITIONS and event.before is None:
            self._serve(event)
        self._accounts.reconcile(event)
        if event.type == "DELETED":
            for resource, each in self._store.dependents(stored.uid):
                self._collect(resource, each)
        elif live:
            self._collect(event.resource, live)
            self._finish(event.resource, live)
        for owner in stored.object["metadata"].get("ownerReferences") or []:
            self._foreground(owner["uid"])
        if stored.namespace:
            self._look_again(NAMESPACES, stored.namespace)
        kind = self._kinds.resource(event.resource)
        if kind and kind.custom:
            self._look_again(DEFINITIONS, f"{kind.plural}.{kind.group}")

    def _look_again(self, resource: str, name: str) -> None:
        holder = self._store.get(resource, "", name)
        if holder and holder.object["metadata"].get("deletionTimestamp"):
            self._finish(resource, holder)

    # Owners

    def _collect(self, resource: str, stored: Stored) -> None:
        """Delete an object whose owners are all gone."""
        owners = stored.object["metadata"].get("ownerReferences") or []
        if owners and not any(self._store.by_uid(owner["uid"]) for owner in owners):
            self._deleter.remove(resource, stored)

    def _foreground(self, uid: str) -> None:
        """Finish the deletion of an owner when the last object it owns is gone."""
        owner = self._store.by_uid(uid)
        if owner and FOREGROUND in (owner.object["metadata"].get("finalizers") or []):
            self._finish(self._store.resource_of(uid), owner)

    # Ends

    def _finish(self, resource: str, stored: Stored) -> None:
        """Continue the deletion of an object."""
        meta = stored.object["metadata"]
        if not meta.get("deletionTimestamp"):
            return
        if FOREGROUND in (meta.get("finalizers") or []):
            self._finish_foreground(resource, stored)
        elif resource == NAMESPACES:
            self._finish_namespace(stored)
        elif resource == DEFINITIONS and definitions.FINALIZER in (meta.get("finalizers") or []):
            self._finish_definition(stored)

    def _finish_foreground(self, resource: str, stored: Stored) -> None:
        for below, each in self._store.dependents(stored.uid):
            if not each.object["metadata"].get("deletionTimestamp"):
                self._deleter.remove(below, each, FOREGROUND)
        if not self._store.dependents(stored.uid):
            self._release(resource, stored, FOREGROUND)

    def _finish_namespace(self, stored: Stored) -> None:
        for resource, each in list(self._store.within(stored.name)):
            if not each.object["metadata"].get("deletionTimestamp"):
                self._deleter.remove(resource, each)
        if any(True for _ in self._store.within(stored.name)):
            return
        if stored.object["spec"].get("finalizers"):
            spec = {**stored.object["spec"], "finalizers": []}
            stored = self._store.put(NAMESPACES, {**stored.object, "spec": spec})
        if not stored.object["metadata"].get("finalizers"):
            self._store.remove(NAMESPACES, stored)

    def _finish_definition(self, stored: Stored) -> None:
        spec = stored.object["spec"]
        resource = f"{spec['group']}/{spec['names']['plural']}"
        for each in self._store.items(resource):
            if not each.object["metadata"].get("deletionTimestamp"):
                self._deleter.remove(resource, each)
        if not self._store.items(resource):
            self._release(DEFINITIONS, stored, definitions.FINALIZER)

    def _release(self, resource: str, stored: Stored, finalizer: str) -> None:
        """Remove one finalizer, and the object if it was the last."""
        meta = stored.object["metadata"]
        left = [each for each in meta["finalizers"] if each != finalizer]
        made = self._store.put(resource, {**stored.object, "metadata": {**meta, "finalizers": left}})
        if not left:
            self._store.remove(resource, made)
