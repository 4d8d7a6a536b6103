"""The codec endpoint of Temporal UI and of the `temporal` command: payloads decrypted for the people they belong to.

The protocol is Temporal's (remote codec): a JSON object with payloads goes in and comes out, as many as before. A payload names
the workflow it belongs to, authenticated (nautes/clients/codec.py). It is decrypted for those who may read its product; what
belongs to the platform is for who may change clusters, and everything for administrators of GitLab. Any other payload comes back
as it came: one of others, a changed one and one with an unknown key look the same.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from pydantic import BaseModel
from starlette.middleware.cors import CORSMiddleware
from temporalio.api.common.v1 import Payload, Payloads

from api import authorization
from api.authorization import Rights
from api.bodies import json_body
from api.limits import Message, Receive, Send
from api.problems import WRITES, documented
from api.state import May, Shared, State
from nautes.clients.codec import Codec, Origin, is_encrypted
from nautes.clients.keys import UnknownKey, Unreadable
from nautes.messages import ids
from nautes.messages.errors import Forbidden, NotFound, Refused

PREFIX = "/api/v1/codec"
HEADERS = ("authorization", "authorization-extras", "content-type", "x-namespace")  # that Temporal UI sends
MOST_UNREADABLE = 8  # of one request: each may cost a call to Vault
# What a change sends before it has created the product's group is older than the group, and belongs to it all the same.
BEFORE_THE_GROUP = timedelta(minutes=10)


class EncodedPayload(BaseModel):
    """A payload in Temporal's JSON: values are base64, and null is what is not set. Newer fields are passed over."""

    metadata: dict[str, str] | None = None
    data: str | None = None


class EncodedPayloads(BaseModel):
    """What goes in and comes out."""

    payloads: list[EncodedPayload] = []


SCHEMA = {"$ref": "#/components/schemas/EncodedPayloads"}
ANSWER: dict[int | str, dict[str, Any]] = {200: {"model": EncodedPayloads, "description": "As many as came"}}
DOCUMENTED: dict[str, Any] = {
    "responses": {**documented(*WRITES), **ANSWER},
    "openapi_extra": {"requestBody": {"required": True, "content": {"application/json": {"schema": SCHEMA}}}},
}

router = APIRouter(prefix=PREFIX, tags=["codec"])
Namespace = Annotated[str, Header(alias="X-Namespace", max_length=255, description="Of Temporal; the platform's own.")]
Stored = Annotated[
    bool, Query(alias="preserveStorageRefs", description="Sent by Temporal UI: nothing is stored outside.")
]


@router.post("/decode", operation_id="decode_payloads", **DOCUMENTED)
async def decode(
    request: Request, shared: Shared, may: May, x_namespace: Namespace = "", preserve_storage_refs: Stored = False
) -> JSONResponse:
    """Decrypt what belongs to the caller; the rest comes back as it came."""
    given = await _payloads(request, shared, x_namespace)
    rights, refused, found = _kept(shared, may), 0, []
    for each in given:
        opened = await _opened(shared, rights, each) if is_encrypted(each) and refused < MOST_UNREADABLE else each
        refused += opened is None
        found.append(opened or each)
    return _answer(found)


@router.post("/encode", operation_id="encode_payloads", **DOCUMENTED)
async def encode(
    request: Request, shared: Shared, may: May, x_namespace: Namespace = "", preserve_storage_refs: Stored = False
) -> JSONResponse:
    """Encrypt what a person sends by Temporal UI or `temporal`. It names no workflow: administrators can read it there."""
    given, codec = await _payloads(request, shared, x_namespace), _codec(shared)
    return _answer(await codec.encode(given) if codec else given)


async def _payloads(request: Request, shared: State, namespace: str) -> list[Payload]:
    if namespace not in ("", shared.temporal.namespace):
        raise NotFound("namespace-unknown", f"this endpoint serves the namespace {shared.temporal.namespace}")
    body = await json_body(request)
    try:
        given = EncodedPayloads.model_validate(body, strict=True).model_dump()
        return list(ParseDict(given, Payloads()).payloads)
    except (ParseError, ValueError):  # pydantic's is one of these
        raise Refused("payloads-invalid", "the body must be an object with Temporal's payloads") from None


async def _opened(shared: State, rights: Rights, payload: Payload) -> Payload | None:
    """The payload itself, as it came when it is somebody else's, None when it cannot be read."""
    codec = _codec(shared)
    if codec is None:
        return payload
    try:
        found, origin = await codec.open(payload)
    except (UnknownKey, Unreadable):
        return None
    return found if await may_read(shared, rights, origin) else payload


async def may_read(shared: State, rights: Rights, origin: Origin) -> bool:
    """Asked only about payloads that are genuine: nobody can make us ask GitLab about a path of their choice."""
    tenant, product = shared.reading.tenant_repository, ids.product_of(origin.workflow_id)
    try:
        if await rights.is_admin() and await rights.level(tenant) is not None:  # the token's scope counts here, too
            return True
        if product:
            await authorization.may_read(rights, product)
            return await _is_theirs(rights, product, origin.at)
        if product is not None:
            await authorization.may_change_clusters(rights, tenant)
        return product is not None
    except (Forbidden, NotFound):
        return False


async def _is_theirs(rights: Rights, product: str, at: datetime) -> bool:
    """Whether the group with this path is not younger than the payload: that one belonged to a group that is gone."""
    group = await rights.group(product) or {}
    created = str(group.get("created_at") or "")
    return bool(created) and datetime.fromisoformat(created) - BEFORE_THE_GROUP <= at


def _kept(shared: State, may: Rights) -> Rights:
    """The rights that this token had a moment ago, or those of this request."""
    return shared.decoding.setdefault(hashlib.sha256(may.caller.token.encode()).hexdigest(), may)


def _codec(shared: State) -> Codec | None:
    found = shared.temporal.data_converter.payload_codec
    return found if isinstance(found, Codec) else None


def _answer(payloads: list[Payload]) -> JSONResponse:
    return JSONResponse({"payloads": [MessageToDict(each) for each in payloads]})


class Origins:
    """Pure ASGI: lets the pages of Temporal UI, and of no other origin, read what the codec endpoint answers."""

    def __init__(self, app: Any, ui_url: str) -> None:
        parts = urlsplit(ui_url)
        origins = [f"{parts.scheme}://{parts.netloc}"] if parts.netloc else []
        self._app = app
        self._shared = CORSMiddleware(app, allow_origins=origins, allow_methods=["POST"], allow_headers=HEADERS)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """ASGI."""
        ours = scope["type"] == "http" and scope["path"].startswith(f"{PREFIX}/")
        await (self._shared if ours else self._app)(scope, receive, send)
