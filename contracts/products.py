"""State of a product's workflow, and the inputs of the activities that read, plan and commit its declaration."""

from __future__ import annotations

from pydantic import Field

from contracts.common import Payload
from contracts.gitlab import GroupOrder, Push
from contracts.operations import ChangeRequest, Effect, OperationResult, Outcome
from contracts.runtimes import DeploymentSpec, PipelineSpec
from contracts.status import RuntimeLine
from resources.findings import Finding


class ProductInput(Payload):
    """Start of `product/<path>`; state is carried over continue-as-new."""

    path: str
    state: ProductState | None = None


class Watch(Payload):
    """A runtime that wants to hear of pushes to a repository."""

    workflow: str  # id of the runtime's workflow
    project_id: int


class ProductState(Payload):
    """All that must survive of a product's workflow."""

    id: str = ""  # product-<group id>
    project_id: int = 0  # of default.project
    commit: str = ""  # of default.project that took effect
    digests: dict[str, str] = Field(default_factory=dict)  # runtime workflow id -> digest of the spec it was told
    watches: list[Watch] = []
    environments: dict[str, str] = Field(default_factory=dict)
    runtimes: list[RuntimeLine] = []
    findings: list[Finding] = []
    queue: list[ChangeRequest] = []
    handled: list[str] = []  # operations and deliveries, newest last, bounded
    look: bool = True  # read default.project again
    unclaimed: list[Push] = []  # pushes that came before it was known who watches the repository, bounded
    message: str = ""


class PlanOrder(Payload):
    """Read the declaration at its head, apply the request in memory, run the rules, say what would be done."""

    request: ChangeRequest


class RepositoryPlan(Payload):
    """One code repository of a plan."""

    name: str  # path in the group
    display: str
    visibility: str
    description: str | None
    events: list[str]
    new: bool = False


class Plan(Payload):
    """What a change would do. `findings` not empty: refused. `outcomes` are per resource of the request."""

    head: str = ""  # of default.project, "" when there is none
    group_id: int = 0
    project_id: int = 0  # of default.project
    findings: list[Finding] = []
    already: list[Finding] = []
    outcomes: list[Outcome] = []
    effects: list[Effect] = []
    hooks_url: str = ""  # where GitLab reaches our receiver; "/<project id>" is appended
    group: GroupOrder | None = None  # the Product to be ensured
    repositories: list[RepositoryPlan] = []  # to be ensured
    gone_repositories: list[str] = []  # names to be deleted
    repository_ids: dict[str, int] = Field(default_factory=dict)  # of what is to be deleted
    gone_runtimes: list[str] = []  # workflow ids to be removed and waited for
    product_gone: bool = False
    files: bool = False  # whether the commit has anything to say


class FilesOrder(Payload):
    """Commit the request to default.project: re-read the head, re-apply, re-check, compare-and-swap."""

    request: ChangeRequest
    project_id: int


class FilesCommitted(Payload):
    """The commit that carries the change, and the one before it (for messages)."""

    commit: str
    changed: list[str]  # paths
    made: bool  # False: the tree already agreed


class SyncOrder(Payload):
    """Tell every runtime of the declaration what it is to be, as of the head of default.project."""

    product: str
    digests: dict[str, str]


class SyncReport(Payload):
    """What the declaration holds. `exists` False: there is no such product (any more)."""

    exists: bool
    id: str = ""
    project_id: int = 0
    commit: str = ""
    digests: dict[str, str] = Field(default_factory=dict)
    watches: list[Watch] = []
    environments: dict[str, str] = Field(default_factory=dict)
    runtimes: list[RuntimeLine] = []
    deployments: list[DeploymentSpec] = []  # whose digest changed
    pipelines: list[PipelineSpec] = []
    removed: list[str] = []  # workflow ids of runtimes that are declared no more
    kept: list[str] = []  # workflow ids of runtimes that cannot be resolved now: they stay what they were told last
    findings: list[Finding] = []


class ChangeInput(Payload):
    """Start of `change/<product>/<operation>`; `digests` is what the runtimes were told last."""

    request: ChangeRequest
    digests: dict[str, str] = Field(default_factory=dict)


class ChangeReport(OperationResult):
    """How a change ended, and the declaration as it was read after it (None: nothing was told)."""

    sync: SyncReport | None = None


ProductInput.model_rebuild()
