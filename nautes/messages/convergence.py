"""Inputs and reports of the convergence activities (activities/kubernetes/). Small: objects are references into Git.

`owner` names an inventory (an ApplySet): every object of it carries the label `applyset.kubernetes.io/part-of=<owner>`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from nautes.messages.git import TreeRef
from nautes.messages.secrets import SecretRef
from nautes.resources.payload import Payload

OUTCOMES_LIMIT = 200  # outcomes in one report: a payload stays small however much is wrong

REASON_LIMIT = 300  # characters of one reason: a server's refusal may quote a whole object


def _bounded(reason: str) -> str:
    return reason if len(reason) <= REASON_LIMIT else f"{reason[: REASON_LIMIT - 1]}…"


Reason = Annotated[str, AfterValidator(_bounded)]
Action = Literal["applied", "unchanged", "pruned", "refused", "failed"]
Status = Literal["Current", "InProgress", "Failed", "Terminating", "NotFound"]


class ObjectOutcome(Payload):
    """What became of one object; `reason` is for people and never holds secret values."""

    kind: str
    namespace: str = ""
    name: str
    action: Action
    reason: Reason = ""


class ConvergeInput(Payload):
    """Make the objects of `owner` equal to `source` or to `objects` (exactly one of them).

    The first of `namespaces` is the default one. `account` is the Kubernetes user every request about the objects is
    made as; None is the platform itself, which may also write cluster-scoped kinds; `binding` is the RoleBinding of its
    rights, which its manifests must not declare. Cluster kinds are "<group>/<Kind>".
    """

    cluster: SecretRef  # where its kubeconfig is
    owner: str
    source: TreeRef | None = None
    objects: list[dict[str, Any]] = Field(default_factory=list)
    namespaces: list[str]
    account: str | None = None
    binding: str = ""
    allowed_cluster_kinds: list[str] = []
    platform_namespaces: list[str] = []
    former: list[str] = []  # namespaces that the owner leaves: nothing is applied there, and its objects are pruned
    prune: bool = True
    dry_run: bool = False  # report what would be done, write nothing


class ConvergeReport(Payload):
    """Counts of all objects. `outcomes`: the objects that are not unchanged, the worst first; `omitted` more are left out."""

    commit: str = ""
    applied: int = 0
    unchanged: int = 0
    pruned: int = 0
    refused: int = 0
    failed: int = 0
    outcomes: list[ObjectOutcome] = []
    omitted: int = 0
    left: int = 0  # objects that are still in `former` namespaces
    writes: int = 0  # requests that changed something in the cluster, the inventory's own included
    seconds: dict[str, float] = Field(default_factory=dict)  # by phase: read, list, apply, prune


class HealthInput(Payload):
    """Observe the objects of `owner`. `known`: what was unhealthy at the last look, for `kubernetes.health_changed`."""

    cluster: SecretRef
    owner: str
    namespaces: list[str]
    known: list[ObjectHealth] = []


class ObjectHealth(Payload):
    """Why an object is not healthy."""

    kind: str
    namespace: str = ""
    name: str
    status: Status
    reason: Reason = ""


class HealthReport(Payload):
    """`unhealthy` is bounded to OUTCOMES_LIMIT; `total` counts all objects of the owner."""

    healthy: bool
    unhealthy: list[ObjectHealth] = []
    total: int = 0


class OwnedInput(Payload):
    """Everything an owner has in a cluster. `known`: what remained at the last look.

    `account` is the Kubernetes user that deletes; None is the platform itself.
    """

    cluster: SecretRef
    owner: str
    namespaces: list[str]
    account: str | None = None
    known: list[ObjectHealth] = []


class OwnedReport(Payload):
    """How many objects were deleted, and which are still being deleted (finalizers), bounded."""

    deleted: int = 0
    remaining: list[ObjectHealth] = []


class ProbeInput(Payload):
    """Is the cluster of this kubeconfig reachable, and does the platform have the rights it needs there?"""

    cluster: SecretRef


class ProbeReport(Payload):
    """`server` and `version` are for people; a cluster that cannot be used is an error, not a report."""

    server: str
    version: str
