"""What a step does, system by system and object by object: the readable part of a plan.

Every function answers with effects for one kind of thing: groups, repositories, files, keys of others, runtimes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nautes.blueprints import keys
from nautes.planning.declaration import cluster_of
from nautes.planning.steps import Action, Effect, FieldChange
from nautes.resources.base import Resource
from nautes.resources.fields import differences
from nautes.resources.manifest import manifest_of
from nautes.resources.product import CodeRepo, CodeRepoBinding, Product
from nautes.resources.runtime import DeploymentRuntime
from nautes.resources.tree import ProductTree
from nautes.rules.engine import Runtime, repositories

IN_GITLAB = ("name", "visibility", "description")  # settings of groups and projects that a manifest can declare
Object = tuple[str, str]  # kind and "<namespace>/<name>" (a Namespace: its name)


def declared(before: Resource | None, after: Resource | None) -> Iterable[Effect]:
    """The line of `default.project`: a resource's file appears, changes or goes."""
    found = after or before
    if found is None or isinstance(found, Product) or before == after:
        return
    action: Action = "create" if before is None else "delete" if after is None else "change"
    old, new = (manifest_of(each)["spec"] if each else {} for each in (before, after))
    changes = _fields(old, new, "/spec") if action == "change" else []
    yield Effect(system="git", action=action, target=found.key, fields=changes)


def settings(what: str, path: str, wanted: Mapping[str, Any], found: Mapping[str, Any] | None) -> Iterable[Effect]:
    """The line of a group or a repository in GitLab; settings that are not declared stay what they are."""
    asked = {name: wanted[name] for name in IN_GITLAB if wanted.get(name) not in (None, "")}
    target = f"{what} {path}"
    if found is None:
        yield Effect(system="gitlab", action="create", target=target)
        return
    changes = _fields({name: found.get(name) for name in asked}, asked)
    if changes:
        yield Effect(system="gitlab", action="change", target=target, fields=changes)


def membership(path: str, owner: str) -> Iterable[Effect]:
    """Who asks for a new group becomes its Owner."""
    yield Effect(system="gitlab", action="create", target=f"member {owner} of group {path}")


def deleted(what: str, path: str) -> Iterable[Effect]:
    """A group or a repository goes, with all that GitLab has in it."""
    yield Effect(system="gitlab", action="delete", target=f"{what} {path}")


def credentials(action: Action, path: str, permissions: Iterable[str], *, token: bool) -> Iterable[Effect]:
    """Deploy keys, access token and webhook of a repository, with their secrets and policies in Vault."""
    named = [f"deploy key {permission}" for permission in permissions] + (["access token"] if token else [])
    for name in [*named, "webhook"]:
        yield Effect(system="gitlab", action=action, target=f"{name} of {path}")
        yield Effect(system="vault", action=action, target=f"secret {name} of {path}")
        if name != "webhook":
            yield Effect(system="vault", action=action, target=f"policy {name} of {path}")


def webhook_changed(path: str) -> Effect:
    """The webhook of a repository reports other events than before."""
    return Effect(system="gitlab", action="change", target=f"webhook of {path}")


def secrets_gone(path: str, permissions: Iterable[str], *, token: bool) -> Iterable[Effect]:
    """What Vault held for a repository that GitLab deletes with its keys, token and webhook."""
    return (each for each in credentials("delete", path, permissions, token=token) if each.system == "vault")


def foreign_keys(
    product: str, name: str, before: ProductTree, after: ProductTree, uses: Sequence[keys.ForeignUse] = ()
) -> Iterable[Effect]:
    """Deploy keys of other repositories on one of the product's repositories: given and taken away."""
    here, there = (keys.wanted(tree, uses).get(name, frozenset()) for tree in (before, after))
    for access in sorted(here ^ there, key=lambda each: (each.consumer, each.permission)):
        if access.consumer != f"{product}/{name}":
            action: Action = "create" if access in there else "delete"
            target = f"deploy key {access.permission} of {access.consumer} on {product}/{name}"
            yield Effect(system="gitlab", action=action, target=target)


def keys_elsewhere(owner: ProductTree, before: ProductTree, after: ProductTree) -> Iterable[Effect]:
    """Deploy keys of the product's repositories on those of another product, which gives what both declare."""
    old, new = (keys.wanted(owner, list(_foreign_uses(tree, owner.product))) for tree in (before, after))
    for name in sorted({*old, *new}):
        here, there = old.get(name, frozenset()), new.get(name, frozenset())
        for access in sorted(here ^ there, key=lambda each: (each.consumer, each.permission)):
            action: Action = "create" if access in there else "delete"
            target = f"deploy key {access.permission} of {access.consumer} on {owner.product}/{name}"
            yield Effect(system="gitlab", action=action, target=target)


def _foreign_uses(tree: ProductTree, owner: str) -> Iterator[keys.ForeignUse]:
    for each in tree.all(CodeRepoBinding):
        if each.foreign and each.owner_of_repository == owner:
            own = [other for other in tree.all(CodeRepo) if not each.projects or other.project in each.projects]
            consumers = tuple(keys.Consumer(f"{tree.product}/{other.name}", other.project) for other in own)
            yield keys.ForeignUse(tree.product, each.coderepo, each.permissions, consumers)


@dataclass(frozen=True)
class Objects:
    """What a runtime has in its cluster, counted through its inventory.

    `claims` are volume claims, "<namespace>/<name>": its own, and all that are in namespaces that are deleted with it.

    `following` are those of its first namespace that move to another one although that namespace stays the runtime's: their
    manifests name none.
    """

    by_namespace: Mapping[str, int] = field(default_factory=dict)
    claims: tuple[str, ...] = ()
    following: int = 0
    following_claims: tuple[str, ...] = ()
    known: bool = True  # False: the cluster did not answer

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_namespace.values())


@dataclass(frozen=True)
class Placed:
    """A runtime where it lives: the part of its manifest that decides what it has in its cluster and in Vault."""

    key: str
    name: str
    what: str  # deployment | pipeline
    cluster: str
    namespaces: tuple[str, ...]
    account: str
    repositories: tuple[str, ...] = ()

    @classmethod
    def of(cls, runtime: Runtime, tree: ProductTree) -> Placed:
        """A runtime of a tree."""
        deploys = isinstance(runtime, DeploymentRuntime)
        return cls(
            key=runtime.key,
            name=runtime.name,
            what="deployment" if deploys else "pipeline",
            cluster=cluster_of(runtime, tree) or "?",
            namespaces=tuple(runtime.namespaces if isinstance(runtime, DeploymentRuntime) else [runtime.namespace]),
            account=runtime.machine_account,
            repositories=tuple(repositories(runtime)[:1]),
        )

    def objects(self) -> Iterator[Object]:
        """What is prepared for it: namespaces, an account in each, and the binding of its rights."""
        for name in self.namespaces:
            yield "Namespace", name
            yield "ServiceAccount", f"{name}/{self.account}"
            yield "RoleBinding", f"{name}/{self.name}"


@dataclass(frozen=True)
class Move:
    """A runtime before and after a change, and the product's other runtimes before and after it."""

    before: Placed | None
    after: Placed | None
    others_before: Sequence[Placed] = ()
    others_after: Sequence[Placed] = ()
    objects: Objects = field(default_factory=Objects)

    @property
    def leaves(self) -> tuple[str, ...]:
        """Namespaces of the runtime in which nothing of it may stay."""
        if self.before is None:
            return ()
        if self.after is None or self.after.cluster != self.before.cluster:
            return self.before.namespaces
        return tuple(each for each in self.before.namespaces if each not in self.after.namespaces)

    @property
    def vacated(self) -> tuple[str, ...]:
        """Namespaces that are deleted, with whatever is in them: no runtime of the product has them any more."""
        cluster = self.before.cluster if self.before else ""
        kept = {name for each in self.others_after if each.cluster == cluster for name in each.namespaces}
        return tuple(each for each in self.leaves if each not in kept)

    @property
    def replaced(self) -> int:
        """How many objects are deleted although the runtime stays: those that are, by their manifests or not, elsewhere then."""
        left = sum(self.objects.by_namespace.get(each, 0) for each in self.leaves)
        return 0 if self.after is None else left + self.objects.following

    @property
    def lost_claims(self) -> list[str]:
        """Volume claims that are deleted, whether the runtime goes or only leaves a namespace."""
        left = [each for each in self.objects.claims if each.partition("/")[0] in self.leaves]
        return [*left, *self.objects.following_claims]

    @property
    def turned(self) -> bool:
        """Whether another namespace is the first one, where objects go whose manifests name none, and the old one stays."""
        old, new = self.before, self.after
        return bool(old and new and old.namespaces[0] != new.namespaces[0] and old.namespaces[0] in new.namespaces)


def runtime(move: Move) -> Iterator[Effect]:
    """What becomes of a runtime's namespaces, accounts, rights, Vault role and objects."""
    if move.before == move.after:
        return
    yield from _prepared(move)
    yield from _role(move)
    yield from _own_objects(move)


def _prepared(move: Move) -> Iterator[Effect]:
    """Namespaces, accounts and bindings in the clusters of before and after."""
    for cluster in dict.fromkeys(each.cluster for each in (move.before, move.after) if each):
        old, new = (set(_in(cluster, [one] if one else [])) for one in (move.before, move.after))
        before, after = (set(_in(cluster, others)) for others in (move.others_before, move.others_after))
        gone = {name for kind, name in old - new - after if kind == "Namespace"}
        for kind, name in sorted(new - old - before, key=_wave):
            yield Effect(system="kubernetes", action="create", target=f"{kind} {name} in {cluster}")
        for kind, name in sorted(old & new, key=_wave):
            if kind == "RoleBinding" and move.before and move.after and _bound(move.before) != _bound(move.after):
                yield Effect(system="kubernetes", action="change", target=f"{kind} {name} in {cluster}")
        for name in _emptied(move, cluster):
            detail = "until its objects have left"
            yield Effect(system="kubernetes", action="change", target=f"RoleBinding {name} in {cluster}", detail=detail)
        for kind, name in sorted(old - new - after, key=_wave, reverse=True):
            if kind == "Namespace" or name.partition("/")[0] not in gone:  # what is in a namespace goes with it
                yield Effect(system="kubernetes", action="delete", target=f"{kind} {name} in {cluster}")


def _emptied(move: Move, cluster: str) -> list[str]:
    """Bindings in namespaces that a deployment leaves: the accounts of after get rights there, to take away what is there."""
    old, new = move.before, move.after
    if old is None or new is None or old.what != "deployment" or old.cluster != new.cluster or old.cluster != cluster:
        return []
    return [f"{each}/{old.name}" for each in move.leaves]


def _in(cluster: str, placed: Iterable[Placed]) -> Iterator[Object]:
    for each in placed:
        if each.cluster == cluster:
            yield from each.objects()


def _bound(placed: Placed) -> tuple[str, tuple[str, ...]]:
    """What a binding's subjects are made of."""
    return placed.account, placed.namespaces


def _allowed(placed: Placed) -> tuple[str, frozenset[str]]:
    """What a Vault role is made of besides repositories: the order of namespaces is nothing to Vault."""
    return placed.account, frozenset(placed.namespaces)


def _wave(one: Object) -> tuple[int, str]:
    return ("Namespace", "ServiceAccount", "RoleBinding").index(one[0]), one[1]


def _role(move: Move) -> Iterator[Effect]:
    old, new = move.before, move.after
    if old and new and old.cluster == new.cluster:
        if (_allowed(old), old.repositories) != (_allowed(new), new.repositories):
            # A pipeline that gets another namespace gives back all it had first: nothing of it can stay.
            action: Action = "replace" if old.what == "pipeline" and old.namespaces != new.namespaces else "change"
            yield Effect(system="vault", action=action, target=f"role {new.name} of {new.cluster}")
        return
    if old:
        yield Effect(system="vault", action="delete", target=f"role {old.name} of {old.cluster}")
    if new:
        yield Effect(system="vault", action="create", target=f"role {new.name} of {new.cluster}")


def _own_objects(move: Move) -> Iterator[Effect]:
    """The objects that a deployment has applied: kept, moved or pruned, counted."""
    placed = move.before
    if placed is None or placed.what != "deployment":
        return
    target = f"of deployment {placed.name} in {placed.cluster}"
    if not move.objects.known:
        detail = "not counted: the cluster does not answer"
        action: Action = "delete" if move.after is None else "replace" if move.leaves or move.turned else "keep"
        yield Effect(system="kubernetes", action=action, target=f"objects {target}", detail=detail)
        return
    counts = (
        {"delete": move.objects.total}
        if move.after is None
        else {
            "replace": move.replaced,
            "keep": move.objects.total - move.replaced,
        }
    )
    for name, count in counts.items():
        if count:
            lost = f"volume claims {', '.join(move.lost_claims)}" if name != "keep" and move.lost_claims else ""
            effect = {"system": "kubernetes", "action": name, "target": f"{count} objects {target}", "detail": lost}
            yield Effect.model_validate(effect)


def _fields(before: Any, after: Any, pointer: str = "") -> list[FieldChange]:
    return [FieldChange(pointer=at, before=old, after=new) for at, old, new in differences(before, after, pointer)]
