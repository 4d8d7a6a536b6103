"""`POST /api/v1/apply`, `/remove` and `/plan`: a multi-document file as one change per product, and its clusters beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from api.bodies import YAML, manifests
from api.commands import Operations
from api.execution import Wanted, carry_out
from api.parameters import Flag, Given, Options
from api.problems import WRITES, documented
from api.state import May, Shared
from nautes.messages.operations import Action

router = APIRouter(prefix="/api/v1", tags=["changes"])
PROBLEMS = documented(*WRITES)
EXAMPLE = """apiVersion: nautes.resource.nautes.io/v1alpha1
kind: Environment
spec: {name: test, product: shop, cluster: deploy, envType: test}
"""
MANIFEST = {"$ref": "#/components/schemas/Manifest"}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "Manifests: YAML documents, or one JSON object, or an array of them.",
        "content": {
            **{each: {"schema": {"type": "string"}, "example": EXAMPLE} for each in YAML[:3]},
            "application/json": {"schema": {"anyOf": [MANIFEST, {"type": "array", "items": MANIFEST, "minItems": 1}]}},
        },
    }
}
RUNNING: dict[int | str, dict[str, Any]] = {
    202: {
        "model": Operations,
        "description": "An operation is still running: see the Location",
        "headers": {"Location": {"description": "Address of the operation", "schema": {"type": "string"}}},
    }
}
ANSWERS = {**RUNNING, **PROBLEMS}


@router.post("/apply", operation_id="apply", response_model=Operations, responses=ANSWERS, openapi_extra=BODY)
async def apply(request: Request, shared: Shared, may: May, options: Given) -> JSONResponse:
    """Apply the manifests of the body."""
    return await _change("apply", request, shared, may, options)


@router.post("/remove", operation_id="remove", response_model=Operations, responses=ANSWERS, openapi_extra=BODY)
async def remove(request: Request, shared: Shared, may: May, options: Given) -> JSONResponse:
    """Remove what the manifests of the body name."""
    return await _change("remove", request, shared, may, options)


@router.post("/plan", operation_id="plan", response_model=Operations, responses=ANSWERS, openapi_extra=BODY)
async def plan(
    request: Request,
    shared: Shared,
    may: May,
    action: Annotated[Literal["apply", "remove"], Query(description="The action to plan.")] = "apply",
    insecure_skip_check: Annotated[Flag, Query(description="Skip the rules; needs Maintainer.")] = False,
) -> JSONResponse:
    """Show what applying (or removing) the manifests would do; a change may then name the `plan` of the answer."""
    return await _change(action, request, shared, may, Options(dry_run=True, skip_check=insecure_skip_check))


async def _change(action: Action, request: Request, shared: Shared, may: May, options: Options) -> JSONResponse:
    wanted = Wanted(action, await manifests(request), options)
    what = "would be" if options.dry_run else "is"
    done = "applied" if action == "apply" else "removed"
    message = f"{len(wanted.resources)} manifests: {what} {done}"
    return await carry_out(request, shared, may, replace(wanted, message=message))
