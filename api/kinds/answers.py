"""Answers of the reading routes: one resource or a list, with filter, pages, ETag and 304. And one resource's change."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, create_model

from api.authorization import Rights
from api.changes import ANSWERS
from api.conditions import Conditions, digest, etag
from api.execution import Wanted, carry_out, repeated
from api.filters import selected
from api.pages import Cursor, page
from api.parameters import Options, Selection
from api.problems import ALWAYS, Gone, documented
from api.reading import Item, View
from api.schemas import body_of, reply_of
from api.state import State
from nautes.messages.errors import NotFound
from nautes.messages.operations import Action
from nautes.resources.base import Resource

Shown = Callable[[Item], dict[str, Any]]
JSON = "application/json"
ETAG = {"ETag": {"description": "The version; name it in If-Match or If-None-Match", "schema": {"type": "string"}}}
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Nothing changed since that ETag", "headers": ETAG}}
READ: dict[int | str, dict[str, Any]] = {200: {"headers": ETAG}, **UNCHANGED, **documented(*ALWAYS)}
LISTED = {**READ, **documented(410)}
CHANGED = ANSWERS


def list_of(model: type[Resource]) -> type[BaseModel]:
    """The reply of a list."""
    fields: dict[str, Any] = {"items": (list[reply_of(model)], ...), "next": (str | None, ...)}  # type: ignore[misc]
    return create_model(f"{model.__name__}List", __config__=ConfigDict(extra="forbid"), **fields)


def body_schema(model: type[Resource]) -> dict[str, Any]:
    """The request body for OpenAPI; api/openapi.py adds the schema it refers to."""
    schema = {"$ref": f"#/components/schemas/{body_of(model).__name__}"}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


def one(item: Item | None, what: str, known: Conditions, shown: dict[str, Any] | None = None) -> Response:
    """One resource, 304 when the caller has it; raises NotFound without one."""
    if item is None:
        raise NotFound("not-found", f"there is no {what}")
    if known.knows(item.version):
        return Response(status_code=304, headers=etag(item.version))
    return JSONResponse(shown or item.shown, headers=etag(item.version))


def begun_at(view: View, wanted: Selection, kept: Callable[[str], View | None]) -> tuple[View, Cursor | None]:
    """The view a list is answered from: that of its cursor, if it has one. Raises Gone when it is kept no longer."""
    if not wanted.cursor:
        return view, None
    cursor = Cursor.of(wanted.cursor)
    found = view if cursor.commit == view.commit else kept(cursor.commit)
    if found is None:
        raise Gone("cursor-expired", "the list began at a commit that is kept no longer: begin again")
    return found, cursor


def many(
    kind: str, items: list[Item], commit: str, wanted: Selection, cursor: Cursor | None, known: Conditions, shown: Shown
) -> Response:
    """A list, filtered, one page or all of it."""
    meant = selected(kind, wanted.selector)
    found = [each for each in items if meant(each.shown)] if wanted.selector else items
    part, following = page([each.name for each in found], found, commit, wanted.limit, cursor)
    body = {"items": [shown(each) for each in part], "next": following}
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    version = digest(content)
    if known.knows(version):
        return Response(status_code=304, headers=etag(version))
    return Response(content, media_type=JSON, headers=etag(version))


async def change_one(
    request: Request,
    shared: State,
    rights: Rights,
    action: Action,
    owner: str,
    options: Options,
    conditions: Conditions,
    find: Callable[[], Awaitable[Item | None]],
    resource: Callable[[], Awaitable[Resource]],
) -> JSONResponse:
    """Save or delete one resource: what is there now is looked at only where it matters."""
    if answer := await repeated(request, shared, rights.caller, owner, options.wait):
        return answer
    wanted = await resource()
    expected: dict[str, str] = {}
    if conditions:
        item = await find()
        version = item.version if item else None
        conditions.require(wanted.key, version)
        expected = conditions.expected(wanted.key, version)
    done = "saved" if action == "apply" else "deleted"
    message = (
        f"Would be {done}: {wanted.key}" if options.dry_run else f"Successfully {done} {wanted.name} configuration"
    )
    return await carry_out(request, shared, rights, Wanted(action, [wanted], options, expected, message))
