"""Get, list with pages, and watch. Called by server.py."""

from __future__ import annotations

import base64
import json
import random
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nautes_sandbox.kubernetes.standin import conversions, selectors
from nautes_sandbox.kubernetes.standin.problems import ApiError, bad_request, expired, not_found
from nautes_sandbox.kubernetes.standin.requests import Request, Target
from nautes_sandbox.kubernetes.standin.store import Event, Store, Stored

Object = dict[str, Any]
SNAPSHOTS = 200  # lists whose next page can still be had
WATCH_SECONDS = 1800  # of a watch whose client does not say


class Reader:
    """Answers with bytes: objects are kept as JSON already."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._snapshots: OrderedDict[str, list[Stored]] = OrderedDict()

    def get(self, target: Target) -> bytes:
        """One object. Raises a 404."""
        stored = self._store.get(target.kind.resource, target.namespace, target.name)
        if stored is None:
            raise not_found(target.kind.group, target.kind.plural, target.name)
        return presented(target, stored)

    def chosen(self, target: Target, request: Request) -> list[Stored]:
        """Objects of a collection that the selectors select."""
        test = _test(target, request)
        return [each for each in self._store.items(target.kind.resource, target.namespace) if test(each.object)]

    def page(self, target: Target, request: Request) -> bytes:
        """A list, or the page of it that was asked for. Raises a 410 for a page whose list is forgotten."""
        limit, token = request.number("limit"), request.query.get("continue", "")
        meta: Object = {}
        if token:
            version, start, key = _opened(token)
            if key not in self._snapshots:
                raise expired(
                    "The provided continue parameter is too old to display a consistent list result. "
                    "You must start a new list without the continue parameter."
                )
            found = self._snapshots[key]
        else:
            version, start, key = self._store.version, 0, ""
            found = self.chosen(target, request)
        items = found[start : start + limit] if limit else found[start:]
        left = len(found) - start - len(items)
        meta["resourceVersion"] = str(version)
        if left:
            meta["continue"] = self._sealed(version, start + len(items), key, found)
            if not request.query.get("labelSelector") and not request.query.get("fieldSelector"):
                meta["remainingItemCount"] = left
        return listed(target, items, meta)

    def _sealed(self, version: int, start: int, key: str, found: list[Stored]) -> str:
        if not key:
            key = f"{version}-{random.getrandbits(64):x}"
            self._snapshots[key] = found
            while len(self._snapshots) > SNAPSHOTS:
                self._snapshots.popitem(last=False)
        token = {"v": "meta.k8s.io/v1", "rv": version, "start": start, "key": key}
        return base64.urlsafe_b64encode(json.dumps(token).encode()).decode()

    def watch(self, target: Target, request: Request) -> Watch:
        """What happens to a collection, from a version on or from now."""
        version = request.number("resourceVersion")
        seconds = request.number("timeoutSeconds") or WATCH_SECONDS
        watch = Watch(target, _test(target, request), time.monotonic() + seconds, request.flag("allowWatchBookmarks"))
        if version:
            past = self._store.since(target.kind.resource, version)
            if past is None:
                watch.error = expired(f"too old resource version: {version} ({self._store.version})")
                return watch
            watch.first = [line for event in past if (line := watch.line(event))]
            return watch
        watch.first = [watch.told("ADDED", each) for each in self.chosen(target, request)]
        if request.flag("sendInitialEvents"):
            watch.first.append(watch.bookmark(self._store.version, {"k8s.io/initial-events-end": "true"}))
        return watch


@dataclass
class Watch:
    """`first` are the lines to begin with; `deadline` is on the monotonic clock."""

    target: Target
    test: selectors.Test
    deadline: float
    bookmarks: bool
    first: list[bytes] = field(default_factory=list)
    error: ApiError | None = None

    def line(self, event: Event) -> bytes | None:
        """What this watch tells of an event: objects come and go as they begin and cease to be selected."""
        if self.target.namespace and event.stored.namespace != self.target.namespace:
            return None
        before = event.before is not None and self.test(event.before.object)
        after = event.type != "DELETED" and self.test(event.stored.object)
        if not before and not after:
            return None
        return self.told("MODIFIED" if before and after else "ADDED" if after else "DELETED", event.stored)

    def told(self, sort: str, stored: Stored) -> bytes:
        """One line."""
        return b'{"type":"%s","object":%s}\n' % (sort.encode(), presented(self.target, stored))

    def bookmark(self, version: int, annotations: dict[str, str] | None = None) -> bytes:
        """The line that tells how far we are."""
        meta: Object = {"resourceVersion": str(version)} | ({"annotations": annotations} if annotations else {})
        item = {"kind": self.target.kind.kind, "apiVersion": self.target.api_version, "metadata": meta}
        return json.dumps({"type": "BOOKMARK", "object": item}).encode() + b"\n"


def _test(target: Target, request: Request) -> selectors.Test:
    label = selectors.labels(request.query.get("labelSelector", ""))
    field_ = selectors.fields(request.query.get("fieldSelector", ""), target.kind.resource)
    name = target.name
    return lambda item: (not name or item["metadata"]["name"] == name) and field_(item) and label(item)


def presented(target: Target, stored: Stored) -> bytes:
    """An object as JSON, with apiVersion and kind."""
    shown = conversions.shown(target.kind, target.version, stored.object)
    text = stored.text if shown is stored.object else json.dumps(shown, separators=(",", ":")).encode()
    return b'{"kind":"%s","apiVersion":"%s",%s' % (
        target.kind.kind.encode(),
        target.api_version.encode(),
        text[1:],
    )


def listed(target: Target, items: list[Stored], meta: Object) -> bytes:
    """A list as JSON; items of built-in kinds come without apiVersion and kind, as from the real server."""
    texts: Iterator[bytes] = (presented(target, each) for each in items)
    if not target.kind.custom and len(target.kind.versions) == 1:
        texts = (each.text for each in items)
    head = json.dumps({"kind": f"{target.kind.kind}List", "apiVersion": target.api_version, "metadata": meta})
    return head[:-1].encode() + b',"items":[' + b",".join(texts) + b"]}"


def _opened(token: str) -> tuple[int, int, str]:
    try:
        found = json.loads(base64.urlsafe_b64decode(token))
        return int(found["rv"]), int(found["start"]), str(found["key"])
    except (ValueError, KeyError, TypeError):
        raise bad_request("invalid continue token: continue key is not valid") from None
