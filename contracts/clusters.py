"""Messages between a cluster and those who use it, and the inputs of its activities."""

from __future__ import annotations

from pydantic import Field

from contracts.common import Payload, Requester
from contracts.operations import ClusterRequest, Manifest, OperationResult
from contracts.secrets import SecretRef


class ClusterInput(Payload):
    """Start of `cluster/<name>`; `state` is carried over continue-as-new."""

    name: str
    state: ClusterState | None = None


class ClusterState(Payload):
    """All that must survive of a cluster's workflow."""

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
    again: ClusterRequest | None = None  # declared by Git and refused: asked for again after a while


class Claim(Payload):
    """A runtime asks for namespaces before it touches them."""

    runtime: str  # workflow id of the runtime
    product_id: str
    product: str
    namespaces: list[str]
    worker_type: str = ""  # what the runtime needs the cluster to be: deployment | pipeline


class Grant(Payload):
    """The answer to a claim: how to reach the cluster and what it allows."""

    cluster: str
    kubeconfig: SecretRef
    allowed_cluster_kinds: list[str] = []  # "<group>/<Kind>"
    platform_namespaces: list[str] = []


class ClusterClaims(Payload):
    """The query `claims`: who uses which namespaces, and how the cluster is reached."""

    kubeconfig: SecretRef | None = None
    claims: list[Claim] = []


class ClaimOrder(Payload):
    """Input of the activities `control.claim` and `control.release`."""

    cluster: str
    claim: Claim


class ComponentOrder(Payload):
    """Install, look at or remove one component bundle of the catalog."""

    cluster: str
    kubeconfig: SecretRef
    component: str  # name in the catalog
    namespace: str


class ClusterCommit(Payload):
    """Write or remove the cluster's manifest in the tenant repository, as one commit."""

    cluster: str
    manifest: Manifest | None  # None removes
    requester: Requester
    operation: str


class ClusterCheck(Payload):
    """Check a request: the rules, and whether the cluster behind the kubeconfig can be used."""

    request: ClusterRequest
    kubeconfig: SecretRef
    server: str
    manifest: Manifest = Field(default_factory=dict)  # as registered until now
    claims: dict[str, Claim] = Field(default_factory=dict)


class KnownCluster(Payload):
    """A cluster as the tenant repository declares it."""

    name: str
    manifest: Manifest
    commit: str
    requester: Requester  # the platform's own account


class RegistrationInput(Payload):
    """Start of `registration/<cluster>/<operation>`: the request, and the cluster as its workflow knows it."""

    request: ClusterRequest
    state: ClusterState


class RegistrationReport(OperationResult):
    """How a registration ended, and the cluster's state after it (queue, claims and handled are not its own)."""

    registered: ClusterState


ClusterInput.model_rebuild()
ClusterState.model_rebuild()
