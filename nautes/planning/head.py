"""What follows from a declaration's head, by a change or by a push: steps that bring every system in line with what is in effect.

Everything here is a difference to what is known (nautes/planning/known.py). A plan of a change is made of the same steps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nautes.blueprints import keys
from nautes.planning import declaration as declared
from nautes.planning import effects, repositories
from nautes.planning.effects import Objects
from nautes.planning.known import KeyGrant, Known, RepositoryUse
from nautes.planning.moves import moves
from nautes.planning.runtimes import Spec, key_of
from nautes.planning.steps import Outcome, Step
from nautes.resources.declaration import Declaration
from nautes.resources.findings import Finding
from nautes.resources.names import Names
from nautes.resources.product import CodeRepo, CodeRepoBinding, Environment
from nautes.resources.tree import ProductTree


@dataclass(frozen=True)
class Head:
    """A declaration at its head. Its tree is what is in effect there; `pushed` is what the commit holds, in effect or not.

    `before` was in effect until now; `registered` are clusters; `ours`: the commit is a change's own, which has `created` these
    repositories; `renew`: every key and token has to be looked after; `objects`: what runtimes that move have in their clusters;
    `owners`: declarations of products whose repositories are used (only a plan shows what these do then).
    """

    declaration: Declaration
    known: Known
    before: ProductTree
    pushed: ProductTree
    registered: frozenset[str]
    held: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()
    ours: bool = False
    created: frozenset[str] = frozenset()
    renew: bool = False
    objects: Mapping[str, Objects] = field(default_factory=dict)
    owners: Mapping[str, ProductTree] = field(default_factory=dict)

    @property
    def tree(self) -> ProductTree:
        """What is in effect now."""
        return self.declaration.tree or ProductTree(self.declaration.path)

    @property
    def path(self) -> str:
        """Full path of the product's group."""
        return self.declaration.path


@dataclass(frozen=True)
class FollowUp:
    """The steps, what is known when they are done, and the specifications that were resolved."""

    steps: list[Step]
    known: Known
    specs: list[Spec]
    kept: list[str]  # keys of runtimes that cannot be resolved now


@dataclass(frozen=True)
class _Part:
    """One part: its steps, and what is known of it when they are done."""

    steps: list[Step]
    known: dict[str, Any]
    pending: bool = False  # a cluster does not answer or is not registered yet: observe again after a while


def follow_up(head: Head) -> FollowUp:
    """Every step that the head asks for; runtimes come after everything they rest on."""
    adopted = _declaration(head)
    parts = [_repositories(head), _foreign_keys(head), _environments(head), _uses(head)]
    first = [*adopted, *(step for part in parts for step in part.steps)]
    specs = list(declared.specifications(head.declaration, head.tree))
    runtimes = _runtimes(head, specs, [each.id for each in first])
    known: dict[str, Any] = {
        "accepted": head.declaration.head,
        "held": {key: _stays(key, head) for key in sorted(head.held)},
        "pending": any(part.pending for part in parts),
    }
    for part in (*parts, runtimes):
        known |= part.known
    resolved = {key_of(each) for each in specs}
    return FollowUp(
        steps=[*first, *runtimes.steps],
        known=head.known.model_copy(update=known),
        specs=specs,
        kept=[key for key in known["digests"] if key not in resolved],
    )


def _declaration(head: Head) -> list[Step]:
    """The declaration's own key and webhook, where nothing is known of before or all are renewed."""
    if head.ours or not (head.renew or not head.known.accepted):
        return []
    return [repositories.declaration(head.path, head.declaration.project_id, group_is_new=False)]


def _runtimes(head: Head, specs: list[Spec], needs: list[str]) -> _Part:
    """Who is specified anew, and who goes."""
    known = head.known.digests
    digests = {key_of(each): declared.digest(each) for each in specs}
    found = moves(head.before, head.tree, head.objects)
    gone = _gone(head)
    kept = {key: known[key] for key in known if key not in digests and key not in gone}
    news: dict[str, dict[str, Any]] = {
        key_of(each): {"spec": each.model_dump()} for each in specs if known.get(key_of(each)) != digests[key_of(each)]
    }
    news |= {key: {"removed": True} for key in gone}
    steps = [
        Step(
            id=f"runtime:{key}",
            kind="runtime",
            subject=key,
            needs=needs,
            effects=list(effects.runtime(found[key])) if key in found else [],
            input={"key": key, **input},
        )
        for key, input in news.items()
    ]
    return _Part(steps, {"digests": digests | kept})


def _gone(head: Head) -> list[str]:
    """Only what the commit itself does not hold any more goes: never what is there and not in effect."""
    present = {each.key for tree in (head.tree, head.pushed) for each in declared.runtimes(tree)}
    return [key for key in head.known.digests if key not in present]


def _repositories(head: Head) -> _Part:
    """Which repositories are equipped with keys, token and webhook, and which lose them."""
    before, found = head.known.repositories, head.tree.all(CodeRepo)
    numbers = {each.name: head.declaration.names.repositories.get(each.name, 0) for each in found}
    steps = [repositories.equipped(head.path, each, numbers[each.name]) for each in _unequipped(head)]
    # A repository that goes on under another name keeps what it has.
    kept = set(numbers.values())
    lost = {name: number for name, number in before.items() if name not in numbers and number not in kept}
    steps += [repositories.withdraw(head.path, name, number) for name, number in lost.items()]
    return _Part(steps, {"repositories": numbers})


def _unequipped(head: Head) -> list[CodeRepo]:
    """Repositories that are not known to have keys, token and webhook, or whose credentials are all looked after now."""
    before, numbers = head.known.repositories, head.declaration.names.repositories
    found = head.tree.all(CodeRepo)
    return [each for each in found if head.renew or before.get(each.name) != numbers.get(each.name, 0)]


def _foreign_keys(head: Head) -> _Part:
    """Whose keys open which repository, where that is not what it was made to be last."""
    numbers = head.declaration.names.repositories
    wanted = _wanted(head, numbers)
    silent = _silent(head)
    for name in silent:
        wanted.pop(name, None)
    grants = {name: _digest(each) for name, each in wanted.items()}
    news = {each.name for each in _unequipped(head)}
    steps = [
        Step(
            id=f"foreign-keys:{name}",
            kind="foreign-keys",
            subject=f"authorizations of {head.path}/{name}",
            needs=[f"repository:{each}" for each in sorted(wanted) if each in news],
            effects=list(effects.foreign_keys(head.path, name, head.before, head.tree, _uses_of_ours(head))),
            input={
                "project_id": numbers[name],
                "path": f"{head.path}/{name}",
                "wanted": [each.model_dump() for each in wanted[name]],
            },
        )
        for name in sorted(grants)
        if head.renew or (grants[name] != head.known.grants.get(name) and (wanted[name] or name not in head.created))
    ]
    return _Part(steps, {"grants": grants}, pending=bool(silent))


def _silent(head: Head) -> set[str]:
    """Repositories that other products may use, while nothing is known of what these declare (Temporal's data was lost).

    Their keys stay what they are until the others have reported: what is in use must not be taken away for a minute.
    """
    if head.known.accepted or head.ours:
        return set()
    return {each.coderepo for each in head.tree.all(CodeRepoBinding) if each.consumer}


def _environments(head: Head) -> _Part:
    """Which clusters are notified of which environments; one that is not registered (yet) has nobody to be notified."""
    standing: dict[str, list[str]] = {}
    for each in head.tree.all(Environment):
        standing.setdefault(each.cluster, []).append(each.name)
    before, gone = head.known.clusters, _gone(head)
    now = {name: each for name, each in standing.items() if name in head.registered}
    runtimes = [each.key for each in declared.runtimes(head.tree)]
    steps = [
        Step(
            id=f"environments:{cluster}",
            kind="environments",
            subject=f"environments on {cluster}",
            input={"cluster": cluster, "environments": now.get(cluster, []), "runtimes": runtimes},
        )
        for cluster in sorted({*now, *before} & head.registered)
        # A runtime that goes may have a reservation that it never claimed: its cluster is notified as well.
        if gone or now.get(cluster, []) != before.get(cluster, [])
    ]
    return _Part(steps, {"clusters": now}, pending=now != standing)


def _uses(head: Head) -> _Part:
    """Which owners are notified of what the product uses of theirs."""
    before = head.known.reported_uses
    found = declared.by_owner(declared.foreign_uses(head.tree, head.declaration))
    now = {owner: _digest(each) for owner, each in found.items()}
    steps = [
        Step(
            id=f"report-use:{owner}",
            kind="report-use",
            subject=f"use of {owner}",
            effects=list(effects.keys_elsewhere(head.owners[owner], head.before, head.tree))
            if owner in head.owners
            else [],
            input={"owner": owner, "wanted": [each.model_dump() for each in found.get(owner, [])]},
        )
        for owner in sorted({*now, *before})
        if now.get(owner) != before.get(owner)
    ]
    return _Part(steps, {"reported_uses": now})


def _stays(key: str, head: Head) -> str:
    """The commit in which the version of a held resource lies that stays in effect, "" when there is none."""
    if key not in head.before.resources:
        return ""
    return head.known.held.get(key) or head.known.accepted


def outcomes(head: Head) -> Iterable[Outcome]:
    """Per resource that was pushed or held: what became of it."""
    old, new = head.before.resources, head.tree.resources
    adopted = not head.known.accepted  # nothing is known of before: what is there was not made by this push
    for key in sorted({*old, *new, *head.held}):
        if key in head.held:
            why = next((each.message for each in head.findings if each.resource == key), "")
            yield Outcome(resource=key, action="refused", detail=why)
        elif adopted:
            yield Outcome(resource=key, action="unchanged")
        elif old.get(key) != new.get(key):
            yield Outcome(resource=key, action="created" if key not in old else "changed" if key in new else "removed")


def names(pushed: Names, before: Names, held: Iterable[str]) -> Names:
    """Ids of what is in effect: a repository that is held back keeps the id it had, or has none."""
    own = {key.removeprefix("CodeRepo/") for key in held if key.startswith("CodeRepo/")}
    found = {name: number for name, number in pushed.repositories.items() if name not in own}
    found |= {name: number for name, number in before.repositories.items() if name in own}
    others = {name: number for name, number in before.repositories.items() if name not in found and "/" in name}
    return Names(products={**before.products, **pushed.products}, repositories=others | found)


def is_open(tree: ProductTree, use: RepositoryUse) -> bool:
    """Whether the owner's declaration opens what the other side declares to use."""
    return any(True for _ in keys.openings(tree, _foreign(use)))


def _wanted(head: Head, numbers: Mapping[str, int]) -> dict[str, list[KeyGrant]]:
    """Per repository with an id: whose keys it shall have besides its own."""
    uses = head.known.foreign_uses
    known = {f"{head.path}/{name}": number for name, number in numbers.items() if "/" not in name}
    known |= {each.repository: each.project_id for use in uses for each in use.consumers}
    found: dict[str, list[KeyGrant]] = {}
    for name, accesses in keys.wanted(head.tree, _uses_of_ours(head)).items():
        given = {(known.get(each.consumer, 0), each.permission) for each in accesses}
        if numbers.get(name):
            others = sorted(each for each in given if each[0] not in (0, numbers[name]))
            found[name] = [KeyGrant(project_id=number, permission=permission) for number, permission in others]
    return found


def _uses_of_ours(head: Head) -> list[keys.ForeignUse]:
    return [_foreign(each) for each in head.known.foreign_uses]


def _foreign(use: RepositoryUse) -> keys.ForeignUse:
    consumers = tuple(keys.Consumer(each.repository, each.project) for each in use.consumers)
    return keys.ForeignUse(use.product, use.repository, use.permissions, consumers)


def _digest(values: Iterable[KeyGrant | RepositoryUse]) -> str:
    text = "\n".join(each.model_dump_json() for each in values)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
