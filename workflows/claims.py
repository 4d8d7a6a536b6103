"""The register of who uses a cluster: claims of runtimes, reservations of changes, environments of products. Pure.

Kept by `cluster/<name>` alone (workflows/cluster.py), so that two who want one namespace never both get it. A change reserves
before its commit; its runtimes claim what was reserved as they start; a product says now and then what it has.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nautes.messages.clusters import Claim, Reservation, Reserve, Reserved, Uses
from nautes.messages.errors import Conflict
from nautes.rules.decided import NAMESPACE_TAKEN
from workflows.cluster_state import ClusterState


class Claims:
    """Every method may be called twice with the same words: the second time changes nothing."""

    def __init__(self, cluster: str, state: ClusterState) -> None:
        self._cluster = cluster
        self.claims = dict(state.claims)
        self._reservations = dict(state.reservations)
        self._environments = dict(state.environments)
        self._reserving = dict(state.reserving)

    def carried(self) -> dict[str, Any]:
        """The fields of the state that are kept here."""
        return {
            "claims": dict(self.claims),
            "reservations": dict(self._reservations),
            "environments": dict(self._environments),
            "reserving": dict(self._reserving),
        }

    def claim(self, claim: Claim) -> None:
        """Give namespaces to a runtime. Raises Conflict when another product, or a pipeline, has or awaits one of them."""
        self._require_free(claim, [*self.claims.values(), *self._reservations.values()])
        self.claims[claim.runtime] = claim
        reserved = self._reservations.get(claim.runtime)
        if reserved and _covers(claim, reserved):
            del self._reservations[claim.runtime]
        elif reserved and reserved.replaced and _covers(claim, reserved.replaced):
            self._reservations[claim.runtime] = reserved.model_copy(update={"replaced": None})

    def release(self, claim: Claim) -> list[str]:
        """Take namespaces of a runtime back; those of them that nobody uses or awaits any more."""
        held = self.claims.pop(claim.runtime, None)
        stay = [name for name in held.namespaces if name not in claim.namespaces] if held else []
        if held and stay:
            self.claims[claim.runtime] = held.model_copy(update={"namespaces": stay})
        kept = [*self.claims.values(), *self._reservations.values()]
        used = {name for other in kept for name in other.namespaces}
        return [name for name in claim.namespaces if name not in used]

    def reserve(self, input: Reserve) -> Reserved:
        """All a change needs, or nothing of it. Raises Conflict."""
        for claim in input.claims:
            self._require_free(claim, [*self.claims.values(), *self._reservations.values(), *input.claims])
        if input.only_check:
            return self._reserved(input)
        for claim in input.claims:
            self._reservations[claim.runtime] = self._reservation(claim, input.operation)
        known = self._environments.get(input.product, [])
        added = [name for name in input.environments if name not in known]
        before = self._reserving.get(input.product)
        mine = before.environments if before and before.operation == input.operation else []
        note = Reserve(product=input.product, operation=input.operation, environments=[*mine, *added])
        self._reserving[input.product] = note
        self._stands(input.product, [*known, *added])
        return self._reserved(input)

    def unreserve(self, input: Reserve) -> Reserved:
        """Take back what this operation reserved and nobody has claimed or confirmed since."""
        for runtime, each in list(self._reservations.items()):
            if (each.product, each.operation) != (input.product, input.operation):
                continue
            if each.replaced:
                self._reservations[runtime] = each.replaced
            else:
                del self._reservations[runtime]
        note = self._reserving.get(input.product)
        if note and note.operation == input.operation:
            del self._reserving[input.product]
            left = [name for name in self._environments.get(input.product, []) if name not in note.environments]
            self._stands(input.product, left)
        return self._reserved(input)

    def uses(self, uses: Uses) -> Reserved:
        """A product's own word on its environments here, and on which runtimes it still has."""
        self._reserving.pop(uses.product, None)
        self._stands(uses.product, uses.environments)
        for runtime, each in list(self._reservations.items()):
            if each.product == uses.product and runtime not in uses.runtimes:
                del self._reservations[runtime]
        return self._reserved(uses)

    def _reservation(self, claim: Claim, operation: str) -> Reservation:
        before = self._reservations.get(claim.runtime)
        if before and before.operation == operation:
            replaced = before.replaced
        else:
            replaced = before.model_copy(update={"replaced": None}) if before else None
        return Reservation(**claim.model_dump(), operation=operation, replaced=replaced)

    def _stands(self, product: str, environments: Iterable[str]) -> None:
        names = sorted(set(environments))
        if names:
            self._environments[product] = names
        else:
            self._environments.pop(product, None)

    def _reserved(self, input: Reserve | Uses) -> Reserved:
        runtimes = sorted(key for key, each in self._reservations.items() if each.product == input.product)
        environments = self._environments.get(input.product, [])
        return Reserved(cluster=self._cluster, runtimes=runtimes, environments=environments)

    def _require_free(self, claim: Claim, others: Iterable[Claim]) -> None:
        for other in others:
            if other.runtime != claim.runtime and (taken := _clash(claim, other)):
                text = f"namespace {taken} of cluster {self._cluster} is used by {other.runtime}"
                raise Conflict(NAMESPACE_TAKEN.id, text, findings=[NAMESPACE_TAKEN.finding(_resource(claim), text)])


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
