"""Who uses a cluster: claims of runtimes, reservations of changes, environments of products. Pure.

Kept by `namespaces/<cluster>` alone (workflows/namespaces.py), so that two who want one namespace never both get it. A change
reserves before its commit; its runtimes claim what was reserved as they start; a product reports now and then what it has.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator

from nautes.messages.claims import (
    Claim,
    PageInput,
    Released,
    Reservation,
    Reserve,
    Reserved,
    User,
    UsersPage,
    Uses,
)
from nautes.messages.errors import Conflict, Refused
from nautes.rules.decided import CLUSTER_IN_USE, NAMESPACE_TAKEN
from workflows.claims_state import ClaimsState

NAMED_IN_MESSAGE = 20  # users; the findings name more, the list of users (API) all of them


class Claims:
    """Every method may be called twice with the same arguments: the second time changes nothing."""

    def __init__(self, cluster: str, state: ClaimsState) -> None:
        self._cluster = cluster
        self._claims = dict(state.claims)
        self._reservations = dict(state.reservations)
        self._environments = dict(state.environments)
        self._reserving = dict(state.reserving)
        self._holders: defaultdict[str, set[str]] = defaultdict(set)  # namespace -> runtimes that have or await it
        for each in (*self._claims.values(), *self._reservations.values()):
            self._hold(each)

    def state(self) -> ClaimsState:
        """What survives continue-as-new."""
        return ClaimsState(
            claims=self._claims,
            reservations=self._reservations,
            environments=self._environments,
            reserving=self._reserving,
        )

    def claim(self, claim: Claim) -> None:
        """Give namespaces to a runtime. Raises Conflict when another product, or a pipeline, has or awaits one of them."""
        self._require_free(claim)
        self._set_claim(claim.runtime, claim)
        reserved = self._reservations.get(claim.runtime)
        if reserved and _covers(claim, reserved):
            self._set_reservation(claim.runtime, None)
        elif reserved and reserved.replaced and _covers(claim, reserved.replaced):
            self._set_reservation(claim.runtime, reserved.model_copy(update={"replaced": None}))

    def release(self, claim: Claim) -> Released:
        """Take namespaces of a runtime back. Answers with those of them that nobody uses or awaits any more."""
        held = self._claims.get(claim.runtime)
        stay = [name for name in held.namespaces if name not in claim.namespaces] if held else []
        self._set_claim(claim.runtime, held.model_copy(update={"namespaces": stay}) if held and stay else None)
        return Released(namespaces=[name for name in claim.namespaces if not self._holders.get(name)])

    def reserve(self, input: Reserve) -> Reserved:
        """All a change needs, or nothing of it. Raises Conflict."""
        beside: defaultdict[str, list[Claim]] = defaultdict(list)
        for claim in input.claims:
            for name in claim.namespaces:
                beside[name].append(claim)
        for claim in input.claims:
            self._require_free(claim, [each for name in claim.namespaces for each in beside[name]])
        if input.only_check:
            return self._reserved(input.product)
        for claim in input.claims:
            self._set_reservation(claim.runtime, self._reservation(claim, input.operation))
        known = self._environments.get(input.product, [])
        added = [name for name in input.environments if name not in known]
        before = self._reserving.get(input.product)
        mine = before.environments if before and before.operation == input.operation else []
        note = Reserve(product=input.product, operation=input.operation, environments=[*mine, *added])
        self._reserving[input.product] = note
        self._set_environments(input.product, [*known, *added])
        return self._reserved(input.product)

    def unreserve(self, input: Reserve) -> Reserved:
        """Take back what this operation reserved and nobody has claimed or confirmed since."""
        for runtime, each in list(self._reservations.items()):
            if (each.product, each.operation) == (input.product, input.operation):
                self._set_reservation(runtime, each.replaced)
        note = self._reserving.get(input.product)
        if note and note.operation == input.operation:
            del self._reserving[input.product]
            left = [name for name in self._environments.get(input.product, []) if name not in note.environments]
            self._set_environments(input.product, left)
        return self._reserved(input.product)

    def uses(self, uses: Uses) -> Reserved:
        """A product reports its environments here, and which runtimes it still has."""
        self._reserving.pop(uses.product, None)
        self._set_environments(uses.product, uses.environments)
        for runtime, each in list(self._reservations.items()):
            if each.product == uses.product and runtime not in uses.runtimes:
                self._set_reservation(runtime, None)
        return self._reserved(uses.product)

    def total(self) -> int:
        """How many use the cluster; a runtime that claims some and awaits other namespaces counts once."""
        environments = sum(len(names) for names in self._environments.values())
        return len(self._claims.keys() | self._reservations.keys()) + environments

    def users(self, page: PageInput) -> UsersPage:
        """Everything that uses the cluster: runtimes and virtual clusters by their workflow, then environments."""
        runtimes = sorted(self._claims.keys() | self._reservations.keys())
        environments = sorted(
            f"environment/{path}/{name}" for path, names in self._environments.items() for name in names
        )
        names = [*(f"a/{each}" for each in runtimes), *(f"b/{each}" for each in environments)]  # sorted as a whole
        start = bisect_right(names, page.after) if page.after else 0
        shown = names[start : start + page.limit]
        more = start + page.limit < len(names)
        users = [self._user(each[2:]) for each in shown]
        return UsersPage(users=users, total=len(names), after=shown[-1] if more else "")

    def _user(self, name: str) -> User:
        if found := self._claims.get(name) or self._reservations.get(name):
            kind = "claim" if name in self._claims else "reservation"
            fields = {"product": found.product, "product_id": found.product_id, "namespaces": found.namespaces}
            return User.model_validate({"kind": kind, "name": name, **fields})
        return User(kind="environment", name=name, product=name.removeprefix("environment/").rpartition("/")[0])

    def _reservation(self, claim: Claim, operation: str) -> Reservation:
        before = self._reservations.get(claim.runtime)
        if before and before.operation == operation:
            replaced = before.replaced
        else:
            replaced = before.model_copy(update={"replaced": None}) if before else None
        return Reservation(**claim.model_dump(), operation=operation, replaced=replaced)

    def _set_claim(self, runtime: str, claim: Claim | None) -> None:
        before = self._claims.pop(runtime, None)
        if claim:
            self._claims[runtime] = claim
        self._index(runtime, before, claim)

    def _set_reservation(self, runtime: str, reservation: Reservation | None) -> None:
        before = self._reservations.pop(runtime, None)
        if reservation:
            self._reservations[runtime] = reservation
        self._index(runtime, before, reservation)

    def _set_environments(self, product: str, environments: Iterable[str]) -> None:
        names = sorted(set(environments))
        if names:
            self._environments[product] = names
        else:
            self._environments.pop(product, None)

    def _index(self, runtime: str, before: Claim | None, after: Claim | None) -> None:
        """Keep the holders of namespaces up to date: a runtime may hold one by its claim, its reservation or both."""
        held = {name for each in self._of(runtime) for name in each.namespaces}
        for name in before.namespaces if before else ():
            if name not in held:
                self._holders[name].discard(runtime)
                if not self._holders[name]:
                    del self._holders[name]
        if after:
            self._hold(after)

    def _hold(self, claim: Claim) -> None:
        for name in claim.namespaces:
            self._holders[name].add(claim.runtime)

    def _of(self, runtime: str) -> Iterator[Claim]:
        for each in (self._claims.get(runtime), self._reservations.get(runtime)):
            if each:
                yield each

    def _reserved(self, product: str) -> Reserved:
        runtimes = sorted(key for key, each in self._reservations.items() if each.product == product)
        environments = self._environments.get(product, [])
        return Reserved(cluster=self._cluster, runtimes=runtimes, environments=environments)

    def _require_free(self, claim: Claim, beside: Iterable[Claim] = ()) -> None:
        """`beside`: claims of the same request on these namespaces."""
        holders = {runtime for name in claim.namespaces for runtime in self._holders.get(name, ())}
        others = [each for runtime in sorted(holders) for each in self._of(runtime)]
        for other in (*others, *beside):
            if other.runtime != claim.runtime and (taken := _clash(claim, other)):
                text = f"namespace {taken} of cluster {self._cluster} is used by {other.runtime}"
                raise Conflict(NAMESPACE_TAKEN.id, text, findings=[NAMESPACE_TAKEN.finding(_resource(claim), text)])


def require_unused(cluster: str, users: UsersPage) -> None:
    """Raises Refused for a cluster that somebody uses; names some and counts all."""
    names = [each.name for each in users.users]
    if not names:
        return
    text = f"cluster {cluster} is used by"
    found = [CLUSTER_IN_USE.finding(f"Cluster/{cluster}", f"{text} {each}", hint="remove it first") for each in names]
    more = f" and {users.total - NAMED_IN_MESSAGE} more" if users.total > NAMED_IN_MESSAGE else ""
    raise Refused("cluster-in-use", f"{text} {', '.join(names[:NAMED_IN_MESSAGE])}{more}", findings=found)


def _resource(claim: Claim) -> str:
    """The key of the resource that a workflow id stands for."""
    kind = "DeploymentRuntime" if claim.runtime.startswith("deployment/") else "ProjectPipelineRuntime"
    return f"{kind}/{claim.runtime.rpartition('/')[2]}"


def _covers(claim: Claim, reserved: Claim) -> bool:
    return set(reserved.namespaces) <= set(claim.namespaces)


def _clash(claim: Claim, other: Claim) -> str:
    """The first namespace both want. Deployments of one product may share one; nobody shares with a pipeline."""
    both = set(claim.namespaces) & set(other.namespaces)
    shared = _same_product(claim, other) and "pipeline" not in (claim.worker_type, other.worker_type)
    return min(both) if both and not shared else ""


def _same_product(claim: Claim, other: Claim) -> bool:
    """By id; by path where one of them was reserved before its group was there."""
    if claim.product_id and other.product_id:
        return claim.product_id == other.product_id
    return claim.product == other.product
