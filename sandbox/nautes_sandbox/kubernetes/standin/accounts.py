"""The controllers for accounts: a default account and the CA bundle in each namespace, tokens in Secrets that ask for one.

Used by controllers.py.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from nautes_sandbox.kubernetes.standin.deletion import Deleter
from nautes_sandbox.kubernetes.standin.kinds import ACCOUNTS, CONFIG_MAPS, NAMESPACES, SECRETS, Kinds
from nautes_sandbox.kubernetes.standin.requests import Request, Target
from nautes_sandbox.kubernetes.standin.store import Event, Store, Stored
from nautes_sandbox.kubernetes.standin.tokens import Tokens
from nautes_sandbox.kubernetes.standin.writing import Writer

Object = dict[str, Any]
TOKEN = "kubernetes.io/service-account-token"
NAME, UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"
BUNDLE = "kube-root-ca.crt"
_SPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_OURS = Request("POST", "", headers={"user-agent": "kube-controller-manager"})


class Accounts:
    """Reconciles one object at a time; what is right already is not written."""

    def __init__(self, store: Store, kinds: Kinds, writer: Writer, deleter: Deleter, tokens: Tokens, ca: Path) -> None:
        self._store = store
        self._kinds = kinds
        self._writer = writer
        self._deleter = deleter
        self._tokens = tokens
        self._ca = ca.read_text()

    def begin(self) -> None:
        """The namespaces every cluster has."""
        for name in _SPACES:
            if self._store.get(NAMESPACES, "", name) is None:
                self._create(NAMESPACES, "", {"metadata": {"name": name}})

    def reconcile(self, event: Event) -> None:
        """React to an event of any kind of object."""
        match event.resource:
            case "/namespaces":
                self._furnish(event.stored.name)
            case "/configmaps":
                if event.stored.name == BUNDLE:
                    self._furnish(event.stored.namespace)
            case "/serviceaccounts":
                self._furnish(event.stored.namespace)
                for secret in self._secrets_of(event.stored):
                    self._settle(secret)
            case "/secrets":
                self._settle(event.stored)

    def _furnish(self, namespace: str) -> None:
        space = self._store.get(NAMESPACES, "", namespace)
        if space is None or space.object["metadata"].get("deletionTimestamp"):
            return
        if self._store.get(ACCOUNTS, namespace, "default") is None:
            self._create(ACCOUNTS, namespace, {"metadata": {"name": "default"}})
        if self._store.get(CONFIG_MAPS, namespace, BUNDLE) is None:
            self._create(CONFIG_MAPS, namespace, {"metadata": {"name": BUNDLE}, "data": {"ca.crt": self._ca}})

    def _create(self, resource: str, namespace: str, item: Object) -> None:
        kind = self._kinds.resource(resource)
        assert kind is not None  # noqa: S101 - built in
        self._writer.create(Target(kind, "v1", namespace), _OURS, item)

    def _secrets_of(self, account: Stored) -> list[Stored]:
        return [each for each in self._store.items(SECRETS, account.namespace) if _account_of(each) == account.name]

    def _settle(self, secret: Stored) -> None:
        """A token in a Secret that asks for one; the Secret goes with its account."""
        live = self._store.get(SECRETS, secret.namespace, secret.name)
        name = _account_of(live) if live else ""
        if live is None or not name:
            return
        account = self._store.get(ACCOUNTS, live.namespace, name)
        meta = live.object["metadata"]
        bound = (meta.get("annotations") or {}).get(UID)
        if account is None or (bound and bound != account.uid):
            if not meta.get("deletionTimestamp"):
                self._deleter.remove(SECRETS, live)
            return
        data = live.object.get("data") or {}
        if bound and all(data.get(each) for each in ("token", "ca.crt", "namespace")):
            return
        values = {"ca.crt": self._ca, "namespace": live.namespace, "token": self._tokens.legacy(account, live.name)}
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        annotations = {**(meta.get("annotations") or {}), UID: account.uid}
        made = {**live.object, "metadata": {**meta, "annotations": annotations}, "data": {**data, **encoded}}
        self._store.put(SECRETS, made)


def _account_of(secret: Stored) -> str:
    if secret.object.get("type") != TOKEN:
        return ""
    return str((secret.object["metadata"].get("annotations") or {}).get(NAME) or "")
