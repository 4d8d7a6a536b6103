"""Start of a product's workflow, and the inputs of the activities that read, plan and commit its declaration."""

from __future__ import annotations

from pydantic import Field

from nautes.messages.declarations import Author
from nautes.messages.operations import ChangeRequest, OperationResult
from nautes.messages.status import RuntimeLine
from nautes.planning.known import Known, RepositoryUse
from nautes.planning.steps import Outcome, Step
from nautes.resources.findings import Finding
from nautes.resources.payload import Payload


class ProductInput(Payload):
    """Start of `product/<path>`."""

    path: str


class Watch(Payload):
    """A runtime that is notified of pushes to a repository."""

    workflow: str  # id of the runtime's workflow
    project_id: int


class PlanInput(Payload):
    """Read the declaration at its head, apply the request in memory, run the rules, answer with the steps."""

    request: ChangeRequest
    known: Known = Field(default_factory=Known)


class OpenedInput(Payload):
    """Does the owner's declaration open the repositories that another product declares to use?"""

    product: str  # the owner
    uses: list[RepositoryUse]


class CommitFilesInput(Payload):
    """Commit the request to default.project, with a compare-and-swap on the head it was planned at.

    Where the head has moved, it is read again, the request is applied to it again, and the rules run again. `repositories` are
    ids of those that this change has made or found.
    """

    request: ChangeRequest
    project_id: int
    known: Known = Field(default_factory=Known)
    head: str = ""  # the head at which it was planned; a request that names its plan is committed to no other head
    group_id: int = 0
    repositories: dict[str, int] = Field(default_factory=dict)
    created: list[str] = []  # of these: names of those that this change has created
    registered: list[str] = []


class FilesCommitted(Payload):
    """The commit that carries the change. `head`: the steps that follow from it, None where somebody else committed meanwhile."""

    commit: str
    changed: list[str]  # paths
    made: bool  # False: the tree already held the same
    head: HeadReport | None = None


class HeadInput(Payload):
    """Observe the head of default.project: which part of it is in effect, and which steps follow.

    `trusted` are the resources of a change whose rules have run; everything else that is new is judged.
    """

    product: str
    known: Known = Field(default_factory=Known)
    trusted: list[str] = []
    renew: bool = False  # check every key and token, whether or not anything changed


class HeadReport(Payload):
    """What the declaration holds at its head. `exists` False: there is no such product (any more)."""

    exists: bool
    id: str = ""
    project_id: int = 0
    commit: str = ""
    author: Author = Field(default_factory=Author)  # of that commit
    known: Known = Field(default_factory=Known)  # as it is when all steps are done
    steps: list[Step] = []
    outcomes: list[Outcome] = []  # of what a push changed
    watches: list[Watch] = []
    environments: dict[str, str] = Field(default_factory=dict)
    runtimes: list[RuntimeLine] = []
    kept: list[str] = []  # workflow ids of runtimes that cannot be resolved now: they keep their last specification
    findings: list[Finding] = []
    refused: list[Finding] = []  # of these: why a push, or a part of it, is not in effect


class ChangeInput(Payload):
    """Start of `change/<product>/<operation>`."""

    request: ChangeRequest
    known: Known = Field(default_factory=Known)
    renew: bool = False
    head: HeadReport | None = None  # of a push: what was found at the head, and is carried out now


class ChangeReport(OperationResult):
    """How a change ended, and the declaration as it was read after it (None: it was not read)."""

    head: HeadReport | None = None


ChangeInput.model_rebuild()
FilesCommitted.model_rebuild()
