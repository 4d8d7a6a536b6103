"""Starts of the workflows of runtimes, and what is asked and reported of pipeline runs."""

from __future__ import annotations

from pydantic import Field

from nautes.messages.claims import Grant
from nautes.messages.gitlab import Push
from nautes.planning.runtimes import PipelineSpec, Trigger
from nautes.resources.payload import Payload


class DeploymentInput(Payload):
    """Start of `deployment/<product>/<runtime>`."""

    product: str
    runtime: str


class PipelineInput(Payload):
    """Start of `pipeline/<product>/<runtime>`."""

    product: str
    runtime: str


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
    workflow: str = ""  # id of the workflow that follows it


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
