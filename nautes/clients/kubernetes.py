"""One Kubernetes cluster: discovery, list, server-side apply, delete. Called by activities/kubernetes/ and by Vault's.

Objects are plain data. Only errors of nautes/messages/errors.py leave this module.
"""

from __future__ import annotations

import base64
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from urllib.parse import quote

from cachetools import LRUCache, cachedmethod

from nautes.blueprints import vault
from nautes.clients.kubeconfig import Kubeconfig, check_kubeconfig
from nautes.clients.kubernetes_http import CONNECTIONS, Connection
from nautes.clients.kubernetes_watch import Watcher
from nautes.convergence.difference import FIELD_MANAGER
from nautes.convergence.memory import Memory
from nautes.convergence.objects import Object, group_of
from nautes.messages.errors import Conflict, NotFound
from nautes.messages.secrets import SecretRef
from nautes.telemetry.metrics import Calls

__all__ = ["CONNECTIONS", "Cluster", "Clusters", "Kind", "Kubeconfig", "Listing", "check_kubeconfig", "reviewer_token"]

PAGE = 2_000  # objects in one page of a list
CLIENTS = 500  # clusters whose connections are kept
REVIEWER_NAMESPACE, REVIEWER_SECRET = "vault", "vault-auth-token"


@dataclass(frozen=True)
class Kind:
    """A kind as the cluster serves it in one version."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()

    @property
    def group(self) -> str:
        """API group; "" is the core group."""
        return group_of(self.api_version)

    def path(self, namespace: str = "", name: str = "") -> str:
        """Path of its objects: all, those of a namespace, or one; every part is percent-encoded."""
        parts = ["/api" if "/" not in self.api_version else "/apis", *self.api_version.split("/")]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        return "/".join([parts[0], *(quote(each, safe="") for each in parts[1:])])


@dataclass(frozen=True)
class Listing:
    """All objects of a list, each with its apiVersion and kind."""

    items: list[Object]


class Cluster:
    """Safe for many threads. `timeout` is seconds per request, `agent` our name in the cluster's audit log.

    `name` is the cluster's in metrics.
    """

    def __init__(self, config: Kubeconfig, *, timeout: float = 15.0, agent: str = "nautes", name: str = "") -> None:
        self.connection = Connection(config, timeout=timeout, agent=agent, name=name)
        self.server = config.server
        self.call = self.connection.call
        self._discovered: dict[str, dict[str, Kind]] = {}
        self._preferred: dict[str, str] = {}
        self._lock = threading.Lock()
        self.memory = Memory()

    @property
    def requests(self) -> Counter[str]:
        """Requests so far, by method."""
        return self.connection.requests

    # Discovery

    def kind(self, api_version: str, kind: str) -> Kind | None:
        """A kind by name, None when the cluster does not know it. An unknown kind is looked up anew each time."""
        known = self._discovered.get(api_version, {}).get(kind)
        return known or self._discover(api_version).get(kind)

    def preferred(self, group: str, kind: str) -> Kind | None:
        """A kind in the version its group prefers."""
        if not group:
            return self.kind("v1", kind)
        if group not in self._preferred:
            self._discover_groups()
        version = self._preferred.get(group)
        return self.kind(version, kind) if version else None

    def every(self) -> list[Kind]:
        """All kinds in preferred versions that can be listed and deleted."""
        self._discover_groups()
        versions = ["v1", *self._preferred.values()]
        kinds = [
            kind for version in versions for kind in (self._discovered.get(version) or self._discover(version)).values()
        ]
        return [kind for kind in kinds if {"list", "delete"} <= kind.verbs]

    def forget(self, api_version: str = "") -> None:
        """Drop the results of discovery, of one version or of all, because definitions were added or removed."""
        with self._lock:
            if api_version:
                self._discovered.pop(api_version, None)
            else:
                self._discovered.clear()
                self._preferred.clear()

    def _discover(self, api_version: str) -> dict[str, Kind]:
        base = "/api/" if "/" not in api_version else "/apis/"
        try:
            found = self.call("GET", base + quote(api_version, safe="/"))
        except NotFound:
            found = {}
        kinds = {
            each["kind"]: Kind(api_version, each["kind"], each["name"], each["namespaced"], frozenset(each["verbs"]))
            for each in found.get("resources") or []
            if "/" not in each["name"]
        }
        with self._lock:
            self._discovered[api_version] = kinds
        return kinds

    def _discover_groups(self) -> None:
        groups = self.call("GET", "/apis").get("groups") or []
        with self._lock:
            self._preferred = {each["name"]: each["preferredVersion"]["groupVersion"] for each in groups}

    # Objects

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """One object. Raises NotFound."""
        return self.call("GET", kind.path(namespace, name))

    def list(self, kind: Kind, *, namespace: str = "", selector: str = "") -> Listing:
        """All objects of a kind in a namespace or ("") everywhere, however many pages that takes."""
        items: list[Object] = []
        parameters = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            page = self.call("GET", kind.path(namespace), parameters)
            for each in page.get("items") or []:
                items.append({**each, "apiVersion": kind.api_version, "kind": kind.kind})
            follow = page.get("metadata", {}).get("continue")
            if not follow:
                return Listing(items)
            parameters = {**parameters, "continue": follow}

    def apply(self, kind: Kind, item: Object, *, account: str | None = None) -> Object:
        """Server-side apply, taking over fields that others changed (drift). Raises Refused, Forbidden, NotFound, Conflict."""
        meta = item["metadata"]
        path = kind.path(str(meta.get("namespace") or ""), str(meta["name"]))
        return self.call(
            "PATCH",
            path,
            {"fieldManager": FIELD_MANAGER, "force": "true"},
            body=item,
            content_type="application/apply-patch+yaml",
            account=account,
        )

    def delete(self, kind: Kind, namespace: str, name: str, *, uid: str = "", account: str | None = None) -> bool:
        """Delete one object, then what it owns; `uid` guards against another object of that name. False: it was not there."""
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            self.call("DELETE", kind.path(namespace, name), body=body, account=account)
        except (NotFound, Conflict):  # gone, or replaced by another object
            return False
        return True

    def create(self, path: str, item: Object, *, account: str | None = None) -> Object:
        """POST to a path, for reviews and subresources."""
        return self.call("POST", path, body=item, account=account)


class Clusters:
    """One client per kubeconfig, made when it is first needed.

    `kubeconfig` reads the secret behind a reference; a reference with a version is read once, one without each time.
    """

    def __init__(
        self,
        kubeconfig: Callable[[SecretRef], str],
        *,
        allow_insecure: bool = False,
        allow_loopback: bool = False,
        timeout: float = 15.0,
    ) -> None:
        self._kubeconfig = kubeconfig
        self._policy = {"allow_insecure": allow_insecure, "allow_loopback": allow_loopback}
        self._timeout = timeout
        self._versions: LRUCache[SecretRef, Cluster] = LRUCache(CLIENTS)
        self._clients: LRUCache[tuple[str, str], Cluster] = LRUCache(CLIENTS)
        self._lock = threading.Lock()

    def get(self, ref: SecretRef) -> Cluster:
        """The client for a kubeconfig. Raises Refused for one that is not acceptable, and what reading the secret raises."""
        return self._read(ref) if ref.version is None else self._of_version(ref)

    @cachedmethod(attrgetter("_versions"), key=lambda _, ref: ref, lock=attrgetter("_lock"))
    def _of_version(self, ref: SecretRef) -> Cluster:
        return self._read(ref)

    def _read(self, ref: SecretRef) -> Cluster:
        return self._client(check_kubeconfig(self._kubeconfig(ref), **self._policy), vault.cluster_of(ref.path))

    @cachedmethod(attrgetter("_clients"), key=lambda _, config, name: (config.digest, name), lock=attrgetter("_lock"))
    def _client(self, config: Kubeconfig, name: str) -> Cluster:
        return Cluster(config, timeout=self._timeout, name=name)

    def watcher(self, ref: SecretRef) -> Watcher:
        """A client that watches, for one event loop, which closes it."""
        return Watcher(
            check_kubeconfig(self._kubeconfig(ref), **self._policy),
            calls=Calls("kubernetes", vault.cluster_of(ref.path)),
        )

    def reviewer(self, ref: SecretRef) -> tuple[str, str, str]:
        """`reviewer_token` of the cluster behind a reference."""
        return reviewer_token(self._kubeconfig(ref), **self._policy)


def reviewer_token(
    kubeconfig: str, *, allow_insecure: bool = False, allow_loopback: bool = False
) -> tuple[str, str, str]:
    """(token, CA certificate as PEM, address) of the cluster's token reviewer, for Vault's Kubernetes auth mount.

    Raises NotFound while the cluster has not issued the token.
    """
    config = check_kubeconfig(kubeconfig, allow_insecure=allow_insecure, allow_loopback=allow_loopback)
    secret = Connection(config).call("GET", f"/api/v1/namespaces/{REVIEWER_NAMESPACE}/secrets/{REVIEWER_SECRET}")
    token, ca = (base64.b64decode((secret.get("data") or {}).get(key) or "").decode() for key in ("token", "ca.crt"))
    if not token:
        raise NotFound("reviewer-token", "the cluster has not issued the token of vault/vault-auth yet")
    return token, ca or config.ca.decode(), config.server
