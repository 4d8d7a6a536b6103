"""The six kinds that live in a product: the same four routes for each, made from the table in api/kinds/__init__.py."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from api.authorization import Rights
from api.bodies import json_body
from api.commands import Operations
from api.kinds import KINDS, Kind
from api.kinds.answers import CHANGED, LISTED, READ, begun_at, body_schema, change_one, list_of, many, one
from api.parameters import Given, If, Known, Selected
from api.paths import ProductName
from api.reading import Item, View, with_addresses
from api.schemas import name_schema, reply_of, resource_of_body
from api.state import May, Shared, State
from nautes.clients.declarations import DECLARATION
from nautes.messages.errors import NotFound
from nautes.resources.base import Resource
from nautes.resources.product import CodeRepo

Live = dict[str, dict[str, Any]]


def routes(kind: Kind) -> APIRouter:
    """List, get, save and delete of one kind."""
    model, title, plural = kind.model, kind.model.kind, kind.plural
    router = APIRouter(prefix=f"/api/v1/products/{{product_name}}/{plural}", tags=[plural])
    at = f"/{{{kind.parameter}}}"
    named = Path(alias=kind.parameter, max_length=255, json_schema_extra=name_schema(model))
    body = body_schema(model)

    @router.get(
        "", operation_id=f"list_{plural}", summary=f"List {plural}", response_model=list_of(model), responses=LISTED
    )
    async def listed(product: ProductName, shared: Shared, may: May, wanted: Selected, known: Known) -> Response:
        view = await shared.reading.product(may, product)
        repository = f"{product}/{DECLARATION}"
        begun, cursor = begun_at(view, wanted, lambda commit: shared.reading.at(repository, commit, may))
        live = await _live(kind, shared, may, product, begun)
        return many(
            title, begun.items(title), begun.commit, wanted, cursor, known, lambda item: _shown(kind, item, live)
        )

    @router.get(
        at, operation_id=f"get_{title}", summary=f"Get one {title}", response_model=reply_of(model), responses=READ
    )
    async def get(product: ProductName, shared: Shared, may: May, known: Known, name: str = named) -> Response:
        item = (await shared.reading.product(may, product)).item(title, name)
        live = await _live_one(kind, shared, may, product, name) if item else {}
        return one(item, f"{title}/{name} in {product}", known, _shown(kind, item, live) if item else None)

    @router.post(
        at,
        operation_id=f"save_{title}",
        summary=f"Create or replace one {title}",
        response_model=Operations,
        responses=CHANGED,
        openapi_extra=body,
    )
    async def save(
        product: ProductName, request: Request, shared: Shared, may: May, given: Given, when: If, name: str = named
    ) -> JSONResponse:
        async def wanted() -> Resource:
            return resource_of_body(model, name, product, await json_body(request))

        async def find() -> Item | None:
            return (await shared.reading.product(may, product)).item(title, name)

        return await change_one(request, shared, may, "apply", f"change/{product}", given, when, find, wanted)

    @router.delete(
        at,
        operation_id=f"delete_{title}",
        summary=f"Delete one {title}; refused while something refers to it",
        response_model=Operations,
        responses=CHANGED,
    )
    async def delete(
        product: ProductName, request: Request, shared: Shared, may: May, given: Given, when: If, name: str = named
    ) -> JSONResponse:
        async def wanted() -> Resource:
            found = (await shared.reading.product(may, product)).resources.get(f"{title}/{name}")
            if found is None:
                raise NotFound("not-found", f"there is no {title}/{name} in {product}")
            return found

        async def find() -> Item | None:
            return (await shared.reading.product(may, product)).item(title, name)

        return await change_one(request, shared, may, "remove", f"change/{product}", given, when, find, wanted)

    return router


def _shown(kind: Kind, item: Item, live: Live) -> dict[str, Any]:
    return with_addresses(item, live.get(item.name)) if kind.model is CodeRepo else item.shown


async def _live(kind: Kind, shared: State, may: Rights, product: str, view: View) -> Live:
    """What only GitLab knows of repositories, asked for all of them at once."""
    if kind.model is not CodeRepo or not view.items(CodeRepo.kind):
        return {}
    return await shared.reading.repositories(may, product, view.commit)


async def _live_one(kind: Kind, shared: State, may: Rights, product: str, name: str) -> Live:
    if kind.model is not CodeRepo:
        return {}
    found = await asyncio.to_thread(shared.gitlab.project, may.caller.token, f"{product}/{name}")
    return {name: found} if found else {}


routers = [routes(each) for each in KINDS]
