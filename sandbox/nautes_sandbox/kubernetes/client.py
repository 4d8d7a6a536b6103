"""One API server as its administrator: the `kubernetes` package, with objects as plain data.

Used by watching.py and by the players of parts of a cluster (node.py, controllers.py, tekton.py, virtual.py). The platform's own
client is not used here: otherwise its errors would be on both sides of a test and remain undetected.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3
import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.watch import Watch

AGENT = "nautes-sandbox"  # our name in the audit log: calls of the platform are counted there by its own name
TIMEOUT = 15.0  # seconds per request; a watch may be silent for as long as it is asked for, and that much longer
CONNECTIONS = 16
PAGE = 2_000  # objects in one page of a list
MERGE = "application/merge-patch+json"

Object = dict[str, Any]


class RequestError(Exception):
    """The API server refused or could not be reached; the message is its own."""


class NotFound(RequestError):
    """404."""


class Conflict(RequestError):
    """409: an object of this name exists already, or was replaced."""


@dataclass(frozen=True)
class Kind:
    """A kind as the cluster serves it in one version."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()

    def path(self, namespace: str = "", name: str = "") -> str:
        """Path of its objects: all, those of a namespace, or one."""
        parts = ["apis" if "/" in self.api_version else "api", self.api_version]
        if namespace and self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        return "/" + "/".join([*parts, self.plural, *([quote(name, safe="")] if name else [])])


@dataclass(frozen=True)
class Listing:
    """All objects of a list, each with its apiVersion and kind, and the version to watch from."""

    items: list[Object]
    version: str


class Client:
    """Safe for many threads. `requests` counts calls by method."""

    def __init__(self, kubeconfig: Path) -> None:
        api = ApiClient(_settings(kubeconfig))
        api.user_agent = AGENT
        # Kinds are written down by who uses them; the package's own discovery keeps a file per address in a shared directory.
        self._client = DynamicClient(api, discoverer=_no_discovery)
        self.requests: Counter[str] = Counter()

    def call(self, method: str, path: str, body: Object | None = None, **parameters: Any) -> Object:
        """One request and its JSON answer; `parameters` as `DynamicClient.request` has them. Raises `RequestError`."""
        with _errors():
            answer = self._send(method, path, body=body, _request_timeout=TIMEOUT, **parameters)
            found = json.loads(answer.data or b"{}")
        return found if isinstance(found, dict) else {}

    def kinds(self) -> list[Kind]:
        """All kinds, in the versions their groups prefer, that can be listed and deleted."""
        groups = self.call("GET", "/apis").get("groups") or []
        versions = ["v1", *(each["preferredVersion"]["groupVersion"] for each in groups)]
        return [kind for version in versions for kind in self._served(version) if {"list", "delete"} <= kind.verbs]

    def _served(self, version: str) -> list[Kind]:
        try:
            found = self.call("GET", f"/{'apis' if '/' in version else 'api'}/{version}")
        except NotFound:  # the last definition of the group has just gone
            return []
        return [
            Kind(version, each["kind"], each["name"], each["namespaced"], frozenset(each["verbs"]))
            for each in found.get("resources") or []
            if "/" not in each["name"]
        ]

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """One object. Raises `NotFound`."""
        return self.call("GET", kind.path(namespace, name))

    def create(self, path: str, item: Object) -> Object:
        """POST to a path. Raises `Conflict` where there is one of this name."""
        return self.call("POST", path, item)

    def patch(self, path: str, body: Object) -> Object:
        """A merge patch of the object, or of the part of it, that has this path."""
        return self.call("PATCH", path, body, content_type=MERGE)

    def delete(self, kind: Kind, namespace: str, name: str, *, uid: str = "") -> None:
        """Delete one object at once, what it owns after it; `uid` names the one that was seen. Gone already is success."""
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        body |= {"gracePeriodSeconds": 0} | ({"preconditions": {"uid": uid}} if uid else {})
        try:
            self.call("DELETE", kind.path(namespace, name), body)
        except (NotFound, Conflict):
            return

    def list(self, kind: Kind, *, namespace: str = "", selector: str = "") -> Listing:
        """All objects of a kind in a namespace or ("") everywhere, however many pages that takes."""
        items: list[Object] = []
        more: str | None = None
        while True:
            page = self.call(
                "GET", kind.path(namespace), limit=PAGE, label_selector=selector or None, _continue=more or None
            )
            items += [_typed(kind, each) for each in page.get("items") or []]
            meta = page.get("metadata") or {}
            more = meta.get("continue")
            if not more:
                return Listing(items, str(meta.get("resourceVersion") or ""))

    def watch(self, kind: Kind, *, version: str, seconds: int, selector: str = "") -> Iterator[tuple[str, Object]]:
        """Events (ADDED, MODIFIED, DELETED; object) of all namespaces from `version` on, for at most `seconds`."""

        def opened(**parameters: Any) -> Any:
            return self._send("GET", kind.path(), _request_timeout=(TIMEOUT, seconds + TIMEOUT), **parameters)

        events = Watch().stream(
            opened, resource_version=version, timeout_seconds=seconds, label_selector=selector or None
        )
        with _errors():
            for event in events:
                yield event["type"], _typed(kind, event["raw_object"])

    def _send(self, method: str, path: str, **parameters: Any) -> Any:
        self.requests[method] += 1
        return self._client.request(method, path, serialize=False, **parameters)


def _settings(kubeconfig: Path) -> Configuration:
    """Of a kubeconfig that the sandbox wrote: an address, a token, and the authority in a file beside it."""
    config = yaml.safe_load(kubeconfig.read_text())
    return Configuration(
        host=config["clusters"][0]["cluster"]["server"],
        api_key={"BearerToken": config["users"][0]["user"]["token"]},
        api_key_prefix={"BearerToken": "Bearer"},
        ssl_ca_cert=str(kubeconfig.with_name("ca.crt")),
        connection_pool_maxsize=CONNECTIONS,
    )


def _no_discovery(_client: DynamicClient, _file: str | None) -> None:
    """Discovery that makes no request before it is needed."""


def _typed(kind: Kind, item: Object) -> Object:
    return {**item, "apiVersion": kind.api_version, "kind": kind.kind}


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        known = {404: NotFound, 409: Conflict}.get(error.status or 0, RequestError)
        raise known(_message(error)) from None
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise RequestError(f"the API server cannot be reached: {type(error).__name__}") from None


def _message(error: ApiException) -> str:
    try:
        return str(json.loads(error.body or "")["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.status} {error.reason or ''}".strip()
