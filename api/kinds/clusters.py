"""Clusters: registered by the platform team, declared in the tenant repository."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from api.bodies import json_body
from api.commands import Operations
from api.kinds.answers import CHANGED, LISTED, READ, begun_at, body_schema, change_one, list_of, many, one
from api.parameters import Given, If, Known, Selected
from api.reading import Item
from api.schemas import name_schema, reply_of, resource_of_body
from api.state import May, Shared
from nautes.messages.errors import NotFound
from nautes.resources.base import Resource
from nautes.resources.cluster import Cluster

router = APIRouter(prefix="/api/v1/clusters", tags=["clusters"])
Name = Annotated[str, Path(alias="cluster_name", max_length=255, json_schema_extra=name_schema(Cluster))]


@router.get("", operation_id="list_clusters", response_model=list_of(Cluster), responses=LISTED)
async def clusters(shared: Shared, may: May, wanted: Selected, known: Known) -> Response:
    """Every registered cluster."""
    view = await shared.reading.clusters(may)
    repository = shared.reading.tenant_repository
    begun, cursor = begun_at(view, wanted, lambda commit: shared.reading.at(repository, commit, may))
    items = begun.items(Cluster.kind)
    return many(Cluster.kind, items, begun.commit, wanted, cursor, known, lambda item: item.shown)


@router.get("/{cluster_name}", operation_id="get_Cluster", response_model=reply_of(Cluster), responses=READ)
async def one_cluster(name: Name, shared: Shared, may: May, known: Known) -> Response:
    """One registered cluster."""
    return one((await shared.reading.clusters(may)).item(Cluster.kind, name), f"cluster {name}", known)


@router.post(
    "/{cluster_name}",
    operation_id="save_Cluster",
    response_model=Operations,
    responses=CHANGED,
    openapi_extra=body_schema(Cluster),
)
async def save_cluster(name: Name, request: Request, shared: Shared, may: May, given: Given, when: If) -> JSONResponse:
    """Register or update a cluster. The kubeconfig goes to Vault and is never shown again."""

    async def wanted() -> Resource:
        return resource_of_body(Cluster, name, "", await json_body(request))

    async def find() -> Item | None:
        return (await shared.reading.clusters(may)).item(Cluster.kind, name)

    return await change_one(request, shared, may, "apply", f"registration/{name}", given, when, find, wanted)


@router.delete("/{cluster_name}", operation_id="delete_Cluster", response_model=Operations, responses=CHANGED)
async def delete_cluster(
    name: Name, request: Request, shared: Shared, may: May, given: Given, when: If
) -> JSONResponse:
    """Remove a cluster; refused while anything uses it."""

    async def wanted() -> Resource:
        found = (await shared.reading.clusters(may)).resources.get(f"{Cluster.kind}/{name}")
        if found is None:
            raise NotFound("not-found", f"there is no cluster {name}")
        return found

    async def find() -> Item | None:
        return (await shared.reading.clusters(may)).item(Cluster.kind, name)

    return await change_one(request, shared, may, "remove", f"registration/{name}", given, when, find, wanted)
