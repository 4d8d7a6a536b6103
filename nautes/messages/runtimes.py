"""Specifications of runtimes (names resolved to ids), and the state of their workflows."""

from __future__ import annotations

from pydantic import Field

from nautes.messages.clusters import Grant
from nautes.messages.gitlab import Push
from nautes.messages.status import DeploymentStatus, PipelineStatus
from nautes.planning.runtimes import DeploymentSpec, PipelineSpec, Trigger
from nautes.resources.payload import Payload


class DeploymentInput(Payload):
    """Start of `deployment/<product>/<runtime>`; state is carried over continue-as-new."""

    product: str
    runtime: str
    state: DeploymentState | None = None


class DeploymentState(Payload):
    """The state of a deployment's workflow that survives continue-as-new."""

    spec: DeploymentSpec | None = None
    grant: Grant | None = None  # what was claimed last
    claimed: DeploymentSpec | None = (
        None  # the specification whose namespaces were claimed last: what removal gives back
    )
    prepared: DeploymentSpec | None = None  # the specification whose destination is complete
    granted: list[str] = []  # namespaces of the cluster that the runtime has, also those it is about to leave
    former_accounts: list[str] = []  # accounts, as declared, that it no longer acts as
    status: DeploymentStatus | None = None
    pinned: str = ""  # commit pinned by rollback
    paused: bool = False
    removing: bool = False
    handled: list[str] = []  # push events, newest last, bounded
    look: bool = False  # a signal asks to observe again


class PipelineInput(Payload):
    """Start of `pipeline/<product>/<runtime>`; state is carried over continue-as-new."""

    product: str
    runtime: str
    state: PipelineState | None = None


class PipelineState(Payload):
    """The state of a pipeline runtime's workflow that survives continue-as-new."""

    spec: PipelineSpec | None = None
    grant: Grant | None = None
    claimed: PipelineSpec | None = None  # the specification whose namespace was claimed last: what removal gives back
    prepared: PipelineSpec | None = None
    status: PipelineStatus | None = None
    removing: bool = False
    pushes: list[Push] = []
    handled: list[str] = []


class RunInput(Payload):
    """Start of `run/<product>/<runtime>/<event>-<trigger>`."""

    spec: PipelineSpec
    grant: Grant
    push: Push
    trigger: Trigger


class CreateRunInput(Payload):
    """Create the PipelineRun of a run in its namespace under the runtime's account (idempotent by name)."""

    run: RunInput
    name: str  # of the PipelineRun
    file: str  # path of the pipeline file
    revision: str  # commit of the pipeline repository it is read at


class RunRef(Payload):
    """A PipelineRun in a cluster."""

    grant: Grant
    namespace: str
    name: str


class RunReport(Payload):
    """The state of a PipelineRun: phase Pending | Running | Succeeded | Failed | Cancelled."""

    phase: str
    message: str = ""
    started: str = ""
    finished: str = ""
    steps: list[str] = []
    labels: dict[str, str] = Field(default_factory=dict)


DeploymentInput.model_rebuild()
PipelineInput.model_rebuild()
