"""The state of a cluster's workflow, which survives continue-as-new, and what passes between it and its registrations.

Used by workflows/cluster.py, claims.py and registration.py only.
"""

from __future__ import annotations

from pydantic import Field

from nautes.messages.clusters import Claim, ClusterInput, RegistrationInput, Reservation, Reserve
from nautes.messages.operations import ClusterRequest, OperationResult
from nautes.messages.secrets import SecretRef
from nautes.planning.steps import Manifest
from nautes.resources.findings import Finding
from nautes.resources.payload import Payload


class ClusterState(Payload):
    """The state of a cluster's workflow that survives continue-as-new."""

    manifest: Manifest = Field(default_factory=dict)
    commit: str = ""  # of the tenant repository, where the manifest was read
    kubeconfig: SecretRef | None = None
    phase: str = "Registering"
    message: str = ""
    components: list[str] = []
    claims: dict[str, Claim] = Field(default_factory=dict)
    queue: list[ClusterRequest] = []
    handled: list[str] = []  # operations, newest last, bounded
    removed: bool = False
    refused: ClusterRequest | None = None  # what Git declares and was refused last: retried after a while
    reservations: dict[str, Reservation] = Field(default_factory=dict)  # by runtime, as claims
    environments: dict[str, list[str]] = Field(default_factory=dict)  # product path -> environments on this cluster
    reserving: dict[str, Reserve] = Field(default_factory=dict)  # product path -> what its last change added
    findings: list[Finding] = []  # why the newest declaration in Git was refused
    warnings: list[str] = []  # what people have to do themselves

    def users(self) -> list[str]:
        """Who uses the cluster, for people: runtimes and virtual clusters by their workflow, then environments."""
        environments = [f"environment/{path}/{name}" for path, names in self.environments.items() for name in names]
        return [*sorted({*self.claims, *self.reservations}), *sorted(environments)]


class ClusterStart(ClusterInput):
    """Start of one run of the workflow: of the first one without a state."""

    state: ClusterState | None = None


class RegistrationStart(RegistrationInput):
    """The request, and the cluster as its workflow knows it."""

    state: ClusterState


class RegistrationReport(OperationResult):
    """How a registration ended, and the cluster's state after it (queue, claims and handled are not its own)."""

    registered: ClusterState
