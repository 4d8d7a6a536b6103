"""The states of the workflows of runtimes, which survive continue-as-new. Used by deployment.py and pipeline.py only."""

from __future__ import annotations

from nautes.messages.claims import Grant
from nautes.messages.gitlab import Push
from nautes.messages.runtimes import DeploymentInput, PipelineInput
from nautes.messages.status import DeploymentStatus, PipelineStatus
from nautes.planning.runtimes import DeploymentSpec, PipelineSpec
from nautes.resources.payload import Payload


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
    due: bool = False  # a signal asks to observe again
    observed: bool = False  # something about the objects is new, and their health was not looked at yet
    failures: int = 0  # convergences in a row after which objects were refused or had failed


class DeploymentStart(DeploymentInput):
    """Start of one run of the workflow: of the first one without a state."""

    state: DeploymentState | None = None


class PipelineState(Payload):
    """The state of a pipeline runtime's workflow that survives continue-as-new."""

    spec: PipelineSpec | None = None
    grant: Grant | None = None
    claimed: PipelineSpec | None = None  # the specification whose namespace was claimed last: what removal gives back
    prepared: PipelineSpec | None = None
    former_accounts: list[str] = []  # accounts, as declared, that it no longer acts as
    status: PipelineStatus | None = None
    removing: bool = False
    pushes: list[Push] = []
    handled: list[str] = []


class PipelineStart(PipelineInput):
    """Start of one run of the workflow: of the first one without a state."""

    state: PipelineState | None = None
