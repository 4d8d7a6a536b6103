"""A round over a cluster that misbehaves: it forgets, refuses a kind, and has runtimes that nobody knew a moment ago."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

from temporalio.client import Client

from activities.observer import ObserverActivities, _Round, owners_of
from nautes.clients.kubernetes import Cluster, Kind
from nautes.clients.kubernetes_watch import ExpiredError, Watcher
from nautes.messages.claims import User, UsersPage
from nautes.messages.control import ObserveInput
from nautes.messages.errors import Forbidden

CONFIG = Kind("v1", "ConfigMap", "configmaps", namespaced=True)
ROLE = Kind("rbac.authorization.k8s.io/v1", "Role", "roles", namespaced=True)
PART_OF = "applyset.kubernetes.io/part-of"


def config(name: str, fields: str = "f:k", owner: str = "product-1-web") -> dict[str, Any]:
    """A ConfigMap of ours with one field, as metadata."""
    entry = {"manager": "nautes", "operation": "Apply", "time": "1", "fieldsV1": {"f:data": {fields: {}}}}
    meta = {
        "name": name,
        "namespace": "n",
        "labels": {PART_OF: owner},
        "managedFields": [entry],
        "resourceVersion": fields,
    }
    return {"metadata": meta}


def parent(*kinds: str) -> dict[str, Any]:
    annotations = {"applyset.kubernetes.io/contains-group-kinds": ",".join(kinds)}
    entry = {"manager": "nautes", "operation": "Apply", "time": "1", "fieldsV1": {}}
    meta = {"name": "p", "namespace": "n", "annotations": annotations, "managedFields": [entry]}
    return {"metadata": {**meta, "resourceVersion": "1"}}


@dataclass
class Server:
    """A cluster and what watches it. `objects` are its ConfigMaps; `expire` ends the watch of them as too old."""

    parents: list[dict[str, Any]]
    objects: list[dict[str, Any]]
    lists: list[str] = field(default_factory=list)
    expire: asyncio.Event = field(default_factory=asyncio.Event)

    def preferred(self, _: str, kind: str) -> Kind | None:
        return {"ConfigMap": CONFIG, "Role": ROLE}.get(kind)

    async def list(self, path: str, selector: str) -> tuple[list[dict[str, Any]], str]:
        self.lists.append(path)
        if path.endswith("/secrets"):
            return (self.parents if selector != PART_OF else []), "1"
        if path.endswith("/roles"):
            raise Forbidden("kubernetes-forbidden", "roles are not for you")
        return list(self.objects), "1"

    async def watch(self, path: str, *_: Any) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        if path.endswith("/configmaps"):
            await self.expire.wait()
            self.expire.clear()
            raise ExpiredError
        await asyncio.Event().wait()
        yield "BOOKMARK", parent()


@dataclass
class Temporal:
    """Answers with the users of the cluster, and remembers signals."""

    users: UsersPage
    signals: list[tuple[str, str]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def get_workflow_handle(self, workflow_id: str) -> Any:
        temporal = self

        class Handle:
            async def signal(self, name: str) -> None:
                temporal.signals.append((workflow_id, name))
                temporal.news.set()

            async def query(self, *_: Any, **__: Any) -> UsersPage:
                return temporal.users

        return Handle()

    async def hears(self, workflow_id: str) -> None:
        while (workflow_id, "reconcile") not in self.signals:
            await asyncio.wait_for(self.news.wait(), 20)
            self.news.clear()


def users(*names: str) -> UsersPage:
    """Runtimes of product 1."""
    return UsersPage(
        users=[
            User(
                kind="claim",
                name=f"deployment/shop/{each}",
                product="shop",
                product_id="product-1",
                namespaces=["n"],
            )
            for each in names
        ]
    )


def _begin(server: Server, temporal: Temporal, known: UsersPage) -> asyncio.Task[Any]:
    observer = ObserverActivities(cast("Client", temporal), cast("Any", None))
    cluster, watcher = cast("Cluster", server), cast("Watcher", server)
    found = _Round(observer, ObserveInput(cluster="edge"), cluster, watcher, owners_of(known.users))
    return asyncio.ensure_future(found.run(60))


async def test_what_happened_before_the_server_forgot_is_found_by_listing_again() -> None:
    server = Server([parent("ConfigMap")], [config("a"), config("b")])
    temporal = Temporal(users("web"))
    task = _begin(server, temporal, users("web"))
    await temporal.hears("deployment/shop/web")  # nothing is known of before
    temporal.signals.clear()
    server.objects = [config("a", "f:other"), config("b")]
    server.expire.set()
    await temporal.hears("deployment/shop/web")
    temporal.signals.clear()
    server.objects = [config("a", "f:other")]
    server.expire.set()
    await temporal.hears("deployment/shop/web")
    task.cancel()


async def test_a_kind_that_may_not_be_listed_does_not_keep_the_others_from_being_watched() -> None:
    server = Server([parent("ConfigMap", "Role.rbac.authorization.k8s.io")], [config("a")])
    temporal = Temporal(users("web"))
    task = _begin(server, temporal, users("web"))
    await temporal.hears("deployment/shop/web")
    temporal.signals.clear()
    server.objects = []
    server.expire.set()
    await temporal.hears("deployment/shop/web")
    assert not task.done()
    task.cancel()


async def test_a_runtime_that_nobody_knew_a_moment_ago_is_asked_for_and_woken() -> None:
    server = Server([parent("ConfigMap")], [config("a"), config("new", owner="product-1-new")])
    temporal = Temporal(users("web", "new"))
    task = _begin(server, temporal, users("web"))
    await temporal.hears("deployment/shop/web")
    server.objects = [config("a")]
    server.expire.set()
    await temporal.hears("deployment/shop/new")
    task.cancel()


def test_a_run_wakes_only_a_workflow_of_the_runtime_that_has_its_namespace() -> None:
    claim = {"kind": "claim", "product": "shop", "product_id": "product-1"}
    pipeline = User.model_validate({**claim, "name": "pipeline/shop/build", "namespaces": ["shop-build"]})
    deployment = User.model_validate({**claim, "name": "deployment/shop/web", "namespaces": ["shop"]})
    owners = owners_of([pipeline, deployment])
    for concerned, target in (
        ("run/shop/build/1-pushes-ci shop-build", "run/shop/build/1-pushes-ci"),
        ("run/docs/build/1-pushes-ci shop-build", ""),
        ("run/shop/build-2/1-pushes-ci shop-build", ""),
        ("run/shop/build/1-pushes-ci shop", ""),
        ("run/shop/build/1-pushes-ci elsewhere", ""),
    ):
        assert owners.target(concerned) == target
    assert owners.know("run/docs/build/1-pushes-ci shop-build")
    assert not owners.know("run/shop/build/1-pushes-ci elsewhere")
