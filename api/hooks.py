"""The webhook receiver: size, signature, then parsing; answered only after Temporal has taken the signal.

A webhook only names what to observe again. Repeated deliveries are dropped here by delivery id, to save work, and reliably
by the workflows, by event.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
import time
from typing import Annotated, Literal

from cachetools import FIFOCache, LRUCache, TTLCache
from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from temporalio.common import Priority
from temporalio.service import RPCError

from api.bodies import json_object
from api.problems import TooMany, documented
from api.state import Shared, State
from nautes.messages import ids
from nautes.messages.errors import NautesError, NotFound, Refused, Unauthenticated, Unavailable
from nautes.messages.gitlab import Push, push_event
from nautes.messages.products import ProductInput
from nautes.messages.secrets import SecretRef
from nautes.messages.tenant import TenantInput
from nautes.telemetry.metrics import webhooks

router = APIRouter(prefix="/api/v1/hooks", tags=["webhooks"])
WINDOW = 300.0  # seconds a signed delivery may be old
SECRET_KEPT, SECRETS_KEPT = 60.0, 10_000  # seconds a hook's secret is kept in memory, and how many are
DELIVERIES_KEPT = 10_000
RATE, BURST = 20.0, 100.0  # deliveries per second and at once: true ones per project, false ones per source
SOURCES_KEPT = 10_000
ID_LENGTH = 200  # characters of a delivery id
COMMIT = r"^[0-9a-f]{40}([0-9a-f]{24})?$"
KINDS = {"push": "push_events", "tag_push": "tag_push_events"}
OUTCOMES = {  # of what is not taken, for the metrics
    Unauthenticated: "unsigned",
    TooMany: "rate_limited",
    Refused: "malformed",
    Unavailable: "unavailable",
}
ProjectId = Annotated[int, Path(ge=1, le=2**31 - 1)]
PAYLOAD = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


class _Notice(BaseModel):
    model_config = ConfigDict(strict=True)


class NoticeProject(_Notice):
    """The project of a payload."""

    path_with_namespace: str = Field(pattern=r"^[^/\x00-\x1f]+(/[^/\x00-\x1f]+)+$", max_length=1000)


class Notified(_Notice):
    """The fields of a payload that are read; the types are exactly GitLab's."""

    project_id: int
    project: NoticeProject
    ref: str = Field(pattern=r"^refs/(heads|tags)/[^\x00-\x20]+$", max_length=1000)
    before: str = Field(pattern=COMMIT)
    after: str = Field(pattern=COMMIT)


class Receiver:
    """State of the receiver: secrets for a minute, recent deliveries, and a token bucket per project."""

    def __init__(self) -> None:
        self._secrets: TTLCache[int, str] = TTLCache(SECRETS_KEPT, SECRET_KEPT)
        self._seen: FIFOCache[str, None] = FIFOCache(DELIVERIES_KEPT)
        self._buckets: LRUCache[str, tuple[float, float]] = LRUCache(SOURCES_KEPT)

    async def secret(self, shared: State, project_id: int) -> str:
        """The secret of a project's hook, "" when there is none."""
        if known := self._secrets.get(project_id):
            return known
        ref = SecretRef(engine="git", path=f"gitlab/repo-{project_id}/default/webhook")
        try:
            value = await asyncio.to_thread(shared.vault.value, ref, "token")
        except NotFound:
            value = ""
        if value:
            self._secrets[project_id] = value
        return value

    def forget(self, project_id: int) -> None:
        """Forget a secret that did not fit, so that Vault is read again."""
        self._secrets.pop(project_id, None)

    def first_time(self, delivery: str) -> bool:
        """Whether a delivery id is new here."""
        return not delivery or delivery not in self._seen

    def remember(self, delivery: str) -> None:
        """Record a delivery as accepted."""
        self._seen[delivery] = None

    def allow(self, who: str, cost: float = 1.0) -> bool:
        """Take `cost` from a token bucket; return whether a whole token was left."""
        now = time.monotonic()
        tokens, last = self._buckets.get(who, (BURST, now))
        tokens = min(BURST, tokens + (now - last) * RATE)
        self._buckets[who] = (max(0.0, tokens - cost), now)
        return tokens >= 1


receiver = Receiver()


class Taken(BaseModel):
    """The answer to a delivery."""

    state: Literal["accepted", "ignored", "duplicate"]
    event: str = ""


@router.post(
    "/gitlab/{project_id}",
    operation_id="receive_webhook",
    status_code=202,
    response_model=Taken,
    responses={200: {"model": Taken}, **documented(401, 413, 422, 429, 500, 503)},
    openapi_extra=PAYLOAD,
)
async def gitlab(project_id: ProjectId, request: Request, shared: Shared) -> JSONResponse:
    """A delivery of GitLab for one of our repositories."""
    outcome = "failed"
    try:
        taken = await _receive(project_id, request, shared)
        outcome = taken.state
    except NautesError as error:
        outcome = next((name for kind, name in OUTCOMES.items() if isinstance(error, kind)), "failed")
        raise
    finally:
        webhooks.labels(outcome).inc()
    return JSONResponse(taken.model_dump(), 200 if taken.state == "duplicate" else 202)


async def _receive(project_id: int, request: Request, shared: State) -> Taken:
    source = f"source {request.client.host if request.client else ''}"
    if not receiver.allow(source, cost=0):  # invalid deliveries are limited per source, so that they block no others
        raise TooMany("rate-limited", "too many deliveries", retry_after=1)
    body = await request.body()
    try:
        await _authenticate(shared, project_id, request, body)
    except Unauthenticated:
        receiver.allow(source)
        raise
    if not receiver.allow(f"project {project_id}"):
        raise TooMany("rate-limited", "too many deliveries", retry_after=1)
    delivery = request.headers.get("idempotency-key") or request.headers.get("webhook-id") or ""
    if len(delivery) > ID_LENGTH:
        raise Refused("webhook-payload", "the delivery is not what GitLab sends")
    if not receiver.first_time(delivery):
        return Taken(state="duplicate")
    push = _push(project_id, body, delivery)
    if push is None:
        return Taken(state="ignored")
    await _announce(shared, push)
    receiver.remember(delivery)
    return Taken(state="accepted", event=push.event)


async def _authenticate(shared: State, project_id: int, request: Request, body: bytes) -> None:
    for attempt in range(2):
        secret = await receiver.secret(shared, project_id)
        if secret and _signed(secret, request, body):
            return
        if attempt == 0:
            receiver.forget(project_id)
            if not request.headers.get("webhook-signature") and not request.headers.get("x-gitlab-token"):
                break
    # One answer for every error, so that it does not reveal which projects are known.
    raise Unauthenticated(
        "webhook-signature", "the delivery is not freshly signed with the secret of a repository here"
    )


def _signed(secret: str, request: Request, body: bytes) -> bool:
    """Standard Webhooks where there is a signature, else GitLab's plain token; both in constant time."""
    signatures = request.headers.get("webhook-signature")
    if not signatures:
        return hmac.compare_digest(request.headers.get("x-gitlab-token", "").encode(), secret.encode())
    stamp = request.headers.get("webhook-timestamp", "")
    if not re.fullmatch("[0-9]{1,12}", stamp) or abs(time.time() - int(stamp)) > WINDOW:
        return False
    try:
        key = base64.b64decode(secret, validate=True)
    except binascii.Error:
        return False
    signed = f"{request.headers.get('webhook-id', '')}.{stamp}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    given = [each.partition(",") for each in signatures.split()]
    return any(kind == "v1" and hmac.compare_digest(value.encode(), expected) for kind, _, value in given)


def _push(project_id: int, body: bytes, delivery: str) -> Push | None:
    """The push of a payload, None for other events."""
    try:
        payload = json_object(body)
        if not isinstance(payload.get("object_kind"), str):
            raise ValueError("no event")
        kind = KINDS.get(payload["object_kind"])
        if kind is None:
            return None
        notice = Notified.model_validate(payload)
    except ValueError:
        raise Refused("webhook-payload", "the delivery is not what GitLab sends") from None
    if notice.project_id != project_id:
        raise Refused("webhook-project", "the delivery is about another project")
    return Push(
        event=push_event(project_id, notice.ref, notice.before, notice.after),
        project_id=project_id,
        repository=notice.project.path_with_namespace,
        ref=notice.ref,
        before=notice.before,
        after=notice.after,
        kind=kind,
        delivery=delivery,
    )


async def _announce(shared: State, push: Push) -> None:
    """Signal the push to the workflow of its product (or of the tenant), durably."""
    settings = shared.settings
    product = push.repository.rpartition("/")[0]
    start: TenantInput | ProductInput
    if push.repository == f"{settings.tenant}/management":
        hooks = f"{settings.api_url.rstrip('/')}/api/v1/hooks/gitlab"
        kind, key, start = "Tenant", ids.TENANT, TenantInput(tenant=settings.tenant, hooks_url=hooks)
    else:
        kind, key, start = "Product", ids.product(product), ProductInput(path=product)
    try:
        await shared.temporal.start_workflow(
            kind,
            start,
            id=key,
            task_queue=ids.TASK_QUEUE,
            start_signal="pushed",
            start_signal_args=[push],
            static_summary=key,
            priority=Priority(fairness_key=product[:64]),
        )
    except (RPCError, NautesError) as error:
        raise Unavailable("temporal-unavailable", "Temporal cannot take the event now") from error
