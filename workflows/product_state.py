"""The state of a product's workflow, which survives continue-as-new. Used by workflows/product.py and its outbox only."""

from __future__ import annotations

from pydantic import Field

from nautes.messages.gitlab import Push
from nautes.messages.operations import ChangeRequest
from nautes.messages.products import ProductInput, Watch
from nautes.messages.status import RuntimeLine
from nautes.planning.known import Known
from nautes.resources.findings import Finding
from nautes.resources.payload import Payload


class Undelivered(Payload):
    """A push, and the workflows that have not heard of it yet."""

    push: Push
    workflows: list[str]


class ProductState(Payload):
    """The state of a product's workflow that survives continue-as-new."""

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
    due: bool = True  # read default.project again
    renew: bool = False  # check every key and token
    unclaimed: list[Push] = []  # pushes that came before it was known who watches the repository, bounded
    undelivered: list[Undelivered] = []  # pushes on their way to their watchers, oldest first, bounded
    message: str = ""


class ProductStart(ProductInput):
    """Start of one run of the workflow: of the first one without a state."""

    state: ProductState | None = None
