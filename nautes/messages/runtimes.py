"""What a runtime's workflow is told: its specification (names resolved to ids) and its state."""

from __future__ import annotations

from pydantic import Field

from nautes.messages.clusters import Grant
from nautes.messages.common import Payload
from nautes.messages.gitlab import Push
from nautes.messages.status import DeploymentStatus, PipelineStatus


class DeploymentSpec(Payload):
    """One deployment runtime, resolved: what to follow and where to put it."""

    product: str  # full path
    product_id: str  # product-<group id>
    runtime: str
    environment: str
    cluster: str
    repository: str  # path with namespace of the manifest repository
    repository_id: int
    revision: str
    path: str
    namespaces: list[str]
    account: str  # as declared; in the cluster product-<id>-<account>
    commit: str = ""  # of default.project


class PipelineFile(Payload):
    """A pipeline of a runtime: where its PipelineRun lies in the pipeline repository."""

    name: str
    path: str
    label: str = ""


class EventSource(Payload):
    """A source of events: a repository, an unanchored Lua-like pattern on the full ref, event names."""

    name: str
    repository_id: int = 0
    repository: str = ""
    revision: str = ""
    events: list[str] = []


class Trigger(Payload):
    """Joins an event source to a pipeline; `revision` is where the pipeline file is read (empty: the event's ref)."""

    event_source: str
    pipeline: str
    revision: str = ""


class PipelineSpec(Payload):
    """One pipeline runtime, resolved."""

    product: str
    product_id: str
    runtime: str
    project: str
    environment: str
    cluster: str
    namespace: str
    account: str
    source: str  # path with namespace of the pipeline repository
    source_id: int
    pipelines: list[PipelineFile]
    event_sources: list[EventSource]
    triggers: list[Trigger]
    commit: str = ""


class DeploymentInput(Payload):
    """Start of `deployment/<product>/<runtime>`; state is carried over continue-as-new."""

    product: str
    runtime: str
    state: DeploymentState | None = None


class DeploymentState(Payload):
    """All that must survive of a deployment's workflow."""

    spec: DeploymentSpec | None = None
    grant: Grant | None = None  # what was claimed last
    claimed: DeploymentSpec | None = (
        None  # the specification whose namespaces were claimed last: what removal gives back
    )
    prepared: DeploymentSpec | None = None  # the specification whose place is complete
    status: DeploymentStatus | None = None
    pinned: str = ""  # commit pinned by rollback
    paused: bool = False
    removing: bool = False
    handled: list[str] = []  # push events, newest last, bounded
    look: bool = False  # somebody said: look again


class PipelineInput(Payload):
    """Start of `pipeline/<product>/<runtime>`; state is carried over continue-as-new."""

    product: str
    runtime: str
    state: PipelineState | None = None


class PipelineState(Payload):
    """All that must survive of a pipeline runtime's workflow."""

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
    """How a PipelineRun stands: phase Pending | Running | Succeeded | Failed | Cancelled."""

    phase: str
    message: str = ""
    started: str = ""
    finished: str = ""
    steps: list[str] = []
    labels: dict[str, str] = Field(default_factory=dict)


DeploymentInput.model_rebuild()
PipelineInput.model_rebuild()
