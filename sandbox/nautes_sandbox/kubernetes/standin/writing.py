"""Create, update, patch and apply: turns what a client sends into what is stored. Called by server.py and by the controllers."""

from __future__ import annotations

import copy
import logging
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nautes_sandbox.kubernetes.standin import (
    conversions,
    defaults,
    definitions,
    managers,
    patches,
    schemas,
    shapes,
    validation,
)
from nautes_sandbox.kubernetes.standin.kinds import DEFINITIONS, NAMESPACES, Kinds
from nautes_sandbox.kubernetes.standin.managers import Owners, Who
from nautes_sandbox.kubernetes.standin.problems import (
    ApiError,
    Cause,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    method_not_allowed,
    not_found,
    not_implemented,
    option,
    required,
    unsupported_media,
    wrong,
)
from nautes_sandbox.kubernetes.standin.requests import APPLY, JSON_PATCH, MERGE, STRATEGIC, Request, Target
from nautes_sandbox.kubernetes.standin.store import Store, Stored

Object = dict[str, Any]
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # of generated names: no word is spelt by accident
_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName", "selfLink")


@dataclass(frozen=True)
class Written:
    """The object as it is now; `created` and `changed` say what the write did."""

    object: Object
    created: bool = False
    changed: bool = True


class Writer:
    """Writes one object at a time."""

    def __init__(self, store: Store, kinds: Kinds) -> None:
        self._store = store
        self._kinds = kinds

    # Verbs

    def create(self, target: Target, request: Request, body: Object | None = None) -> Written:
        """POST to a collection. `body` is given by our own controllers."""
        item = request.document(target.kind.kind) if body is None else body
        if target.kind.namespaced and not target.namespace:
            raise method_not_allowed()
        meta = self._typed(target, item)
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = f"{meta['generateName'][:58]}{''.join(secrets.choice(_LETTERS) for _ in range(5))}"
        if meta.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        return self._create(target, request, item, None)

    def update(self, target: Target, request: Request) -> Written:
        """PUT of an object."""
        item = request.document(target.kind.kind)
        meta = self._typed(target, item)
        live = self._live(target)
        if target.kind.custom and not meta.get("resourceVersion"):
            causes = [wrong("metadata.resourceVersion", "0x0", "must be specified for an update")]
            raise invalid(target.kind.group, target.kind.kind, target.name, causes)
        return self._update(target, request, live, item, None)

    def patch(self, target: Target, request: Request) -> Written:
        """PATCH of an object, in any of the four forms."""
        if request.content_type == APPLY:
            return self._apply(target, request)
        live = self._live(target)
        before = self.presented(target, live.object)
        if request.content_type == MERGE:
            item = patches.merged(before, request.document())
        elif request.content_type == JSON_PATCH:
            item = patches.operations(before, request.decoded())
        elif request.content_type == STRATEGIC and not target.kind.custom:
            item = patches.strategic(before, request.document(), shapes.of(target.kind, target.version))
        else:
            raise unsupported_media()
        self._typed(target, item)
        return self._update(target, request, live, item, None)

    def _apply(self, target: Target, request: Request) -> Written:
        if not request.query.get("fieldManager"):
            raise option("PatchOptions", required("fieldManager", "is required for apply patch"))
        config = request.document(target.kind.kind)
        if not config.get("apiVersion") or not config.get("kind"):
            raise bad_request("the object provided is unrecognized: Object 'Kind' is missing")
        meta = self._typed(target, config)
        if meta.get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        stored = self._store.get(target.kind.resource, target.namespace, target.name)
        live = self.presented(target, stored.object) if stored else None
        if stored:
            self._unchanged(target, meta, stored)
        config = {key: value for key, value in config.items() if key not in ("apiVersion", "kind")}
        if target.subresource:
            config = {key: value for key, value in config.items() if key in ("metadata", target.subresource)}
        elif target.kind.has_status(target.version):
            config.pop("status", None)
        if not target.kind.custom:
            config = defaults.tidy(config)
        who = Who(request.manager, "Apply", target.api_version, target.subresource)
        shape = shapes.of(target.kind, target.version)
        with _readable(target):
            made, owners = managers.apply(managers.read(live), who, live, config, shape, force=request.flag("force"))
        if stored is None:
            if target.subresource:
                raise self._missing(target)
            return self._create(target, request, made, owners)
        return self._update(target, request, stored, made, owners)

    # From what was sent to what is kept

    def _typed(self, target: Target, item: Object) -> Object:
        """The metadata of an object, which must have the kind and name of the path."""
        kind = target.kind.kind
        if item.get("kind", kind) != kind:
            raise bad_request(
                f'{item["kind"]} in version "{item.get("apiVersion")}" cannot be handled as a {kind}: '
                "the kind in the data does not match the expected kind"
            )
        if item.get("apiVersion", target.api_version) != target.api_version:
            raise bad_request(
                f'{kind} in version "{item["apiVersion"]}" cannot be handled as a {kind}: the API version in the data '
                f"({item['apiVersion']}) does not match the expected API version ({target.api_version})"
            )
        meta = item.setdefault("metadata", {})
        if not isinstance(meta, dict):
            raise bad_request("metadata must be a map")
        if target.kind.namespaced:
            if meta.setdefault("namespace", target.namespace) != target.namespace:
                raise bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
        else:
            meta.pop("namespace", None)
        if target.name and meta.setdefault("name", target.name) != target.name:
            raise bad_request(
                f"the name of the object ({meta['name']}) does not match the name on the URL ({target.name})"
            )
        return meta

    def _create(self, target: Target, request: Request, item: Object, owners: Owners | None) -> Written:
        self._admit(target, item["metadata"])
        sent = item["metadata"]
        if not sent.get("name"):
            causes = [required("metadata.name", "name or generateName is required")]
            raise invalid(target.kind.group, target.kind.kind, "", causes)
        new = copy.deepcopy(
            {key: value for key, value in item.items() if key not in ("apiVersion", "kind", "metadata")}
        )
        meta = {key: value for key, value in sent.items() if key not in (*_KEPT, "generation", "managedFields")}
        meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": managers.now()}
        meta |= {"generateName": sent["generateName"]} if sent.get("generateName") else {}
        meta |= {"generation": 1} if target.kind.generation else {}
        new = {"metadata": copy.deepcopy(meta), **new}
        if target.kind.has_status(target.version):
            new.pop("status", None)
        with _readable(target):
            new = self._finished(target, new, None)
        if self._store.get(target.kind.resource, target.namespace, sent["name"]):
            raise already_exists(target.kind.group, target.kind.plural, sent["name"])
        if owners is None:
            who = Who(request.manager, "Update", target.api_version)
            shape = shapes.of(target.kind, target.version)
            owners = managers.update({}, who, {}, self.presented(target, new), shape)
        _record(new, owners)
        if request.dry_run:
            return Written(new, created=True, changed=False)
        return Written(self._store.put(target.kind.resource, new).object, created=True)

    def _update(self, target: Target, request: Request, live: Stored, item: Object, owners: Owners | None) -> Written:
        """`item` is the whole object in the client's version; its owners are worked out unless it was applied."""
        self._unchanged(target, item["metadata"], live)
        old = live.object
        new = self._parts(target, old, item)
        new["metadata"] = self._metadata(target, old["metadata"], new.get("metadata") or {})
        with _readable(target):
            new = self._finished(target, copy.deepcopy(new), old)
        if owners is None:
            who = Who(request.manager, "Update", target.api_version, target.subresource)
            shape = shapes.of(target.kind, target.version)
            before, after = self.presented(target, old), self.presented(target, new)
            known = {} if item["metadata"].get("managedFields") in ([], [{}]) else managers.read(old)
            owners = managers.update(known, who, before, after, shape)
        if target.kind.generation and _declared(target, old) != _declared(target, new):
            new["metadata"]["generation"] = old["metadata"].get("generation", 1) + 1
        _record(new, owners)
        if _same(new, old):
            return Written(old, changed=False)
        if request.dry_run:
            new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
            return Written(new, changed=False)
        stored = self._store.put(target.kind.resource, new)
        if new["metadata"].get("deletionTimestamp") and not held(target.kind.resource, new):
            self._store.remove(target.kind.resource, stored)
        return Written(stored.object)

    def _parts(self, target: Target, old: Object, item: Object) -> Object:
        """Of `item` what this path may write, of `old` the rest."""
        sent = conversions.kept(target.kind, target.version, item)
        sent = {key: value for key, value in sent.items() if key not in ("apiVersion", "kind")}
        if target.subresource == "status":
            return {**{key: value for key, value in old.items() if key != "status"}, "status": sent.get("status") or {}}
        if target.subresource == "finalize":
            return {**old, "spec": sent.get("spec") or {}}
        if target.kind.has_status(target.version):
            rest = {key: value for key, value in sent.items() if key != "status"}
            return {**rest, **({"status": old["status"]} if "status" in old else {})}
        return sent

    def _metadata(self, target: Target, old: Object, sent: Object) -> Object:
        """The metadata after an update: what only the server writes stays."""
        kept = {key: old[key] for key in (*_KEPT, "generation") if key in old}
        servers = (*_KEPT, "generation", "resourceVersion", "managedFields")
        found = {key: value for key, value in sent.items() if key not in servers}
        if "deletionTimestamp" in old:
            more = set(found.get("finalizers") or []) - set(old.get("finalizers") or [])
            if more:
                message = "Forbidden: no new finalizers can be added if the object is being deleted"
                causes = [Cause("FieldValueForbidden", "metadata.finalizers", message)]
                raise invalid(target.kind.group, target.kind.kind, target.name, causes)
        return {**found, **kept}

    def _finished(self, target: Target, new: Object, old: Object | None) -> Object:
        """With defaults, checked, and as it is stored."""
        kind = target.kind
        new["metadata"] = defaults.tidy(new["metadata"], "metadata")
        causes = validation.metadata(kind, new)
        if kind.custom:
            schema = (kind.schemas or {}).get(target.version) or {}
            typed = schemas.shaped(
                {**new, "apiVersion": target.api_version, "kind": kind.kind},
                {
                    **schema,
                    "properties": {"apiVersion": {}, "kind": {}, "metadata": {}, **(schema.get("properties") or {})},
                },
                root=True,
            )
            new = {key: value for key, value in typed.items() if key not in ("apiVersion", "kind")}
            causes += schemas.check(new, schema, "", root=True)
        else:
            new = defaults.tidy(conversions.kept(kind, target.version, new))
            if old is None and kind.status:
                new["status"] = defaults.status(kind.kind)
            if target.subresource != "finalize":
                defaults.fill(kind.kind, new, old)
            causes += validation.content(kind.kind, new)
            causes += validation.change(kind.kind, old, new) if old else []
        if kind.resource == DEFINITIONS:
            new = self._definition(new, causes, old)
        if causes:
            raise invalid(kind.group, kind.kind, new["metadata"]["name"], causes)
        return new

    def _definition(self, item: Object, causes: list[Cause], old: Object | None) -> Object:
        definitions.complete(item)
        causes += definitions.check(item)
        if causes:
            return item
        if old is None:
            item["metadata"]["finalizers"] = [*(item["metadata"].get("finalizers") or []), definitions.FINALIZER]
        return {**item, "status": {**(item.get("status") or {}), **definitions.accepted(item, self._kinds)}}

    # What is there

    def presented(self, target: Target, item: Object) -> Object:
        """A stored object as this client's version has it."""
        return conversions.shown(target.kind, target.version, item)

    def _live(self, target: Target) -> Stored:
        found = self._store.get(target.kind.resource, target.namespace, target.name)
        if found is None:
            raise self._missing(target)
        return found

    def _missing(self, target: Target) -> ApiError:
        return not_found(target.kind.group, target.kind.plural, target.name)

    def _unchanged(self, target: Target, meta: Object, live: Stored) -> None:
        kind = target.kind
        given = str(meta.get("resourceVersion") or "")
        if given and given != str(live.version):
            raise conflict(kind.group, kind.plural, target.name)
        if meta.get("uid") and meta["uid"] != live.uid:
            why = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {live.uid}"
            raise conflict(kind.group, kind.plural, target.name, why)

    def _admit(self, target: Target, meta: Object) -> None:
        """Something new needs a namespace that is there to stay."""
        if not target.kind.namespaced:
            return
        space = self._store.get(NAMESPACES, "", target.namespace)
        if space is None:
            raise not_found("", "namespaces", target.namespace)
        if space.object["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {target.namespace} because it is being terminated"
            message = f"namespace {target.namespace} is being terminated"
            causes = [Cause("NamespaceTerminating", "metadata.namespace", message)]
            raise forbidden(target.kind.group, target.kind.plural, str(meta.get("name", "")), why, causes)


@contextmanager
def _readable(target: Target) -> Iterator[None]:
    """Turns a failure of our code at a value of a wrong type into a refusal of the object."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        logging.info("refused as unreadable: %s/%s", target.kind.kind, target.name, exc_info=True)
        kind = target.kind.kind
        message = (
            f'{kind} in version "{target.version}" cannot be handled as a {kind}: a field has a value of another type'
        )
        raise bad_request(message) from error


def _record(item: Object, owners: Owners) -> None:
    fields = managers.written(owners)
    item["metadata"] |= {"managedFields": fields} if fields else {}


def subresource(target: Target) -> None:
    """Raises a 404 or 501 for a subresource that an object of this kind does not have, or we do not play."""
    name = target.subresource
    if not name or (name == "status" and target.kind.has_status(target.version)):
        return
    if target.kind.resource == NAMESPACES and name == "finalize":
        return
    if name == "status":
        raise not_found("", target.kind.plural, target.name)
    raise not_implemented(f"{target.kind.plural}/{name}")


def held(resource: str, item: Object) -> bool:
    """Whether something keeps an object that is being deleted."""
    return bool(item["metadata"].get("finalizers")) or (
        resource == NAMESPACES and bool((item.get("spec") or {}).get("finalizers"))
    )


def _declared(target: Target, item: Object) -> Object:
    """What of an object makes a new generation when it changes."""
    return {key: value for key, value in item.items() if key not in ("metadata", "status")}


def _same(new: Object, old: Object) -> bool:
    """Whether nothing changed but perhaps the time of an owner."""
    return _comparable(new) == _comparable(old)


def _comparable(item: Object) -> Object:
    meta = {key: value for key, value in item["metadata"].items() if key != "resourceVersion"}
    fields = [{**each, "time": ""} for each in meta.get("managedFields") or []]
    return {**item, "metadata": {**meta, "managedFields": fields}}
