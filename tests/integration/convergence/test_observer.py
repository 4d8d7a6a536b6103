"""What the observer of a cluster makes of what happens there: whom it wakes, why, and when it wakes nobody."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.observer import ObserverActivities
from nautes.clients.kubernetes import Cluster, Clusters
from nautes.messages.claims import ClusterFacts, User, UsersPage
from nautes.messages.control import Observed, ObserveInput
from nautes.messages.errors import Unavailable
from nautes.messages.secrets import SecretRef
from tests.integration.convergence.support import REF, Runtime, config, place
from tests.integration.convergence.test_health import become_ready, deployment
from tests.waiting import until

LONG = 60.0  # seconds of a round that a test ends itself


@dataclass
class Temporal:
    """The part of Temporal's client that the observer uses: who is who, and the signals in the order in which they were sent."""

    users: list[User]
    kubeconfig: SecretRef | None = REF
    signals: list[tuple[str, str]] = field(default_factory=list)
    asked: int = 0

    def get_workflow_handle(self, workflow_id: str) -> _Handle:
        return _Handle(self, workflow_id)


@dataclass
class _Handle:
    temporal: Temporal
    id: str

    async def query(self, name: str, *_: Any, **__: Any) -> ClusterFacts | UsersPage:
        if name == "facts":
            return ClusterFacts(cluster="edge", phase="Ready", kubeconfig=self.temporal.kubeconfig)
        self.temporal.asked += 1
        return UsersPage(users=self.temporal.users, total=len(self.temporal.users))

    async def signal(self, name: str) -> None:
        self.temporal.signals.append((self.id, name))
        if self.id == "run/gone":
            raise RPCError("it has ended", RPCStatusCode.NOT_FOUND, b"")


@dataclass
class Watching:
    """A round under way. `woken` are the signals to one runtime since the last `forget`."""

    temporal: Temporal
    id: str
    marker: Runtime  # another runtime in the same cluster

    @property
    def marks(self) -> list[str]:
        """What the other runtime was woken for: to correct an edit."""
        other = f"deployment/shop/{self.marker.namespace}"
        return [
            signal for workflow_id, signal in self.temporal.signals if (workflow_id, signal) == (other, "reconcile")
        ]

    @property
    def woken(self) -> list[str]:
        return [signal for workflow_id, signal in self.temporal.signals if workflow_id == self.id]

    def forget(self) -> None:
        self.temporal.signals.clear()

    def marked(self, times: int) -> None:
        """The other runtime was woken so often."""
        until(lambda: len(self.marks) >= times, "the mark is seen", within=15)

    def heard(self, signal: str) -> None:
        until(lambda: signal in self.woken, f"{self.id} hears {signal}", within=15)


def _users(*runtimes: Runtime) -> list[User]:
    return [
        User(
            kind="claim",
            name=f"deployment/shop/{each.namespace}",
            product="shop",
            product_id="product-7",
            namespaces=[each.namespace],
        )
        for each in runtimes
    ]


def _round(temporal: Temporal, clusters: Clusters, seconds: float, input: ObserveInput) -> Observed:
    observer = ObserverActivities(cast("Client", temporal), clusters, seconds)
    return cast("Observed", asyncio.run(ActivityEnvironment().run(observer.watch, input)))


@contextmanager
def watching(runtime: Runtime, fingerprints: dict[str, str] | None = None) -> Iterator[Watching]:
    """The observer of the cluster, for as long as the block."""
    marker = place(runtime.clusters, runtime.cluster)
    temporal, environment = Temporal(_users(runtime, marker)), ActivityEnvironment()
    observer = ObserverActivities(cast("Client", temporal), runtime.clusters, LONG)
    input = ObserveInput(cluster="edge", fingerprints=fingerprints or {})
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=_quietly, args=(loop, environment, observer, input))
    thread.start()
    try:
        found = Watching(temporal, f"deployment/shop/{runtime.namespace}", marker)
        runtime.converge([config("first")])
        marker.converge([config("mark")])
        until(lambda: temporal.asked, "the round has begun")
        _settled(runtime, found)
        yield found
    finally:
        loop.call_soon_threadsafe(environment.cancel)
        thread.join(20)
        assert not thread.is_alive(), "a round ends when it is cancelled"


def _quietly(
    loop: asyncio.AbstractEventLoop, environment: ActivityEnvironment, observer: ObserverActivities, input: ObserveInput
) -> None:
    with suppress(asyncio.CancelledError):
        loop.run_until_complete(environment.run(observer.watch, input))
    loop.close()


def _settled(runtime: Runtime, seen: Watching) -> None:
    """The observer is known to watch when it has reported an edit."""

    def edited() -> bool:
        runtime.edit("ConfigMap", "first", {"data": {"k": "edited"}})
        runtime.converge([config("first")])
        return "reconcile" in seen.woken

    until(edited, "an edit is seen")
    quiet(seen)
    seen.forget()


def quiet(seen: Watching) -> None:
    """Return when all that happened up to here was signalled: what a second runtime hears of later events, in order, shows it.

    Twice, because health is signalled after drift.
    """
    for _ in range(2):
        wanted = len(seen.marks) + 1
        seen.marker.edit("ConfigMap", "mark", {"data": {"k": "edited"}})
        seen.marked(wanted)
        seen.marker.converge([config("mark")])


def test_a_field_of_ours_that_somebody_changes_wakes_its_runtime_to_put_it_back(runtime: Runtime) -> None:
    with watching(runtime) as seen:
        runtime.edit("ConfigMap", "first", {"data": {"k": "other"}})
        seen.heard("reconcile")


def test_an_object_that_is_deleted_wakes_its_runtime(runtime: Runtime) -> None:
    with watching(runtime) as seen:
        kind = runtime.cluster.kind("v1", "ConfigMap")
        assert kind is not None
        runtime.cluster.delete(kind, runtime.namespace, "first")
        seen.heard("reconcile")


def test_what_is_no_field_of_ours_is_no_drift(runtime: Runtime) -> None:
    with watching(runtime) as seen:
        runtime.edit("ConfigMap", "first", {"metadata": {"annotations": {"theirs": "1"}}})
        seen.heard("observed")
        quiet(seen)
        assert "reconcile" not in seen.woken


def test_our_own_writes_wake_nobody_to_correct_them(runtime: Runtime) -> None:
    with watching(runtime) as seen:
        runtime.converge([config("first", "2"), config("second")])
        runtime.converge([config("first", "3"), config("second")])
        quiet(seen)
        assert "reconcile" not in seen.woken


def test_health_is_observed_also_of_a_kind_that_is_new_in_the_cluster(runtime: Runtime) -> None:
    with watching(runtime) as seen:
        runtime.converge([config("first"), deployment()])
        until(lambda: _ready_is_heard(runtime, seen), "the status of a new kind is seen")


def _ready_is_heard(runtime: Runtime, seen: Watching) -> bool:
    runtime.edit("Deployment", "web", {"metadata": {"annotations": {"tick": uuid.uuid4().hex}}}, "apps/v1")
    become_ready(runtime)
    return "observed" in seen.woken


def test_what_happened_while_nobody_watched_is_noticed_by_the_next_round(runtime: Runtime, clusters: Clusters) -> None:
    runtime.converge([config("first"), config("second")])
    temporal = Temporal(_users(runtime))
    first = _round(temporal, clusters, 0.5, ObserveInput(cluster="edge"))
    woken = (f"deployment/shop/{runtime.namespace}", "reconcile")
    assert temporal.signals.count(woken) == 1, "nothing is known of before"
    again = _round(temporal, clusters, 0.5, ObserveInput(cluster="edge", fingerprints=first.fingerprints))
    assert (temporal.signals.count(woken), again.fingerprints[runtime.owner]) == (1, first.fingerprints[runtime.owner])
    runtime.edit("ConfigMap", "second", {"data": {"k": "edited"}})
    _round(temporal, clusters, 0.5, ObserveInput(cluster="edge", fingerprints=again.fingerprints))
    assert temporal.signals.count(woken) == 2


def test_a_round_over_a_cluster_that_is_not_ready_or_not_there_is_tried_again(runtime: Runtime) -> None:
    temporal = Temporal([], kubeconfig=None)
    with pytest.raises(Unavailable, match="cluster edge is not ready"):
        _round(temporal, runtime.clusters, 1, ObserveInput(cluster="edge"))
    text = (
        "{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}],"
        " clusters: [{name: a, cluster: {server: 'http://127.0.0.1:9'}}], users: [{name: a, user: {token: t}}]}"
    )
    nowhere = Clusters(lambda _: text, allow_loopback=True)
    with pytest.raises(Unavailable, match="cannot be reached"):
        _round(Temporal(_users(runtime)), nowhere, 1, ObserveInput(cluster="edge"))


def test_an_object_that_only_carries_the_label_is_nobodys(runtime: Runtime, cluster: Cluster) -> None:
    with watching(runtime) as seen:
        labels = {"applyset.kubernetes.io/part-of": runtime.owner}
        path = f"/api/v1/namespaces/{runtime.namespace}/configmaps"
        item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "copied", "labels": labels}}
        cluster.call("POST", path, body=item)
        cluster.call("DELETE", f"{path}/copied")
        quiet(seen)
        assert seen.woken == []
