"""Products: GitLab groups with a declaration. What is in them: resources.py."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api import authorization
from api.bodies import json_body
from api.commands import Operations
from api.kinds.answers import CHANGED, LISTED, READ, body_schema, change_one, list_of, many, one
from api.pages import Cursor
from api.parameters import Given, If, Known, Selected
from api.paths import ProductName
from api.reading import Item
from api.schemas import reply_of, resource_of_body
from api.state import May, Shared
from nautes.messages.errors import NotFound
from nautes.resources.base import Resource
from nautes.resources.product import Product

router = APIRouter(prefix="/api/v1/products", tags=["products"])


@router.get("", operation_id="list_products", response_model=list_of(Product), responses=LISTED)
async def products(shared: Shared, may: May, wanted: Selected, known: Known) -> Response:
    """The products the caller is a member of."""
    cursor = Cursor.of(wanted.cursor) if wanted.cursor else None
    items = await shared.reading.products(may)
    return many(Product.kind, items, "", wanted, cursor, known, lambda item: item.shown)


@router.get("/{product_name}", operation_id="get_Product", response_model=reply_of(Product), responses=READ)
async def one_product(product: ProductName, shared: Shared, may: May, known: Known) -> Response:
    """One product."""
    return one(await shared.reading.one_product(may, product), f"product {product}", known)


@router.post(
    "/{product_name}",
    operation_id="save_Product",
    response_model=Operations,
    responses=CHANGED,
    openapi_extra=body_schema(Product),
)
async def save_product(
    product: ProductName, request: Request, shared: Shared, may: May, given: Given, when: If
) -> JSONResponse:
    """Create or update a product."""

    async def wanted() -> Resource:
        return resource_of_body(Product, product, "", await json_body(request))

    async def find() -> Item | None:
        return await _find(shared, may, product)

    return await change_one(request, shared, may, "apply", f"change/{product}", given, when, find, wanted)


@router.delete("/{product_name}", operation_id="delete_Product", response_model=Operations, responses=CHANGED)
async def delete_product(
    product: ProductName, request: Request, shared: Shared, may: May, given: Given, when: If
) -> JSONResponse:
    """Delete a product; refused while it holds anything."""

    async def wanted() -> Resource:
        if await may.level(product, authorization.GROUPS) is None:
            raise authorization.unknown(product)
        return resource_of_body(Product, product, "", {})

    async def find() -> Item | None:
        return await _find(shared, may, product)

    return await change_one(request, shared, may, "remove", f"change/{product}", given, when, find, wanted)


async def _find(shared: Shared, may: May, product: str) -> Item | None:
    try:
        return await shared.reading.one_product(may, product)
    except NotFound:
        return None
