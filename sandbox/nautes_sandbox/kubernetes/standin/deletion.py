"""DELETE: preconditions, finalizers and how what an object owns goes with it. Called by server.py and by the controllers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nautes_sandbox.kubernetes.standin import defaults
from nautes_sandbox.kubernetes.standin.kinds import NAMESPACES
from nautes_sandbox.kubernetes.standin.managers import now
from nautes_sandbox.kubernetes.standin.problems import bad_request, conflict, not_found
from nautes_sandbox.kubernetes.standin.requests import Request, Target
from nautes_sandbox.kubernetes.standin.store import Store, Stored
from nautes_sandbox.kubernetes.standin.writing import held

Object = dict[str, Any]
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_POLICIES = {"Background": "", "Foreground": FOREGROUND, "Orphan": ORPHAN}


@dataclass(frozen=True)
class Deleted:
    """The object as it was or, when something holds it, as it is now."""

    object: Object
    gone: bool


class Deleter:
    """Deletes one object at a time; what it owned is collected by collector.py."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def delete(self, target: Target, request: Request) -> Deleted:
        """DELETE of an object. Raises a 404, or a 409 when it is not the one that is meant."""
        stored = self._store.get(target.kind.resource, target.namespace, target.name)
        if stored is None:
            raise not_found(target.kind.group, target.kind.plural, target.name)
        options = _options(request)
        for field, value in (("uid", stored.uid), ("resourceVersion", str(stored.version))):
            wanted = (options.get("preconditions") or {}).get(field)
            if wanted and wanted != value:
                word = "UID" if field == "uid" else "ResourceVersion"
                why = f"the {word} in the precondition ({wanted}) does not match the {word} in record ({value}). "
                why += "The object might have been deleted and then recreated"
                raise conflict(target.kind.group, target.kind.kind, target.name, why)
        policy = _policy(options, request)
        if request.dry_run:
            return Deleted(stored.object, gone=not held(target.kind.resource, stored.object))
        return self.remove(target.kind.resource, stored, policy)

    def remove(self, resource: str, stored: Stored, policy: str = "") -> Deleted:
        """Delete an object, or mark it when something holds it. `policy` is a finalizer: foreground, orphan, or none."""
        if policy == ORPHAN:
            self._orphan(stored)
        owns = policy == FOREGROUND and bool(self._store.dependents(stored.uid))
        if not owns and not held(resource, stored.object):
            self._store.remove(resource, stored)
            return Deleted(stored.object, gone=True)
        return Deleted(self._mark(resource, stored, owns=owns).object, gone=False)

    def _mark(self, resource: str, stored: Stored, *, owns: bool) -> Stored:
        meta = stored.object["metadata"]
        if meta.get("deletionTimestamp") and not owns:
            return stored
        finalizers = list(meta.get("finalizers") or [])
        if owns and FOREGROUND not in finalizers:
            finalizers.append(FOREGROUND)
        marks = {"deletionTimestamp": meta.get("deletionTimestamp") or now(), "deletionGracePeriodSeconds": 0}
        meta = {**meta, **marks, **({"finalizers": finalizers} if finalizers else {})}
        if meta.get("generation") and not stored.object["metadata"].get("deletionTimestamp"):
            meta["generation"] += 1
        item = {**stored.object, "metadata": meta}
        if resource == NAMESPACES:
            item["status"] = {**(item.get("status") or {}), "phase": "Terminating"}
        return self._store.put(resource, item)

    def _orphan(self, stored: Stored) -> None:
        for resource, each in self._store.dependents(stored.uid):
            meta = each.object["metadata"]
            left = [owner for owner in meta["ownerReferences"] if owner["uid"] != stored.uid]
            self._store.put(resource, {**each.object, "metadata": defaults.tidy({**meta, "ownerReferences": left})})


def _options(request: Request) -> Object:
    found = request.decoded("DeleteOptions") if request.body.strip() else {}
    if not isinstance(found, dict) or found.get("kind", "DeleteOptions") != "DeleteOptions":
        raise bad_request("the object provided is unrecognized (must be of type DeleteOptions)")
    return found


def _policy(options: Object, request: Request) -> str:
    name = options.get("propagationPolicy") or request.query.get("propagationPolicy")
    if name is None:
        return ORPHAN if options.get("orphanDependents") else ""
    if name not in _POLICIES:
        raise bad_request(f'invalid propagationPolicy "{name}"')
    return _POLICIES[name]
