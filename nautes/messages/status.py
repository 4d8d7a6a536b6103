"""Answers of the long-lived workflows to the query `status`: for display only, small, without secrets."""

from __future__ import annotations

from typing import TypeVar

from pydantic import Field

from nautes.messages.convergence import ObjectHealth, ObjectOutcome
from nautes.messages.operations import Retry
from nautes.resources.findings import Finding
from nautes.resources.payload import Payload

Object = TypeVar("Object", ObjectHealth, ObjectOutcome)

MEMO = "nautes_status"  # key in a workflow's memo: its status as lists show it, so that a list asks no workflow
NAMED = 5  # objects that a list names of one runtime
STEPS = 50  # of a run, in a list
TEXT = 300  # characters of a message in a list


class ClusterStatus(Payload):
    """A registered cluster. Phases: Registering, Ready, Refused, Removing."""

    name: str
    phase: str
    usage: str = ""
    worker_type: str = ""
    components: list[str] = []
    warnings: list[str] = []  # what people have to do themselves, e.g. install components that this build does not
    findings: list[Finding] = []  # why its declaration in the tenant repository was refused
    operation: str = ""
    queued: list[str] = []  # operations whose turn has not come
    message: str = ""


class RuntimeLine(Payload):
    """One runtime as its product knows it; ask `workflow` for more."""

    kind: str
    name: str
    environment: str
    workflow: str


class ProductStatus(Payload):
    """A product. Phases: Idle, Changing, Removing."""

    path: str
    id: str = ""
    phase: str = "Idle"
    commit: str = ""  # head of default.project that took effect
    operation: str = ""  # running now
    queued: list[str] = []
    environments: dict[str, str] = Field(default_factory=dict)  # name -> cluster
    runtimes: list[RuntimeLine] = []
    findings: list[Finding] = []  # resources of default.project that break a rule, and files that cannot be read
    message: str = ""


class DeploymentStatus(Payload):
    """A deployment runtime.

    Phases: Pending, Claiming, Converging, Waiting, Converged, Degraded, Refused, Paused, Removing.
    """

    product: str
    runtime: str
    cluster: str
    phase: str
    revision: str = ""  # what is followed: branch, tag or commit
    commit: str = ""  # last commit that was applied
    converged_commit: str = ""  # last commit that was applied and healthy
    started: str = ""  # RFC 3339, UTC: when the last convergence began
    finished: str = ""
    seconds: dict[str, float] = Field(
        default_factory=dict
    )  # where the time went: seen, fetch, list, apply, prune, health
    applied: int = 0
    unchanged: int = 0
    pruned: int = 0
    writes: int = 0
    outcomes: list[ObjectOutcome] = []
    unhealthy: list[ObjectHealth] = []
    unnamed: int = 0  # in a list: objects that are not as they should be and are not named here
    retry: Retry | None = None
    message: str = ""

    def listed(self) -> DeploymentStatus:
        """The status as lists show it: bounded, the objects that are refused or failed before those that are not healthy."""
        bad = [each for each in self.outcomes if each.action in ("refused", "failed")]
        named, unhealthy = bad[:NAMED], self.unhealthy[: max(NAMED - len(bad), 1)]
        return self.model_copy(
            update={
                "outcomes": [_short(each) for each in named],
                "unhealthy": [_short(each) for each in unhealthy],
                "unnamed": len(bad) + len(self.unhealthy) - len(named) - len(unhealthy),
                "message": self.message[:TEXT],
            }
        )


class PipelineStatus(Payload):
    """A pipeline runtime. Phases: Pending, Preparing, Ready, Refused, Removing."""

    product: str
    runtime: str
    cluster: str
    phase: str
    namespace: str = ""
    runs: list[str] = []  # workflow ids, newest first, bounded
    retry: Retry | None = None
    message: str = ""

    def listed(self) -> PipelineStatus:
        """The status as lists show it."""
        return self.model_copy(update={"runs": self.runs[:NAMED], "message": self.message[:TEXT]})


class RunStatus(Payload):
    """One pipeline run. Phases: Pending, Running, Succeeded, Failed, Cancelled."""

    product: str
    runtime: str
    event: str
    trigger: str
    pipeline: str
    ref: str
    commit: str
    phase: str
    name: str = ""  # of the PipelineRun
    namespace: str = ""
    started: str = ""
    finished: str = ""
    message: str = ""
    steps: list[str] = []  # "<task>/<step>: <how it ended>"

    def listed(self) -> RunStatus:
        """The status as lists show it."""
        return self.model_copy(update={"steps": self.steps[:STEPS], "message": self.message[:TEXT]})


class TenantStatus(Payload):
    """The tenant. Phases: Installing, Ready."""

    phase: str
    repository: str = ""
    clusters: list[str] = []
    products: int = 0  # that were found at the installation
    commit: str = ""  # head of the tenant repository when it was read last
    findings: list[Finding] = []  # its files that cannot be read: what they declared before stays in effect
    message: str = ""


def _short(each: Object) -> Object:
    return each.model_copy(update={"reason": each.reason[:TEXT]})
