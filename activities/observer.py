"""Watches one cluster and tells the workflows concerned what happens there. Called by workflows/observer.py.

One watch per kind that any inventory in the cluster names, and one for pipeline runs, of metadata only: the cost of idleness is
a constant number of watches. A field of ours that somebody changed wakes the runtime to put it back; any other change wakes it to
look at the health of its objects. What happened while nobody watched is known by fingerprints that one round leaves to the next.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.claims import ClaimsReader
from activities.kubernetes.inventory import KINDS_LIMIT
from activities.tekton import LABEL as RUN_LABEL
from activities.tekton import RUN, WORKFLOW
from nautes.blueprints import runtimes
from nautes.clients.kubernetes import Cluster, Clusters, Kind
from nautes.clients.kubernetes_http import UNREACHABLE
from nautes.clients.kubernetes_watch import ExpiredError, Watcher
from nautes.convergence import inventory, observed
from nautes.convergence.difference import entry_of_ours
from nautes.convergence.objects import Object, metadata
from nautes.convergence.observed import Meaning, Seen
from nautes.messages.claims import User
from nautes.messages.control import Observed, ObserveInput
from nautes.messages.errors import Forbidden, NautesError, NotFound, Refused, Unavailable

SECRET = Kind("v1", "Secret", "secrets", namespaced=True)
SIGNALS: dict[Meaning, str] = {"drift": "reconcile", "health": "observed"}
COALESCED = 0.05  # seconds in which events become one signal
HEALTH_EVERY = 1.0  # seconds between two signals about health
STEADY = 5.0  # seconds after which a watch that ends has been a good one
REFUSED_KIND = (Forbidden, Refused, Unavailable)
LONGEST_PAUSE = 60.0  # seconds until a kind that cannot be watched is tried again
OWNERS_EVERY = 2.0  # seconds between two questions who is who
WATCH_SECONDS = (300, 600)  # of one watch: not all end at the same moment


class ObserverActivities:
    """`resync` is the length of one round in seconds; after it everything is listed anew."""

    def __init__(self, client: Client, clusters: Clusters, resync: float = 600.0) -> None:
        self._client = client
        self._claims = ClaimsReader(client)
        self._clusters = clusters
        self._resync = resync

    @activity.defn(name="observer.watch")
    async def watch(self, input: ObserveInput) -> Observed:
        """One round. Idempotent: signals only make their receivers look. Raises Unavailable when the cluster does not answer."""
        facts = await self._claims.facts(input.cluster)
        if facts is None or facts.kubeconfig is None:
            raise Unavailable("cluster-unknown", f"cluster {input.cluster} is not ready", retry_after=self._resync / 20)
        owners = await self.owners(input.cluster)
        cluster = await asyncio.to_thread(self._clusters.get, facts.kubeconfig)
        watcher = await asyncio.to_thread(self._clusters.watcher, facts.kubeconfig)
        async with watcher:
            return await _Round(self, input, cluster, watcher, owners).run(self._resync)

    async def owners(self, cluster: str) -> Owners:
        """Who is to be woken for what in a cluster."""
        return owners_of([each async for each in self._claims.all_users(cluster)])

    async def signal(self, workflow_id: str, signal: str) -> None:
        """Wake a workflow; one that has ended needs no waking."""
        try:
            await self._client.get_workflow_handle(workflow_id).signal(signal)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise Unavailable("temporal-unavailable", error.message) from error


@dataclass(frozen=True)
class Owners:
    """`sets`: label of a set of objects -> workflow id. `runs`: namespace -> how the ids of its runs' workflows begin.

    What concerns a run is written "<workflow id> <namespace>". A person who may write PipelineRuns in one namespace may name any
    workflow in them; only workflows of the runtime that has the namespace are woken.
    """

    sets: dict[str, str]
    runs: dict[str, str]

    def know(self, concerned: str) -> bool:
        """Whether it is known whom it concerns."""
        _, _, namespace = concerned.partition(" ")
        return namespace in self.runs if namespace else concerned in self.sets

    def target(self, concerned: str) -> str:
        """The workflow that it concerns; "" for nobody."""
        workflow_id, _, namespace = concerned.partition(" ")
        if not namespace:
            return self.sets.get(concerned, "")
        begins = self.runs.get(namespace, "")
        return workflow_id if begins and workflow_id.startswith(begins) else ""


class _OverError(Exception):
    """The round has lasted long enough."""


@dataclass
class _Pending:
    """What is to be signalled, by the label of an owner or the id of a run's workflow."""

    drift: set[str] = field(default_factory=set)
    health: set[str] = field(default_factory=set)
    drifted: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, meaning: Meaning, owner: str) -> None:
        owners, news = (self.drift, self.drifted) if meaning == "drift" else (self.health, self.changed)
        owners.add(owner)
        news.set()


class _Round:
    """One round over one cluster."""

    def __init__(
        self,
        parent: ObserverActivities,
        input: ObserveInput,
        cluster: Cluster,
        watcher: Watcher,
        owners: Owners,
    ) -> None:
        self._parent = parent
        self._input = input
        self._cluster = cluster
        self._watcher = watcher
        self._owners = owners
        self._others: set[str] = set()  # labels of sets that are no runtime's
        self._asked = time.monotonic()
        self._seen: dict[Kind, dict[str, Seen]] = {}
        self._pending = _Pending()
        self._followed: set[Kind] = set()

    async def run(self, seconds: float) -> Observed:
        """Watch for so long; the answer holds what the next round compares with."""
        parents, version = await self._watcher.list(SECRET.path(), inventory.ID_LABEL)
        kinds = await asyncio.to_thread(self._kinds, parents)
        versions = dict(zip(kinds, await asyncio.gather(*(self._listed(each) for each in kinds)), strict=True))
        self._compare(self._input.fingerprints)
        try:
            async with asyncio.TaskGroup() as group:
                for kind, found in versions.items():
                    self._start(group, kind, found)
                group.create_task(self._follow_parents(group, version))
                group.create_task(self._follow_runs())
                group.create_task(self._signal("drift", self._pending.drift, self._pending.drifted, 0.0))
                group.create_task(self._signal("health", self._pending.health, self._pending.changed, HEALTH_EVERY))
                group.create_task(self._end_after(seconds))
        except* _OverError:
            pass
        except* NautesError as errors:
            raise _first(errors) from None
        # The fingerprints hold these changes already: the next round would not see them.
        await self._send("drift", self._pending.drift)
        await self._send("health", self._pending.health)
        return Observed(fingerprints=self._fingerprints())

    async def _end_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        raise _OverError

    # Objects

    def _kinds(self, parents: Iterable[Object]) -> list[Kind]:
        """The kinds that inventories name and that are not watched yet. Asks the cluster what it serves."""
        ours = [each for each in parents if entry_of_ours(each) is not None]  # anybody may write a label
        names = sorted({name for each in ours for name in inventory.read(each, "").kinds})[:KINDS_LIMIT]
        found = [self._cluster.preferred(*inventory.split(each)) for each in names]
        return [each for each in found if each is not None and each not in self._followed]

    def _start(self, group: asyncio.TaskGroup, kind: Kind, version: str) -> None:
        if kind not in self._followed:
            self._followed.add(kind)
            group.create_task(self._follow(kind, version))

    async def _listed(self, kind: Kind) -> str:
        """Learn what there is of a kind; what is otherwise than it was seen is an event. Returns the version, "" without one."""
        known = kind in self._seen
        before = self._seen.setdefault(kind, {})
        try:
            items, version = await self._watcher.list(kind.path(), inventory.PART_OF)
        except NotFound:  # its definition is gone, and its objects with it
            items, version = [], ""
        except REFUSED_KIND as error:  # nothing is known of this kind: the others are watched
            _require_answered(error)
            return ""
        now = {_path(each): each for each in items}
        for path in [*now, *(each for each in before if each not in now)]:
            self._learn(kind, path, now.get(path), silently=not known)
        return version

    async def _follow(self, kind: Kind, version: str) -> None:
        async def again() -> str:
            return await self._listed(kind)

        async for sort, item in self._events(kind, inventory.PART_OF, version, again):
            self._learn(kind, _path(item), None if sort == "DELETED" else item)

    async def _events(
        self, kind: Kind, selector: str, version: str, again: Callable[[], Awaitable[str]]
    ) -> AsyncIterator[tuple[str, Object]]:
        """Every event about a kind, without end. `again` lists it where the server has forgotten what happened: the new version.

        A kind that cannot be watched is tried again later and later.
        """
        pause = COALESCED
        while True:
            seconds = random.randint(*WATCH_SECONDS)  # noqa: S311 - no secret
            began = time.monotonic()
            try:
                if not version:
                    raise ExpiredError
                async for sort, item in self._watcher.watch(kind.path(), selector, version, seconds):
                    version = str(metadata(item).get("resourceVersion") or version)
                    if sort != "BOOKMARK":
                        yield sort, item
            except (ExpiredError, NotFound):
                version = ""
            except REFUSED_KIND as error:
                _require_answered(error)
                version = ""
            pause = COALESCED if time.monotonic() - began > STEADY else min(2 * pause, LONGEST_PAUSE)
            await asyncio.sleep(pause)
            version = version or await again()

    def _learn(self, kind: Kind, path: str, item: Object | None, *, silently: bool = False) -> None:
        before, after = self._seen[kind].get(path), observed.seen(item) if item else None
        meaning = observed.meaning(before, after)
        if after is None:
            self._seen[kind].pop(path, None)
        else:
            self._seen[kind][path] = after
        if meaning and before and not silently:
            self._pending.add(meaning, before.owner)

    async def _follow_parents(self, group: asyncio.TaskGroup, version: str) -> None:
        """An inventory that names a new kind has it watched."""

        async def follow(parents: Iterable[Object]) -> None:
            for kind in await asyncio.to_thread(self._kinds, parents):
                self._start(group, kind, await self._listed(kind))

        async def again() -> str:
            parents, found = await self._watcher.list(SECRET.path(), inventory.ID_LABEL)
            await follow(parents)
            return found

        async for _, item in self._events(SECRET, inventory.ID_LABEL, version, again):
            await follow([item])

    async def _follow_runs(self) -> None:
        """Pipeline runs wake the workflows that follow them."""
        kind = await asyncio.to_thread(self._cluster.preferred, RUN.group, RUN.kind)
        if kind is None:
            return  # the next round looks again

        def wake(item: Object) -> None:
            workflow_id = str((metadata(item).get("annotations") or {}).get(WORKFLOW, ""))
            if workflow_id.startswith("run/"):
                self._pending.add("health", f"{workflow_id} {metadata(item).get('namespace', '')}")

        async def again() -> str:
            try:
                runs, version = await self._watcher.list(kind.path(), RUN_LABEL)
            except NotFound:
                return ""
            except REFUSED_KIND as error:
                _require_answered(error)
                return ""
            for each in runs:  # also those that have ended: a signal to a workflow that has ended is nothing
                wake(each)
            return version

        async for _, item in self._events(kind, RUN_LABEL, "", again):
            wake(item)

    # Signals

    async def _signal(self, meaning: Meaning, owners: set[str], news: asyncio.Event, every: float) -> None:
        """Send what is pending, at most once in `every` seconds: drift does not wait for news about health."""
        last = -every
        while True:
            await news.wait()
            await asyncio.sleep(max(COALESCED, last + every - time.monotonic()))
            news.clear()
            last = time.monotonic()
            await self._send(meaning, owners)

    async def _send(self, meaning: Meaning, owners: set[str]) -> None:
        unknown = {each for each in owners if not self._owners.know(each)} - self._others
        if unknown:
            await asyncio.sleep(max(0.0, self._asked + OWNERS_EVERY - time.monotonic()))
            self._asked = time.monotonic()
            self._owners = await self._parent.owners(self._input.cluster)
            self._others |= {each for each in unknown if not self._owners.know(each)}  # components, and sets of nobody
        for each in sorted(owners):
            owners.discard(each)  # what comes while it is sent is sent as well
            try:
                if target := self._owners.target(each):
                    await self._parent.signal(target, SIGNALS[meaning])
            except BaseException:  # a round that ends meanwhile sends it once more
                owners.add(each)
                raise

    # Fingerprints

    def _by_owner(self) -> dict[str, dict[str, Seen]]:
        found: dict[str, dict[str, Seen]] = defaultdict(dict)
        for kind, objects in self._seen.items():
            for path, each in objects.items():
                found[each.owner][f"{kind.group}/{kind.kind}/{path}"] = each
        return found

    def _fingerprints(self) -> dict[str, str]:
        return {owner: observed.fingerprint(objects) for owner, objects in self._by_owner().items()}

    def _compare(self, before: dict[str, str]) -> None:
        """Wake owners whose objects are otherwise than the last round left them: without such a record all are."""
        now = self._fingerprints()
        for each in {*self._owners.sets, *before}:
            if meaning := observed.difference_of(before.get(each, ""), now.get(each, "")):
                self._pending.add(meaning, each)


def owners_of(users: Iterable[User]) -> Owners:
    """Who is to be woken, out of who uses the cluster."""
    claims = [each for each in users if each.kind == "claim"]
    sets = {
        inventory.label(runtimes.owner(each.product_id, each.name.rpartition("/")[2])): each.name
        for each in claims
        if each.name.startswith("deployment/")
    }
    runs = {
        namespace: f"run/{each.name.removeprefix('pipeline/')}/"
        for each in claims
        if each.name.startswith("pipeline/")
        for namespace in each.namespaces
    }
    return Owners(sets, runs)


def _require_answered(error: NautesError) -> None:
    """One kind may be refused or out of order. Raises the error of a cluster that does not answer or takes our token no more."""
    if error.code in (UNREACHABLE, "kubernetes-unauthorized"):
        raise error


def _path(item: Object) -> str:
    meta = metadata(item)
    return f"{meta.get('namespace', '')}/{meta['name']}"


def _first(errors: BaseExceptionGroup[NautesError]) -> BaseException:
    inner: BaseException = errors
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    return inner
