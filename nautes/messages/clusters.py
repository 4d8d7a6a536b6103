"""Messages between a cluster's workflow and the workflows that use the cluster, and the inputs of its activities."""

from __future__ import annotations

from pydantic import Field

from nautes.messages.common import Requester
from nautes.messages.convergence import ConvergeReport
from nautes.messages.operations import ClusterRequest
from nautes.messages.secrets import SecretRef
from nautes.planning.steps import Effect, Manifest, Outcome
from nautes.resources.findings import Finding
from nautes.resources.payload import Payload


class ClusterInput(Payload):
    """Start of `cluster/<name>`."""

    name: str


class ComponentInput(Payload):
    """Install, observe or remove one component bundle of the catalog."""

    cluster: str
    kubeconfig: SecretRef
    component: str  # name in the catalog
    namespace: str


class ComponentReport(ConvergeReport):
    """What an installation did. `bundled` False: this build has no bundle for the component; people install it."""

    bundled: bool = True


class ClusterCommit(Payload):
    """Write or remove the cluster's manifest in the tenant repository, as one commit."""

    cluster: str
    manifest: Manifest | None  # None removes
    server: str = ""  # address of the cluster's API server
    requester: Requester
    operation: str


class ClusterCommitted(Payload):
    """The head and what the commit changed; `manifest` as the repository holds it now, with its defaults filled in.

    `shared` names the components that other clusters at the same address have as well.
    """

    commit: str
    changed: list[str]  # paths
    made: bool  # False: the tree already held the same
    manifest: Manifest = Field(default_factory=dict)
    shared: list[str] = []


class ClusterCheck(Payload):
    """Check a request: the rules, and whether the cluster behind the kubeconfig can be used."""

    request: ClusterRequest
    kubeconfig: SecretRef
    server: str
    manifest: Manifest = Field(default_factory=dict)  # as it is registered now
    users: list[str] = []  # who uses it, the first of them
    probe: bool = True  # False: there is no cluster to probe yet


class ClusterPlan(Payload):
    """What a request would do, or why it is refused; `id` changes when what would be done changes."""

    id: str = ""
    findings: list[Finding] = []
    warnings: list[Finding] = []
    effects: list[Effect] = []
    outcome: Outcome
    deletions: int = 0


class ClusterStanding(Payload):
    """What the tenant repository declares about a cluster now; nothing may be concluded from it unless it is `complete`."""

    complete: bool
    declared: bool
    guests: list[str] = []  # virtual clusters that name it as their host


class KnownCluster(Payload):
    """A cluster as the tenant repository declares it, or (`removed`) declares it no more."""

    name: str
    manifest: Manifest
    commit: str
    requester: Requester  # the platform's own account
    removed: bool = False
    project_id: int = 0  # of the tenant repository: findings are reported on it


class DeclaredReport(Payload):
    """The tenant repository at its head. `complete`: it was there, and every file of it could be read."""

    project_id: int = 0
    commit: str = ""
    complete: bool = False
    clusters: list[KnownCluster] = []
    findings: list[Finding] = []
    requester: Requester


class VirtualInput(Payload):
    """A virtual cluster on its host. `node_port` 0: the host chooses."""

    cluster: str
    host: SecretRef  # how the host is reached
    server: str  # address the virtual cluster is to be reached under
    node_port: int = 0
    staged: SecretRef  # where its kubeconfig is put until it is stored


class VirtualAccess(Payload):
    """How a virtual cluster is reached; None when the stored kubeconfig is right already."""

    staged: SecretRef | None = None


class RegistrationInput(Payload):
    """Start of `registration/<cluster>/<operation>`."""

    request: ClusterRequest
