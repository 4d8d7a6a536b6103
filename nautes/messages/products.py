"""State of a product's workflow, and the inputs of the activities that read, plan and commit its declaration."""

from __future__ import annotations

from pydantic import Field

from nautes.messages.clusters import Reserve
from nautes.messages.common import Payload
from nautes.messages.declarations import AccessRequest, Author, Known, Lifetime, RepositoryAccess, RepositoryUse
from nautes.messages.gitlab import GroupInput, Push
from nautes.messages.operations import ChangeRequest, Effect, OperationResult, Outcome
from nautes.messages.runtimes import DeploymentSpec, PipelineSpec
from nautes.messages.status import RuntimeLine
from nautes.resources.findings import Finding


class ProductInput(Payload):
    """Start of `product/<path>`; state is carried over continue-as-new."""

    path: str
    state: ProductState | None = None


class Watch(Payload):
    """A runtime that wants to hear of pushes to a repository."""

    workflow: str  # id of the runtime's workflow
    project_id: int


class Undelivered(Payload):
    """A push, and the workflows that have not heard of it yet."""

    push: Push
    workflows: list[str]


class ProductState(Payload):
    """All that must survive of a product's workflow."""

    id: str = ""  # product-<group id>
    project_id: int = 0  # of default.project
    commit: str = ""  # of default.project that took effect
    known: Known = Field(default_factory=Known)
    watches: list[Watch] = []
    environments: dict[str, str] = Field(default_factory=dict)
    runtimes: list[RuntimeLine] = []
    findings: list[Finding] = []
    queue: list[ChangeRequest] = []
    handled: list[str] = []  # operations and deliveries, newest last, bounded
    look: bool = True  # read default.project again
    renew: bool = False  # look after every key and token
    unclaimed: list[Push] = []  # pushes that came before it was known who watches the repository, bounded
    undelivered: list[Undelivered] = []  # pushes on their way to their watchers, oldest first, bounded
    message: str = ""


class PlanInput(Payload):
    """Read the declaration at its head, apply the request in memory, run the rules, say what would be done."""

    request: ChangeRequest
    foreign_uses: list[RepositoryUse] = []  # what other products want of this one's repositories


class OpenedInput(Payload):
    """Does a product's declaration open what another one declares to use?"""

    product: str  # the owner
    foreign_uses: list[RepositoryUse]


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
    group: GroupInput | None = None  # the Product to be ensured
    repositories: list[RepositoryPlan] = []  # to be ensured
    gone_repositories: list[str] = []  # names to be deleted
    repository_ids: dict[str, int] = Field(default_factory=dict)  # of what is to be deleted
    gone_runtimes: list[str] = []  # workflow ids to be removed and waited for
    product_gone: bool = False
    files: bool = False  # whether the commit has anything to say
    warnings: list[Finding] = []
    id: str = ""  # of this plan: changes when what would be done, or the head it was made at, changes
    deletions: int = 0  # resources that go
    claims: dict[str, Reserve] = Field(default_factory=dict)  # cluster -> what the change will need of it
    access_requests: list[AccessRequest] = []  # what the change will need of other products
    lifetime: Lifetime = Field(default_factory=Lifetime)


class FilesInput(Payload):
    """Commit the request to default.project: re-read the head, re-apply, re-check, compare-and-swap."""

    request: ChangeRequest
    project_id: int
    foreign_uses: list[RepositoryUse] = []
    head: str = ""  # at which it was planned; a request that names its plan is committed to no other


class FilesCommitted(Payload):
    """The commit that carries the change, and the one before it (for messages)."""

    commit: str
    changed: list[str]  # paths
    made: bool  # False: the tree already agreed


class SyncInput(Payload):
    """Look at the head of default.project: what of it takes effect, and who must be told.

    `trusted` are the resources of a change whose rules have run; everything else that is new is judged.
    """

    product: str
    known: Known = Field(default_factory=Known)
    trusted: list[str] = []
    renew: bool = False  # look after every key and token, whether or not anything changed


class SyncReport(Payload):
    """What the declaration holds. `exists` False: there is no such product (any more)."""

    exists: bool
    id: str = ""
    project_id: int = 0
    commit: str = ""
    author: Author = Field(default_factory=Author)  # of that commit
    known: Known = Field(default_factory=Known)  # as it is when all that stands here is done
    outcomes: list[Outcome] = []  # of what a push changed
    watches: list[Watch] = []
    environments: dict[str, str] = Field(default_factory=dict)
    runtimes: list[RuntimeLine] = []
    deployments: list[DeploymentSpec] = []  # whose digest changed
    pipelines: list[PipelineSpec] = []
    removed: list[str] = []  # workflow ids of runtimes that are declared no more
    kept: list[str] = []  # workflow ids of runtimes that cannot be resolved now: they stay what they were told last
    findings: list[Finding] = []
    refused: list[Finding] = []  # of these: why a push, or a part of it, does not take effect
    repositories: list[RepositoryPlan] = []  # declared, and without keys, token and hook of ours so far as is known
    withdrawn: dict[str, int] = Field(default_factory=dict)  # name -> project id of those that are declared no more
    access: list[RepositoryAccess] = []  # whose deploy keys of others are to be compared
    uses: dict[str, list[str]] = Field(default_factory=dict)  # cluster -> environments, where it was told otherwise
    foreign_uses: dict[str, list[RepositoryUse]] = Field(
        default_factory=dict
    )  # owner -> what we use of it, when told otherwise
    hooks_url: str = ""
    lifetime: Lifetime = Field(default_factory=Lifetime)

    @property
    def news(self) -> bool:
        """Whether anything is to be done or remembered."""
        told = self.deployments or self.pipelines or self.removed
        return bool(told or self.repositories or self.withdrawn or self.access or self.uses or self.foreign_uses)


class ChangeInput(Payload):
    """Start of `change/<product>/<operation>`."""

    request: ChangeRequest
    known: Known = Field(default_factory=Known)
    renew: bool = False


class ChangeReport(OperationResult):
    """How a change ended, and the declaration as it was read after it (None: nothing was told)."""

    sync: SyncReport | None = None


ProductInput.model_rebuild()
