"""The plan of a change: the steps up to the one commit, what follows from it, and what is deleted last.

`plan` is called by the activity `products.plan`; the change workflow executes the steps it answers with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nautes.planning import declaration as declared
from nautes.planning import effects, repositories
from nautes.planning.effects import Objects
from nautes.planning.head import Head, follow_up
from nautes.planning.known import Known
from nautes.planning.moves import consequences, moves
from nautes.planning.request import Intent
from nautes.planning.steps import Step, without_repeats
from nautes.resources.names import Names
from nautes.resources.product import CodeRepo, Environment, Product
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from nautes.resources.tree import ProductTree
from nautes.rules.deletions import Consequence
from nautes.rules.engine import Runtime


@dataclass(frozen=True)
class Observation:
    """What was found outside. `projects` are those of the product's group, by path; `objects` by runtime, of those that leave.

    `known` is what the product's workflow has in effect; `requester` is the user name of who asks.
    """

    known: Known
    requester: str = ""
    projects: Mapping[str, Any] = field(default_factory=dict)
    registered: frozenset[str] = frozenset()  # clusters
    objects: Mapping[str, Objects] = field(default_factory=dict)
    owners: Mapping[str, ProductTree] = field(default_factory=dict)  # of other products' repositories, by product


def steps(intent: Intent, observed: Observation) -> list[Step]:
    """What the request does, in an order in which every step comes after those it needs."""
    first = [] if intent.removes else list(_before_commit(intent, observed))
    commit = _commit(intent, [each.id for each in first], consequences_of(intent, observed))
    after = [_after(each, commit) for each in _follow_up(intent, observed)]
    if intent.removes:
        after = list(_without(_deleted_ids(intent, observed), after))
    last = list(_last(intent, observed, [*commit, *after])) if intent.removes else []
    return without_repeats([*first, *commit, *after, *last])


def consequences_of(intent: Intent, observed: Observation) -> list[Consequence]:
    """What is deleted besides the resources that the request names."""
    found = moves(intent.before, intent.after, observed.objects)
    gone, named = list(consequences(intent.before, found)), {each.key for each in intent.gone}
    deleted = _deleted_repositories(intent, observed) if intent.removes else []
    for each in deleted:
        if not observed.projects[each.name].get("empty_repo", False):
            count = 0 if each.key in named else 1  # the file of a removal that is repeated is gone already
            gone.append(Consequence(each.key, count, f"repository {intent.path}/{each.name} has commits"))
    return gone


def _before_commit(intent: Intent, observed: Observation) -> Iterator[Step]:
    new = not intent.declaration.group_id
    if intent.product:
        yield repositories.group(intent.product, intent.group, observed.requester)
        yield repositories.declaration(intent.path, intent.declaration.project_id, group_is_new=new)
    needs = ["group"] if new else []
    for cluster, (claims, environments) in sorted(_claims(intent).items()):
        yield Step(
            id=f"reserve:{cluster}",
            kind="reserve",
            subject=f"namespaces of {cluster}",
            needs=needs,
            input={"cluster": cluster, "claims": claims, "environments": environments},
        )
    before, wanted = (
        declared.by_owner(declared.foreign_uses(tree, intent.declaration)) for tree in (intent.before, intent.after)
    )
    for owner, asked in wanted.items():
        if asked != before.get(owner, []):
            yield Step(
                id=f"access:{owner}",
                kind="access",
                subject=f"repositories of {owner}",
                needs=needs,
                input={
                    "owner": owner,
                    "wanted": [each.model_dump() for each in asked],
                    "before": [each.model_dump() for each in before.get(owner, [])],
                },
            )
    for each in intent.request.resources:
        if isinstance(each, CodeRepo):
            found = observed.projects.get(each.name)
            known = found is not None and observed.known.repositories.get(each.name) == int(found["id"])
            before_ = intent.before.get(CodeRepo, each.name)
            yield repositories.repository(intent.path, each, found, known=known, group_is_new=new, before=before_)


def _commit(intent: Intent, needs: list[str], consequences: list[Consequence]) -> list[Step]:
    lines = [line for before, after in intent.pairs() for line in effects.declared(before, after)]
    gone = [each for each in intent.gone if not isinstance(each, Product)]
    if intent.removes and not (intent.declaration.project_id and gone):
        return []
    return [
        Step(
            id="commit",
            kind="commit",
            subject=f"one commit to {intent.path}/{repositories.DECLARATION}",
            needs=needs,
            effects=lines,
            deletions=len(gone) + sum(each.count for each in consequences),
            why="; ".join(each.why for each in consequences),
        )
    ]


def _follow_up(intent: Intent, observed: Observation) -> list[Step]:
    """What will follow from the commit: planned as it will be planned again at the commit itself."""
    if intent.removes and not intent.declaration.group_id:
        return []
    declaration = replace(intent.declaration, tree=intent.after, names=_names(intent, observed))
    head = Head(
        declaration=declaration,
        known=observed.known,
        before=intent.before,
        pushed=intent.after,
        registered=observed.registered,
        ours=True,
        created=frozenset(_created(intent, observed)),
        objects=observed.objects,
        owners=observed.owners,
    )
    return follow_up(head).steps


def _created(intent: Intent, observed: Observation) -> Iterable[str]:
    """Names of repositories that the change will create."""
    known = {*intent.declaration.names.repositories, *observed.projects}
    return (each.name for each in intent.after.all(CodeRepo) if each.name not in known)


def _names(intent: Intent, observed: Observation) -> Names:
    """Ids that the declaration will name. One that is not known yet is looked up at the commit: no step's effects need it.

    Each of these has a negative number of its own until then: two repositories must not look like one.
    """
    names = intent.declaration.names
    numbers, named = dict(names.repositories), {each.key for each in intent.request.resources}
    for full in {name for each in intent.after for name in declared.named_repositories(each) if "/" in name}:
        numbers.setdefault(full, -1 - len(numbers))
    for each in intent.after.all(CodeRepo):
        found = observed.projects.get(each.name)
        if each.key in named or each.name not in numbers:  # what is named is set up: it has the id that GitLab gives it
            numbers[each.name] = int(found["id"]) if found else -1 - len(numbers)
    present = {each.name for each in intent.after.all(CodeRepo)}
    numbers = {name: number for name, number in numbers.items() if "/" in name or name in present}
    return Names(products={**names.products, intent.path: intent.declaration.group_id}, repositories=numbers)


def _after(step: Step, commit: list[Step]) -> Step:
    return step.model_copy(update={"needs": [*(each.id for each in commit), *step.needs]})


def _without(ids: set[str], steps: Iterable[Step]) -> Iterator[Step]:
    """The other steps, which then do not wait for these."""
    for each in steps:
        if each.id not in ids:
            yield each.model_copy(update={"needs": [need for need in each.needs if need not in ids]})


def _deleted_ids(intent: Intent, observed: Observation) -> set[str]:
    """A repository that is deleted does not have to be left first."""
    return {f"repository:{each.name}" for each in _deleted_repositories(intent, observed)}


def _deleted_repositories(intent: Intent, observed: Observation) -> list[CodeRepo]:
    """Of what is asked for: repositories that are declared, or were and are equipped still (a removal that is repeated).

    A project that was never declared is not removed: a right to change the declaration is no right to delete it.
    """
    return [
        each
        for each in intent.request.resources
        if isinstance(each, CodeRepo) and each.name in observed.projects and _ours(each, intent, observed)
    ]


def _ours(each: CodeRepo, intent: Intent, observed: Observation) -> bool:
    declared_ = intent.before.get(CodeRepo, each.name) is not None
    return declared_ or observed.known.repositories.get(each.name) == int(observed.projects[each.name]["id"])


def _last(intent: Intent, observed: Observation, before: list[Step]) -> Iterable[Step]:
    """Runtimes are waited for, then repositories go, then the group."""
    if not intent.declaration.group_id:
        return
    needs = [each.id for each in before]
    ends = [
        Step(
            id=f"end:{each.key}",
            kind="end",
            subject=f"the end of {each.key}",
            needs=needs,
            input={"key": each.key},
        )
        for each in intent.request.resources
        if isinstance(each, DeploymentRuntime | ProjectPipelineRuntime)
    ]
    yield from ends
    needs = [*needs, *(each.id for each in ends)]
    deleted = [
        repositories.delete(
            intent.path,
            each.name,
            int(observed.projects[each.name]["id"]),
            needs,
            filled=not observed.projects[each.name].get("empty_repo", False),
        )
        for each in _deleted_repositories(intent, observed)
    ]
    yield from deleted
    if intent.product is None:
        return
    needs = [*needs, *(each.id for each in deleted)]
    if intent.declaration.project_id:
        yield repositories.delete(
            intent.path, repositories.DECLARATION, intent.declaration.project_id, needs, filled=True
        )
        needs = [*needs, f"delete-repository:{repositories.DECLARATION}"]
    yield repositories.delete_group(intent.path, needs)


def _claims(intent: Intent) -> dict[str, tuple[list[dict[str, Any]], list[str]]]:
    """By cluster: the namespaces of runtimes, and the environments, that this change brings or moves there."""
    found: dict[str, tuple[list[dict[str, Any]], list[str]]] = {}
    for before, after in intent.pairs():
        if after is None or after == before:
            continue
        if isinstance(after, Environment):
            found.setdefault(after.cluster, ([], []))[1].append(after.name)
        runtime = after if isinstance(after, DeploymentRuntime | ProjectPipelineRuntime) else None
        if runtime and (cluster := declared.cluster_of(runtime, intent.after)):
            found.setdefault(cluster, ([], []))[0].append(_claim(runtime))
    return found


def _claim(runtime: Runtime) -> dict[str, Any]:
    deploys = isinstance(runtime, DeploymentRuntime)
    return {
        "key": runtime.key,
        "namespaces": runtime.namespaces if isinstance(runtime, DeploymentRuntime) else [runtime.namespace],
        "worker_type": "deployment" if deploys else "pipeline",
    }
