"""Executes a plan in a cluster: applies and prunes objects, several at a time. Used by converge.py and removal.py.

An object that the cluster refuses is an outcome and stops nothing. After an outage the rest is still tried, then Unavailable
is raised and the whole is retried: what was applied already costs nothing the next time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from activities.concurrency import Progress, each
from nautes.clients.kubernetes import Cluster, Kind
from nautes.convergence.difference import difference
from nautes.convergence.objects import Key, Object, metadata
from nautes.convergence.plan import Change
from nautes.convergence.waves import in_waves, wave
from nautes.messages.convergence import ObjectOutcome
from nautes.messages.errors import Forbidden, NautesError, NotFound, Unavailable

OUTAGES = 3  # failed connections after which the rest is not tried


@dataclass(frozen=True)
class Result:
    """The result of one write."""

    key: Key
    outcome: ObjectOutcome
    live: Object | None = None


class Writer:
    """Writes as `account` (None: as the platform). `writes` counts requests that may have changed something."""

    def __init__(self, cluster: Cluster, account: str | None, heartbeat: Progress) -> None:
        self._cluster = cluster
        self._account = account
        self._heartbeat = heartbeat
        self._lock = threading.Lock()
        self._outages: list[Unavailable] = []
        self.writes = 0

    def apply(self, changes: Sequence[Change], between: Callable[[list[Result]], None]) -> list[Result]:
        """Apply in waves; `between` is called with the results of each. Raises Unavailable once everything was tried."""
        results = []
        for changes_of_wave in in_waves((change.item, change) for change in changes):
            done = each(self._apply, changes_of_wave, self._heartbeat)
            results += done
            between(done)
        self._raise_outage(len(changes))
        return results

    def prune(self, found: Sequence[tuple[Key, Kind, str]]) -> list[Result]:
        """Delete (identity, kind, uid), the last wave first. Raises Unavailable once everything was tried."""
        results = []
        for number in sorted({wave(key.group, key.kind) for key, _, _ in found}, reverse=True):
            of_wave = [entry for entry in found if wave(entry[0].group, entry[0].kind) == number]
            results += each(self._prune, of_wave, self._heartbeat)
        self._raise_outage(len(found))
        return results

    def _apply(self, change: Change) -> Result:
        try:
            live = self._send(change.item)
        except NautesError as error:
            return self._failed(change.key, error)
        if difference(
            change.item, live
        ):  # the server stores it in another form: without this record it would never be equal
            self._cluster.memory.remember(change.item, live)
        same = change.version and change.version == metadata(live).get("resourceVersion")
        return Result(change.key, outcome(change.key, "unchanged" if same else "applied", change.why), live)

    def _send(self, item: Object) -> Object:
        kind = self._kind(item)
        self._count()
        try:
            return self._cluster.apply(kind, item, account=self._account)
        except NotFound as error:
            if error.message.startswith("namespaces "):
                raise
            # The kind was removed, and perhaps defined anew, since it was discovered.
            self._cluster.forget(kind.api_version)
            again = self._kind(item)
            if again == kind:
                raise
            self._count()
            return self._cluster.apply(again, item, account=self._account)

    def _kind(self, item: Object) -> Kind:
        self._give_up_on_outage()
        kind = self._cluster.kind(str(item["apiVersion"]), str(item["kind"]))
        if kind is None:
            raise NotFound(
                "kubernetes-kind", f"the cluster does not know the kind {item['kind']} of {item['apiVersion']}"
            )
        return kind

    def _prune(self, entry: tuple[Key, Kind, str]) -> Result:
        key, kind, uid = entry
        try:
            self._give_up_on_outage()
            self._count()
            self._cluster.delete(kind, key.namespace, key.name, uid=uid, account=self._account)
        except NautesError as error:
            return self._failed(key, error)
        return Result(key, outcome(key, "pruned"))

    def _failed(self, key: Key, error: NautesError) -> Result:
        if error.code == "kubernetes-unauthorized":
            raise error  # about the kubeconfig, not about the object
        if isinstance(error, Unavailable):
            with self._lock:
                self._outages.append(error)
        return Result(key, outcome(key, "refused" if isinstance(error, Forbidden) else "failed", error.message))

    def _count(self) -> None:
        with self._lock:
            self.writes += 1

    def _give_up_on_outage(self) -> None:
        with self._lock:
            unreachable = [error for error in self._outages if error.code == "cluster-unreachable"]
        if len(unreachable) >= OUTAGES:
            raise unreachable[0]

    def _raise_outage(self, total: int) -> None:
        if not self._outages:
            return
        first = self._outages[0]
        message = f"{len(self._outages)} of {total} writes failed, first: {first.message}"
        raise Unavailable(first.code, message, retry_after=first.retry_after)


def outcome(key: Key, action: str, reason: str = "") -> ObjectOutcome:
    """An outcome about an object."""
    return ObjectOutcome.model_validate(
        {"kind": key.kind, "namespace": key.namespace, "name": key.name, "action": action, "reason": reason}
    )
