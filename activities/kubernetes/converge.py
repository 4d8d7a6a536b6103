"""Make an owner's objects in a cluster equal to what is declared: read, guard, list, apply, prune.

Used by the activity `kubernetes.converge` and by the activities that converge our own components. One list per kind, one
write per changed object, none for an unchanged one; only objects of the inventory that are declared no more are pruned.
"""

from __future__ import annotations

import contextvars
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from activities.concurrency import Progress
from activities.kubernetes.apply import Result, Writer, outcome
from activities.kubernetes.definitions import await_definitions, scopes
from activities.kubernetes.inventory import Inventory, InventoryReader
from activities.kubernetes.parents import Parents
from nautes.clients.git import GitCache
from nautes.clients.kubernetes import Cluster, Clusters, Kind
from nautes.convergence import guard, inventory
from nautes.convergence.manifests import Manifests, parse, parse_objects
from nautes.convergence.objects import Finding, Key, Object, desired, key_of
from nautes.convergence.parsed_files import ParsedFiles
from nautes.convergence.plan import Plan, plan
from nautes.messages.convergence import OUTCOMES_LIMIT, ConvergeInput, ConvergeReport, ObjectOutcome
from nautes.messages.errors import Refused
from nautes.resources.findings import Finding as Wrong

ORDER = ("failed", "refused", "pruned", "applied", "unchanged")  # of outcomes in a report


@dataclass
class _Declared:
    """What is declared: admitted objects, identities that are declared but not applied, and findings."""

    wanted: list[Object] = field(default_factory=list)
    kinds: dict[tuple[str, str], Kind] = field(default_factory=dict)
    keep: set[Key] = field(default_factory=set)
    outcomes: list[ObjectOutcome] = field(default_factory=list)
    complete: bool = True


class Converger:
    """`git` reads trees; inputs with objects do not need it."""

    def __init__(self, clusters: Clusters, git: GitCache | None = None) -> None:
        self._clusters = clusters
        self._git = git
        self._known = ParsedFiles()

    def converge(self, input: ConvergeInput, heartbeat: Progress = lambda *_: None) -> ConvergeReport:
        """One convergence. Idempotent: what is right already is not written.

        Raises Refused (a tree that must not be read, nothing declared at all), NotFound, Forbidden, Unavailable.
        """
        seconds: dict[str, float] = {}
        clock = _Clock(seconds)
        cluster = self._clusters.get(input.cluster)
        spaces = [*input.namespaces, *input.former] if input.account else []
        reader = InventoryReader(cluster, input.owner, spaces, heartbeat)
        parents = Parents(cluster, input)
        with ThreadPoolExecutor(1, thread_name_prefix="observe") as beside:
            observe = partial(reader.begin, [parents.namespace, *spaces], everything=input.prune)
            begun = beside.submit(contextvars.copy_context().run, observe)
            declared = self._declared(cluster, input)
            clock("read")
            found = reader.complete(begun.result(), declared.kinds.values(), everything=input.prune)
        made = plan(
            declared.wanted,
            found.live,
            known=cluster.memory.knows,
            keep=declared.keep,
            prune=input.prune and declared.complete,
        )
        self._refuse_foreign(reader, input, declared, made)
        clock("list")
        if input.dry_run:
            return _report(input, declared, made, [*_planned(made)], 0, seconds)
        writer = Writer(cluster, input.account, heartbeat)
        former = set(input.former)
        results = self._apply(cluster, writer, parents, found, declared, made, heartbeat)
        clock("apply")
        results += writer.prune([(key, found.kind(key), found.live[key]["metadata"]["uid"]) for key in made.prune])
        left = _left(found, declared, results)
        parents.settle(left)
        clock("prune")
        report = _report(
            input, declared, made, [each.outcome for each in results], writer.writes + parents.writes, seconds
        )
        return report.model_copy(update={"left": sum(key_of(item).namespace in former for item in left)})

    def _declared(self, cluster: Cluster, input: ConvergeInput) -> _Declared:
        manifests = self._manifests(input)
        scope = guard.Scope(
            namespaces=tuple(input.namespaces),
            cluster_kinds=frozenset(input.allowed_cluster_kinds),
            platform_namespaces=frozenset(input.platform_namespaces),
            platform=input.account is None,
            account=input.account or "",
            binding=input.binding,
        )
        labels = {inventory.PART_OF: inventory.label(input.owner)}
        defined = scopes(manifests.objects)
        found = _Declared(complete=manifests.complete)
        found.outcomes = [_refusal(each) for each in manifests.findings]
        for item in manifests.objects:
            kind = cluster.kind(str(item["apiVersion"]), str(item["kind"]))
            namespaced = kind.namespaced if kind else defined.get(inventory.group_kind(item))
            namespace, wrong = guard.admit(item, namespaced, scope)
            made = desired(item, namespace=namespace, labels=labels)
            key = key_of(made)
            if wrong is None and key in found.keep:
                wrong = Finding(key.kind, key.namespace, key.name, "declared more than once")
            found.keep.add(key)
            if wrong is not None:
                found.outcomes.append(_refusal(wrong))
                continue
            found.wanted.append(made)
            if kind:
                found.kinds[kind.group, kind.kind] = kind
        return found

    def _manifests(self, input: ConvergeInput) -> Manifests:
        if input.source is None:
            return parse_objects(input.objects)
        if self._git is None or input.objects:
            raise Refused("converge-order", "an input names either a source or objects")
        source = input.source
        files = self._git.files(source.repository, source.commit, source.path)
        manifests = parse(((each.path, each.content) for each in files), self._known.read)
        if manifests.generator:
            wrong = Wrong(rule="manifests", message=manifests.generator.reason, resource=manifests.generator.name)
            raise Refused("manifests-generator", f"{wrong.resource}: {wrong.message}", findings=[wrong])
        return manifests

    def _refuse_foreign(self, reader: InventoryReader, input: ConvergeInput, declared: _Declared, made: Plan) -> None:
        """Refuse objects to be created that are in another owner's inventory: two owners would overwrite each other."""
        groups = {(change.key.group, change.key.kind) for change in made.create}
        namespaces = input.namespaces if input.account else ()
        theirs: dict[Key, str] = {}
        for group in groups & declared.kinds.keys():
            theirs |= reader.foreign(declared.kinds[group], namespaces)
        for change in list(made.create):
            if change.key in theirs:
                made.create.remove(change)
                declared.outcomes.append(outcome(change.key, "refused", f"belongs to {theirs[change.key]}"))
        declared.outcomes += [
            outcome(key, "failed", "is being deleted; it is created again when it is gone") for key in made.going
        ]

    def _apply(
        self,
        cluster: Cluster,
        writer: Writer,
        parents: Parents,
        found: Inventory,
        declared: _Declared,
        made: Plan,
        heartbeat: Progress,
    ) -> list[Result]:
        """The inventory's parent first: it must name every kind before there is an object of it."""
        first, changes = parents.prepare(found, declared.wanted, made.writes)
        results = writer.apply(first, lambda _: None)
        if first:
            parents.write()
        return results + writer.apply(changes, lambda done: await_definitions(cluster, done, heartbeat))


class _Clock:
    """The seconds of each phase."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds, self._last = seconds, time.monotonic()

    def __call__(self, phase: str) -> None:
        now = time.monotonic()
        self._seconds[phase] = round(now - self._last, 4)
        self._last = now


def _refusal(wrong: Finding) -> ObjectOutcome:
    return outcome(
        Key("", wrong.kind, wrong.namespace, wrong.name), "refused" if wrong.refused else "failed", wrong.reason
    )


def _planned(made: Plan) -> Iterable[ObjectOutcome]:
    yield from (outcome(change.key, "applied", change.why) for change in made.writes)
    yield from (outcome(key, "pruned") for key in made.prune)


def _left(found: Inventory, declared: _Declared, results: Iterable[Result]) -> list[Object]:
    """Kinds of which there may be objects in the cluster now."""
    gone = {each.key for each in results if each.outcome.action == "pruned"}
    return [*declared.wanted, *(item for key, item in found.live.items() if key not in gone)]


def _report(
    input: ConvergeInput,
    declared: _Declared,
    made: Plan,
    done: list[ObjectOutcome],
    writes: int,
    seconds: dict[str, float],
) -> ConvergeReport:
    every = [*declared.outcomes, *done]
    counts = {action: sum(each.action == action for each in every) for action in ORDER}
    counts["unchanged"] += len(made.unchanged)
    reported = sorted((each for each in every if each.action != "unchanged"), key=lambda each: ORDER.index(each.action))
    return ConvergeReport(
        commit=input.source.commit if input.source else "",
        outcomes=reported[:OUTCOMES_LIMIT],
        omitted=max(0, len(reported) - OUTCOMES_LIMIT),
        writes=writes,
        seconds=seconds,
        **counts,
    )
