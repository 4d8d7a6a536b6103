"""The routes of the original system: one per kind, list, get, save, delete; bodies in snake_case as documented there.

Reading goes to Git with the caller's own token: the head of the declaration is the freshness and the authorization. Saving and
deleting are changes like any other (api/changes.py).
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from pydantic.alias_generators import to_snake

from api.bodies import DEEPEST, json_object
from api.changes import PROBLEMS, carry_out
from api.commands import Operations
from api.identity import REPORTER, Caller
from api.operations import Wait
from api.paths import ProductName
from api.state import Shared, State, Who
from clients.declarations import Declarations
from clients.git import GitCache
from clients.gitlab import DOOR_LOOKS, GitLab
from contracts.errors import NotFound, Refused
from resources.base import Resource
from resources.findings import Finding
from resources.kinds import KINDS
from resources.product import Product

router = APIRouter(prefix="/api/v1", tags=["kinds"])
PLURALS = {
    "projects": "Project",
    "environments": "Environment",
    "coderepos": "CodeRepo",
    "coderepobindings": "CodeRepoBinding",
    "projectpipelineruntimes": "ProjectPipelineRuntime",
    "deploymentruntimes": "DeploymentRuntime",
}
DELETED = "-deletion_scheduled-"  # how GitLab renames what it has still to delete


async def _json_body(request: Request, who: Who) -> dict[str, Any]:
    """The body as an object; nothing is read for whom nobody knows. Raises Refused."""
    try:
        return json_object(await request.body())
    except ValueError:
        raise Refused("body-invalid", f"the body must be a JSON object of at most {DEEPEST} levels") from None


JsonBody = Annotated[dict[str, Any], Depends(_json_body)]
BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


def declarations(shared: State, who: Caller) -> Declarations:
    """Declarations as this caller may see them."""
    settings = shared.settings
    gitlab = GitLab(settings.gitlab_url, who.token, settings.request_seconds, looks=DOOR_LOOKS)
    git = GitCache(settings.state_dir / "git", settings.gitlab_url, lambda: ("oauth2", who.token))
    return Declarations(gitlab, git, settings.tenant)


def to_body(resource: Resource) -> dict[str, Any]:
    """A resource as the API shows it: snake_case, never a secret."""
    shown = _snake(resource.model_dump(mode="json", by_alias=True, exclude_none=True))
    if "product_name" in shown:
        shown["product"] = shown.pop("product_name")
    shown.pop("kubeconfig", None)
    return dict(shown)


def of_body(kind: str, name: str, product: str, body: dict[str, Any]) -> Resource:
    """A resource from a body of the API. Raises Refused with every finding."""
    model = KINDS[kind]
    data: dict[str, Any] = {**body, "name": name}
    if kind == "CodeRepoBinding":
        data.pop("product", None)
        data["product_name"] = product
    elif kind not in ("Cluster", "Product"):
        data["product"] = product
    try:
        return model.model_validate(data)
    except ValidationError as error:
        findings = [
            Finding(
                rule="schema-unknown-field" if each["type"] == "extra_forbidden" else "schema-value",
                message=f"{'.'.join(map(str, each['loc']))}: {each['msg']}",
                pointer="/" + "/".join(map(str, each["loc"])),
                resource=f"{kind}/{name}",
            )
            for each in error.errors()
        ]
        raise Refused("manifest-invalid", findings[0].message, findings=findings) from None


def _snake(value: Any) -> Any:
    if isinstance(value, dict):
        return {to_snake(key): _snake(each) for key, each in value.items()}
    return [_snake(each) for each in value] if isinstance(value, list) else value


@router.get("/clusters", responses=PROBLEMS)
async def clusters(shared: Shared, who: Who) -> dict[str, Any]:
    """Every registered cluster."""
    await shared.door.require(who, f"{shared.settings.tenant}/management", "projects", REPORTER)
    found = await asyncio.to_thread(declarations(shared, who).clusters)
    return {"items": [to_body(each) for _, each in sorted(found.clusters.items())]}


@router.get("/clusters/{cluster}", responses=PROBLEMS)
async def one_cluster(cluster: str, shared: Shared, who: Who) -> dict[str, Any]:
    """One registered cluster."""
    return _named((await clusters(shared, who))["items"], cluster, "cluster")


@router.post("/clusters/{cluster}", response_model=Operations, responses=PROBLEMS, openapi_extra=BODY)
async def save_cluster(
    cluster: str, request: Request, shared: Shared, who: Who, body: JsonBody, wait: Wait = 30
) -> JSONResponse:
    """Register or update a cluster."""
    resource = of_body("Cluster", cluster, "", body)
    return await carry_out(request, shared, who, "apply", [resource], wait)


@router.delete("/clusters/{cluster}", response_model=Operations, responses=PROBLEMS)
async def delete_cluster(cluster: str, request: Request, shared: Shared, who: Who, wait: Wait = 30) -> JSONResponse:
    """Remove a cluster; refused while anything uses it."""
    await shared.door.require(who, f"{shared.settings.tenant}/management", "projects", REPORTER)
    found = (await asyncio.to_thread(declarations(shared, who).clusters)).clusters.get(cluster)
    if found is None:
        raise NotFound("not-found", f"there is no cluster {cluster}")
    return await carry_out(request, shared, who, "remove", [found], wait)


@router.get("/products", responses=PROBLEMS)
async def products(shared: Shared, who: Who) -> dict[str, Any]:
    """The products the caller may know of."""
    gitlab = GitLab(shared.settings.gitlab_url, who.token, shared.settings.request_seconds, looks=DOOR_LOOKS)
    listed = await asyncio.to_thread(gitlab.pages, "/projects", search="default.project", membership="true")
    paths = sorted(
        str(each["path_with_namespace"]).rpartition("/")[0]
        for each in listed
        if each["path"] == "default.project" and DELETED not in str(each["path_with_namespace"])
    )
    return {"items": [{"name": path} for path in paths]}


@router.get("/products/{product}", responses=PROBLEMS)
async def one_product(product: ProductName, shared: Shared, who: Who) -> dict[str, Any]:
    """One product."""
    await shared.door.require(who, f"{product}/default.project", "projects", REPORTER)
    gitlab = GitLab(shared.settings.gitlab_url, who.token, shared.settings.request_seconds, looks=DOOR_LOOKS)
    group = await asyncio.to_thread(gitlab.get, f"/groups/{product.replace('/', '%2F')}")
    shown = {name: group[name] for name in ("name", "path", "visibility", "description")}
    return {"name": product, "git": {"gitlab": shown}}


@router.post("/products/{product}", response_model=Operations, responses=PROBLEMS, openapi_extra=BODY)
async def save_product(
    product: ProductName, request: Request, shared: Shared, who: Who, body: JsonBody, wait: Wait = 30
) -> JSONResponse:
    """Create or update a product."""
    return await carry_out(request, shared, who, "apply", [of_body("Product", product, "", body)], wait)


@router.delete("/products/{product}", response_model=Operations, responses=PROBLEMS)
async def delete_product(
    product: ProductName, request: Request, shared: Shared, who: Who, wait: Wait = 30
) -> JSONResponse:
    """Remove a product; refused while it holds anything."""
    return await carry_out(request, shared, who, "remove", [Product(name=product)], wait)


@router.get("/products/{product}/{kind}", responses=PROBLEMS)
async def listed(product: ProductName, kind: str, shared: Shared, who: Who) -> dict[str, Any]:
    """Everything of one kind in a product."""
    name = _kind(kind)
    await shared.door.require(who, f"{product}/default.project", "projects", REPORTER)
    found = await asyncio.to_thread(declarations(shared, who).product, product)
    return {"items": [to_body(each) for each in (found.tree.all(KINDS[name]) if found.tree else [])]}


@router.get("/products/{product}/{kind}/{name}", responses=PROBLEMS)
async def one(product: ProductName, kind: str, name: str, shared: Shared, who: Who) -> dict[str, Any]:
    """One resource."""
    return _named((await listed(product, kind, shared, who))["items"], name, kind)


@router.post("/products/{product}/{kind}/{name}", response_model=Operations, responses=PROBLEMS, openapi_extra=BODY)
async def save(
    product: ProductName,
    kind: str,
    name: str,
    request: Request,
    shared: Shared,
    who: Who,
    body: JsonBody,
    wait: Wait = 30,
    dry_run: bool = False,
    insecure_skip_check: bool = False,
) -> JSONResponse:
    """Create or replace one resource."""
    resource = of_body(_kind(kind), name, product, body)
    return await carry_out(request, shared, who, "apply", [resource], wait, dry_run, insecure_skip_check)


@router.delete("/products/{product}/{kind}/{name}", response_model=Operations, responses=PROBLEMS)
async def delete(
    product: ProductName,
    kind: str,
    name: str,
    request: Request,
    shared: Shared,
    who: Who,
    wait: Wait = 30,
    dry_run: bool = False,
    insecure_skip_check: bool = False,
) -> JSONResponse:
    """Remove one resource; refused while something refers to it."""
    await shared.door.require(who, f"{product}/default.project", "projects", REPORTER)
    found = await asyncio.to_thread(declarations(shared, who).product, product)
    resource = found.tree.get(KINDS[_kind(kind)], name) if found.tree else None
    if resource is None:
        raise NotFound("not-found", f"there is no {kind}/{name} in {product}")
    return await carry_out(request, shared, who, "remove", [resource], wait, dry_run, insecure_skip_check)


def _kind(plural: str) -> str:
    if plural not in PLURALS:
        raise NotFound("route-unknown", f"there is no kind {plural}")
    return PLURALS[plural]


def _named(items: list[dict[str, Any]], name: str, what: str) -> dict[str, Any]:
    for each in items:
        if each["name"] == name:
            return each
    raise NotFound("not-found", f"there is no {what} {name}")
