"""`POST /api/v1/apply` and `/remove`: a multi-document file as one change per product, and its clusters beside it.

The per-kind routes (api/kinds.py) end here as well. Each document is authorized on its own before anything is queued.
"""

from __future__ import annotations

import asyncio
import time

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.commands import LOOK_EVERY, Operations, operation_id, respond, result, running, submit
from api.identity import MAINTAINER, Caller
from api.operations import Wait, product_status
from api.problems import documented
from api.state import Shared, State, Who
from contracts import ids
from contracts.errors import NotFound, Refused
from contracts.operations import Action, ChangeRequest, ClusterRequest, OperationResult, Outcome
from contracts.secrets import SecretRef
from resources.base import Resource
from resources.cluster import Cluster
from resources.findings import Finding
from resources.kinds import in_order
from resources.manifest import manifest_of, parse
from resources.product import Product

router = APIRouter(prefix="/api/v1", tags=["changes"])
PROBLEMS = documented(401, 403, 404, 409, 413, 422, 503)
JUST_REMOVED = 2.0  # seconds in which a product whose removal was answered may still seem to be there


@router.post("/apply", response_model=Operations, responses=PROBLEMS)
async def apply(
    request: Request,
    shared: Shared,
    who: Who,
    wait: Wait = 30,
    dry_run: bool = False,
    insecure_skip_check: bool = False,
) -> JSONResponse:
    """Apply the manifests of the body (YAML or JSON documents)."""
    return await _change("apply", request, shared, who, wait, dry_run, insecure_skip_check)


@router.post("/remove", response_model=Operations, responses=PROBLEMS)
async def remove(
    request: Request,
    shared: Shared,
    who: Who,
    wait: Wait = 30,
    dry_run: bool = False,
    insecure_skip_check: bool = False,
) -> JSONResponse:
    """Remove what the manifests of the body (YAML or JSON documents) name."""
    return await _change("remove", request, shared, who, wait, dry_run, insecure_skip_check)


async def _change(
    action: Action, request: Request, shared: State, who: Caller, wait: float, dry_run: bool, skip_check: bool
) -> JSONResponse:
    resources, findings = parse(await request.body(), "")
    if findings:
        raise Refused("manifest-invalid", findings[0].message, findings=findings)
    if not resources:
        raise Refused("manifest-empty", "the body holds no manifest")
    return await carry_out(request, shared, who, action, resources, wait, dry_run, skip_check)


async def carry_out(
    request: Request,
    shared: State,
    who: Caller,
    action: Action,
    resources: list[Resource],
    wait: float,
    dry_run: bool = False,
    skip_check: bool = False,
) -> JSONResponse:
    """Authorize everything, then queue one operation per cluster and per product, then wait for their ends."""
    clusters = [each for each in resources if isinstance(each, Cluster)]
    products = _by_product(resources)
    operation = await operation_id(request, who)
    absent = await _authorize(shared, who, action, clusters, products)
    commands: list[ClusterRequest | ChangeRequest] = []
    if dry_run and clusters:
        raise Refused("dry-run-cluster", "a registration of a cluster cannot be planned")
    for cluster in clusters:
        commands.append(await _cluster_request(shared, who, action, cluster, operation))
    for path, own in products.items():
        if path in absent:
            continue
        commands.append(
            ChangeRequest(
                operation=operation,
                product=path,
                action=action,
                manifests=[manifest_of(each) for each in in_order(own, remove=action == "remove")],
                requester=who.person,
                skip_check=skip_check,
                dry_run=dry_run,
            )
        )
    if action == "remove":
        commands.reverse()
    # Clusters first: an environment of the same file may stand on one of them.
    stages = [[each for each in commands if isinstance(each, kind)] for kind in (ClusterRequest, ChangeRequest)]
    done: list[tuple[str, OperationResult | None]] = [
        (each.operation, each) for each in (_nothing_there(operation, path, products[path]) for path in absent)
    ]
    for stage in stages if action == "apply" else stages[::-1]:
        keys = [await submit(shared.temporal, each) for each in stage]
        found = await asyncio.gather(*(result(shared.temporal, key, wait) for key in keys))
        done += list(zip(keys, found, strict=True))
        if any(each is not None and each.state != "done" for each in found):
            break
    return respond(done)


def _by_product(resources: list[Resource]) -> dict[str, list[Resource]]:
    found: dict[str, list[Resource]] = {}
    for each in resources:
        if not isinstance(each, Cluster):
            found.setdefault(each.name if isinstance(each, Product) else each.product, []).append(each)
    return found


async def _authorize(
    shared: State, who: Caller, action: Action, clusters: list[Cluster], products: dict[str, list[Resource]]
) -> set[str]:
    """Raise unless all of it is allowed; answers with the products to remove that the caller knows nothing of."""
    absent: set[str] = set()
    if clusters:
        await shared.door.require(who, f"{shared.settings.tenant}/management", "projects", MAINTAINER)
    for path, own in products.items():
        if path == shared.settings.tenant:
            finding = Finding(rule="product-reserved", message=f"{path} is the tenant's own group")
            raise Refused("product-reserved", finding.message, findings=[finding])
        creates = action == "apply" and any(isinstance(each, Product) for each in own)
        if action == "remove" and await shared.door.level(who, path, "groups") is None:
            absent.add(
                path
            )  # not there or hidden, which the answer must not tell apart: nothing is asked of a workflow
            continue
        await shared.door.may_change_product(who, path, creates=creates or action == "remove")
        if creates and await _hidden(shared, who, path):
            raise NotFound("not-found", f"there is no product {path}, or you may not know of it")
    return absent


async def _hidden(shared: State, who: Caller, path: str) -> bool:
    """Whether a product is there that the caller cannot see: its name is not theirs to declare."""
    if await shared.door.level(who, path, "groups") is not None or not await running(
        shared.temporal, ids.product(path)
    ):
        return False
    status = await product_status(shared, path)
    deadline = time.monotonic() + JUST_REMOVED
    while status.operation and time.monotonic() < deadline:  # perhaps it is just being removed: then its name is free
        await asyncio.sleep(LOOK_EVERY)
        if not await running(shared.temporal, ids.product(path)):
            return False
        status = await product_status(shared, path)
    return bool(status.id)


def _nothing_there(operation: str, path: str, own: list[Resource]) -> OperationResult:
    """The end of a removal of what is not there."""
    outcomes = [Outcome(resource=each.key, action="absent") for each in in_order(own, remove=True)]
    return OperationResult(operation=ids.change(path, operation), state="done", outcomes=outcomes)


async def _cluster_request(
    shared: State, who: Caller, action: Action, cluster: Cluster, operation: str
) -> ClusterRequest:
    """The kubeconfig goes to Vault here, after authorization; from here on there is only its reference."""
    own = f"{operation}-{cluster.name}"
    bare, kubeconfig = cluster.without_secrets()
    staged: SecretRef | None = None
    # A repeated request has been staged before: once more would leave a secret behind that no operation forgets.
    known = await running(shared.temporal, ids.registration(cluster.name, own)) is not None
    if kubeconfig and action == "apply" and not known:
        path = f"staging/{own}"
        staged = await asyncio.to_thread(shared.vault.write, "cluster", path, {"kubeconfig": kubeconfig})
    return ClusterRequest(
        operation=own,
        cluster=cluster.name,
        action=action,
        manifest=manifest_of(bare),
        kubeconfig=staged,
        requester=who.person,
    )
