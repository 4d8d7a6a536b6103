"""Requests for changes, their immediate answers and their results: shared by products and clusters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nautes.messages.common import Requester
from nautes.messages.errors import Refused
from nautes.messages.secrets import SecretRef
from nautes.planning.steps import Effect, Manifest, Outcome
from nautes.resources.findings import Finding
from nautes.resources.payload import Payload

REQUEST_LIMIT = 192 << 10  # bytes of a request as JSON: a payload stays under 256 KiB with what a workflow adds to it

Action = Literal["apply", "remove", "push"]  # push: follow a push to default.project by plain Git
State = Literal["running", "done", "planned", "refused", "cancelled"]
SUCCEEDED: tuple[State, ...] = ("done", "planned")


class ChangeRequest(Payload):
    """A set of manifests of one product to be applied or removed; the argument of `ProductWorkflow.submit`."""

    operation: str  # unique; the change runs as change/<product>/<operation>
    product: str  # full path of the GitLab group
    action: Action
    manifests: list[Manifest]
    requester: Requester
    skip_check: bool = False
    dry_run: bool = False
    plans: list[str] = []  # ids of plans that were shown; not empty: what would be done now must be one of them
    expected: dict[str, str] = Field(
        default_factory=dict
    )  # "<Kind>/<name>" -> version it must have, "" = must not exist
    confirmed: int | None = None  # how many deletions the person has confirmed


class ClusterRequest(Payload):
    """One cluster to be registered, updated or removed; the argument of `ClusterWorkflow.submit`."""

    operation: str
    cluster: str
    action: Action
    manifest: Manifest = Field(default_factory=dict)
    kubeconfig: SecretRef | None = None  # staged by the API; None keeps the stored one
    requester: Requester
    dry_run: bool = False
    plans: list[str] = []  # as in ChangeRequest
    expected: dict[str, str] = Field(default_factory=dict)  # as in ChangeRequest
    commit: str = ""  # of the tenant repository, when Git declares it: findings are reported there as well
    project_id: int = 0  # of the tenant repository


def require_bounded(request: ChangeRequest | ClusterRequest) -> None:
    """Raises Refused for a request that is too large to travel through Temporal; the API checks before it sends."""
    size = len(request.model_dump_json())
    if size > REQUEST_LIMIT:
        text = f"the manifests are {size} bytes as one change, at most {REQUEST_LIMIT} are allowed: apply them in parts"
        raise Refused("request-too-large", text)


class Accepted(Payload):
    """The answer to a command: `operation` is the id of the finite workflow whose result is an `OperationResult`."""

    operation: str


class OperationResult(Payload):
    """How an operation ended. `refused` carries the findings and what was undone."""

    operation: str
    state: State
    outcomes: list[Outcome] = []
    commit: str = ""
    findings: list[Finding] = []  # why it was refused
    already: list[Finding] = []  # findings that were there before; they refuse nothing
    effects: list[Effect] = []  # the plan (dry run) or what was done
    warnings: list[Finding] = []  # warnings for the person; they refuse nothing
    plan: str = ""  # id of the plan (dry run): `apply` may name it and is refused if the plan would be another one now
    deletions: int = 0  # what is (would be) deleted: resources, volume claims, objects of protected environments
    confirm: str = ""  # why the deletions have to be confirmed, "" when they do not
    undone: list[str] = []
    message: str = ""


class Retry(Payload):
    """An effect that waits for an outage to end, for display: the step, the attempt, the last error, the next attempt."""

    step: str
    attempt: int
    error: str
    next_try: str  # RFC 3339, UTC


BUG = (
    "nautes_error"  # key in a workflow's memo: the step that stopped because of a bug, as a `Retry`; None when none has
)
ERROR = "Error"  # phase of a workflow of which a step has stopped so


REFUSED = "Refused"  # type of the failure of an operation that was refused; its detail is the `OperationResult`
REPORT = "nautes_report"  # key in the memo of an operation that was cancelled: its `OperationResult`


class OperationStatus(Payload):
    """The query `status` of a running operation."""

    operation: str
    step: str
    done: list[str] = []
    retry: Retry | None = None
    requester: str = ""
