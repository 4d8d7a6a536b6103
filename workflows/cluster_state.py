"""The state of a cluster's workflow, which survives continue-as-new, and what passes between it and its registrations.

Used by workflows/cluster.py and registration.py only.
"""

from __future__ import annotations

from pydantic import Field

from nautes.messages.claims import ClusterFacts
from nautes.messages.clusters import ClusterInput, RegistrationInput
from nautes.messages.operations import ClusterRequest, OperationResult
from nautes.messages.secrets import SecretRef
from nautes.planning.steps import Manifest
from nautes.resources.findings import Finding
from nautes.resources.payload import Payload


class ClusterRecord(Payload):
    """A cluster as its last registration left it."""

    manifest: Manifest = Field(default_factory=dict)
    commit: str = ""  # of the tenant repository, where the manifest was read
    kubeconfig: SecretRef | None = None
    phase: str = "Registering"
    message: str = ""
    components: list[str] = []
    removed: bool = False
    refused: ClusterRequest | None = None  # what Git declares and was refused last: retried after a while
    findings: list[Finding] = []  # why the newest declaration in Git was refused
    warnings: list[str] = []  # what people have to do themselves


class ClusterState(ClusterRecord):
    """The state of a cluster's workflow that survives continue-as-new."""

    queue: list[ClusterRequest] = []
    handled: list[str] = []  # operations, newest last, bounded


class ClusterStart(ClusterInput):
    """Start of one run of the workflow: of the first one without a state."""

    state: ClusterState | None = None


class RegistrationStart(RegistrationInput):
    """The request, and the cluster as its workflow knows it."""

    state: ClusterRecord


class RegistrationReport(OperationResult):
    """How a registration ended, and the cluster after it."""

    registered: ClusterRecord


def facts_of(name: str, record: ClusterRecord, *, in_work: bool) -> ClusterFacts:
    """What the workflow of the namespace claims has to know."""
    spec = record.manifest.get("spec", {})
    allowed = spec.get("productAllowedClusterResources") or {}
    return ClusterFacts(
        cluster=name,
        phase=record.phase,
        message=record.message,
        registered=not record.removed and bool(record.manifest or record.refused or in_work),
        worker="host" if spec.get("usage") == "host" else str(spec.get("workerType", "")),
        kubeconfig=record.kubeconfig,
        allowed_cluster_kinds={
            product: [f"{each.get('group', '')}/{each.get('kind', '')}" for each in kinds]
            for product, kinds in allowed.items()
        },
        platform_namespaces=_platform_namespaces(spec),
    )


def _platform_namespaces(spec: Manifest) -> list[str]:
    components = spec.get("componentsList") or {}
    named = [str(each.get("namespace")) for each in components.values() if each and each.get("namespace")]
    return sorted({*named, "nautes", "vault", "kube-system", "kube-public", "kube-node-lease"})
