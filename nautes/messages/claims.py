"""Who uses a cluster: what runtimes, changes and products ask of `namespaces/<cluster>`, and what it answers.

The asking activities are activities/claims.py; the workflow is workflows/namespaces.py.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nautes.messages.secrets import SecretRef
from nautes.resources.findings import Finding
from nautes.resources.payload import Payload

ASKED_AT_ONCE = 50  # questions in one update: each may name many namespaces, and a payload stays small


class Claim(Payload):
    """A runtime claims namespaces before it writes to them."""

    runtime: str  # workflow id of the runtime
    product_id: str
    product: str
    namespaces: list[str]
    worker_type: str = ""  # worker type that the runtime needs: deployment | pipeline


class Grant(Payload):
    """The answer to a claim: how to reach the cluster and what it allows."""

    cluster: str
    kubeconfig: SecretRef
    allowed_cluster_kinds: list[str] = []  # "<group>/<Kind>"
    platform_namespaces: list[str] = []


class Released(Payload):
    """The namespaces of a released claim that no other runtime uses."""

    namespaces: list[str]


class Reservation(Claim):
    """A change reserves a runtime's namespaces before its commit; the runtime's own claim replaces the reservation."""

    operation: str
    replaced: Reservation | None = None  # reserved by an earlier change, until the runtime has claimed it


class Reserve(Payload):
    """What one change needs of a cluster, all or nothing; also names what is to be given back."""

    product: str  # full path of the group
    product_id: str = ""  # "" while there is no group
    operation: str
    claims: list[Claim] = []
    environments: list[str] = []  # names of the product's environments that are to stand on the cluster
    only_check: bool = False  # of a plan: refuse what a change would be refused, and reserve nothing


class Reserved(Payload):
    """The answer to a reservation: what is recorded for the product now."""

    cluster: str
    runtimes: list[str] = []  # with a reservation
    environments: list[str] = []


class Uses(Payload):
    """A product reports everything it has on a cluster; each report replaces the one before."""

    product: str
    environments: list[str] = []
    runtimes: list[str] = []  # workflow ids; a reservation of any other runtime of the product is dropped


class ClaimInput(Payload):
    """Input of the activities `claims.claim`, `claims.claim_host` and `claims.release`."""

    cluster: str
    claim: Claim


class ReserveInput(Payload):
    """Input of the activities `claims.reserve` and `claims.unreserve`."""

    cluster: str
    reserve: Reserve


class UsesInput(Payload):
    """Input of the activity `claims.uses`."""

    cluster: str
    uses: Uses


class NamespacesInput(Payload):
    """Start of `namespaces/<cluster>`."""

    cluster: str


class Question(Payload):
    """One request; which of the fields is set follows from the action."""

    action: Literal["claim", "release", "reserve", "unreserve", "uses"]
    claim: Claim | None = None
    reserve: Reserve | None = None
    uses: Uses | None = None


class Questions(Payload):
    """The argument of the update `decide`: requests of any callers, decided in this order, each for itself."""

    questions: list[Question] = Field(max_length=ASKED_AT_ONCE)


class Refusal(Payload):
    """A refusal as data: one request that is refused refuses none of the others in the same update."""

    kind: str  # class in nautes/messages/errors.py
    code: str
    message: str
    findings: list[Finding] = []


class Decision(Payload):
    """The answer to one request: the refusal, or what the action answers."""

    refusal: Refusal | None = None
    grant: Grant | None = None
    released: Released | None = None
    reserved: Reserved | None = None


class Decisions(Payload):
    """The answers, in the order of the questions."""

    decisions: list[Decision]


class ClusterFacts(Payload):
    """What `cluster/<name>` tells the workflow of its namespace claims: whether claims are granted, and on what terms."""

    cluster: str
    phase: str
    message: str = ""
    registered: bool = True  # False: nobody has registered it, or it is removed
    worker: str = ""  # host | deployment | pipeline
    kubeconfig: SecretRef | None = None
    allowed_cluster_kinds: dict[str, list[str]] = {}  # product -> "<group>/<Kind>"
    platform_namespaces: list[str] = []


class User(Payload):
    """One that uses a cluster: a claim, a reservation, or an environment of a product."""

    kind: Literal["claim", "reservation", "environment"]
    name: str  # workflow id, or environment/<product>/<name>
    product: str = ""
    product_id: str = ""
    namespaces: list[str] = []


class UsersPage(Payload):
    """Users in the order of their names, some of all. `after` begins the next page; "" when this is the last one."""

    users: list[User] = []
    total: int = 0
    after: str = ""


class PageInput(Payload):
    """Which page: the users after this name, so many at most."""

    after: str = ""
    limit: int = Field(default=500, ge=1, le=1000)


Reservation.model_rebuild()
