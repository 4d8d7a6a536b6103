"""Carries out a request: authorizes all of it, queues one operation per cluster and per product, waits for their results.

Used by the routes for whole files (api/changes.py) and by those of the kinds (api/kinds/).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import Request
from fastapi.responses import JSONResponse

from api import authorization
from api.authorization import Change, Rights
from api.commands import POLL_EVERY, operation_id, respond, result, running, submit
from api.identity import Caller
from api.operations import product_status
from api.parameters import Options
from api.state import State
from nautes.blueprints import vault as vault_names
from nautes.clients.kubeconfig import check_kubeconfig
from nautes.clients.vault import Vault
from nautes.messages import ids
from nautes.messages.errors import NotFound, Refused
from nautes.messages.operations import SUCCEEDED, Action, ChangeRequest, ClusterRequest, OperationResult
from nautes.messages.secrets import SecretRef
from nautes.planning.steps import Outcome
from nautes.resources.base import Resource
from nautes.resources.cluster import Cluster
from nautes.resources.findings import Finding
from nautes.resources.kinds import in_order
from nautes.resources.manifest import manifest_of
from nautes.resources.product import Product
from nautes.rules.decided import PRODUCT_RESERVED

JUST_REMOVED = 2.0  # seconds for which a removed product may still seem to exist
Ended = list[tuple[str, OperationResult | None]]


@dataclass(frozen=True)
class Wanted:
    """A requested change. `expected`: versions that its workflow must find, by "<Kind>/<name>"."""

    action: Action
    resources: list[Resource]
    options: Options
    expected: Mapping[str, str] = field(default_factory=dict)
    message: str = ""  # message for the log when it is done

    @property
    def clusters(self) -> list[Cluster]:
        """Its clusters."""
        return [each for each in self.resources if isinstance(each, Cluster)]

    @property
    def products(self) -> dict[str, list[Resource]]:
        """The other resources, by product."""
        found: dict[str, list[Resource]] = {}
        for each in self.resources:
            if not isinstance(each, Cluster):
                found.setdefault(each.name if isinstance(each, Product) else each.product, []).append(each)
        return found


async def carry_out(request: Request, shared: State, rights: Rights, wanted: Wanted) -> JSONResponse:
    """Raises, before any effect, when the caller lacks a right."""
    operation = await operation_id(request, rights.caller)
    absent = await _authorize(shared, rights, wanted)
    orders: list[ClusterRequest | ChangeRequest] = []
    for cluster in wanted.clusters:
        orders.append(await _cluster_order(shared, rights.caller, wanted, cluster, operation))
    orders += [_order(rights.caller, wanted, path, operation) for path in wanted.products if path not in absent]
    done: Ended = [_nothing_there(operation, path, wanted.products[path]) for path in absent]
    return respond(done + await _in_stages(shared, orders, wanted), wanted.message)


async def repeated(request: Request, shared: State, who: Caller, owner: str, wait: float) -> JSONResponse | None:
    """The answer to a request whose Idempotency-Key was seen before with it; `owner` is "change/<product>" or alike."""
    if not request.headers.get("idempotency-key"):
        return None
    key = f"{owner}/{await operation_id(request, who)}"
    if owner.startswith("registration/"):
        key += f"-{owner.partition('/')[2]}"
    if await running(shared.temporal, key) is None:
        return None
    return respond([(key, await result(shared.temporal, key, wait))])


async def _in_stages(shared: State, orders: list[ClusterRequest | ChangeRequest], wanted: Wanted) -> Ended:
    """One stage after the other; after a refusal the later ones are not begun."""
    done: Ended = []
    for stage in _stages(orders, wanted):
        keys = [await submit(shared.temporal, each) for each in stage]
        found = await asyncio.gather(*(result(shared.temporal, key, wanted.options.wait) for key in keys))
        done += list(zip(keys, found, strict=True))
        if any(each is not None and each.state not in SUCCEEDED for each in found):
            break
    return done


def _stages(orders: list[ClusterRequest | ChangeRequest], wanted: Wanted) -> list[list[ClusterRequest | ChangeRequest]]:
    """Clusters before what uses them; when removing the reverse, and virtual clusters before their hosts."""
    changes = [each for each in orders if isinstance(each, ChangeRequest)]
    clusters = [each for each in orders if isinstance(each, ClusterRequest)]
    if wanted.action == "apply":
        return [[*clusters], [*changes]]
    virtual = {each.name for each in wanted.clusters if each.host_cluster}
    guests = [each for each in clusters if each.cluster in virtual]
    return [[*changes[::-1]], [*guests], [each for each in clusters if each.cluster not in virtual]]


async def _authorize(shared: State, rights: Rights, wanted: Wanted) -> set[str]:
    """Raise unless all of it is allowed; return the products to remove that do not exist or are hidden."""
    absent: set[str] = set()
    if wanted.clusters:
        await authorization.may_change_clusters(rights, shared.reading.tenant_repository)
    for path, own in wanted.products.items():
        _require_no_tenant(shared, path)
        if wanted.action == "remove" and await rights.level(path, authorization.GROUPS) is None:
            absent.add(path)  # the answer must not tell a hidden product from a missing one: no workflow is called
            continue

        async def declared(path: str = path) -> Mapping[str, Resource]:
            return (await shared.reading.product(rights, path)).resources

        await authorization.may_change(rights, Change(path, wanted.action, own, wanted.options.skip_check), declared)
        if wanted.action == "apply" and any(isinstance(each, Product) for each in own):
            await _require_not_hidden(shared, rights, path)
    return absent


def _require_no_tenant(shared: State, path: str) -> None:
    if path == shared.settings.tenant:
        finding = PRODUCT_RESERVED.finding("", f"{path} is the tenant's own group")
        raise Refused("product-reserved", finding.message, findings=[finding])


async def _require_not_hidden(shared: State, rights: Rights, path: str) -> None:
    """Raises when the product exists but is hidden from the caller, who may not declare its name."""
    hidden = await rights.level(path, authorization.GROUPS) is None
    if not hidden or not await running(shared.temporal, ids.product(path)):
        return
    status = await product_status(shared, path)
    deadline = time.monotonic() + JUST_REMOVED
    while status.operation and time.monotonic() < deadline:  # it may be being removed: then its name becomes free
        await asyncio.sleep(POLL_EVERY)
        if not await running(shared.temporal, ids.product(path)):
            return
        status = await product_status(shared, path)
    if status.id:
        raise NotFound("not-found", f"there is no product {path}, or you may not know of it")


def _nothing_there(operation: str, path: str, own: list[Resource]) -> tuple[str, OperationResult]:
    """The result of a removal of what does not exist."""
    outcomes = [Outcome(resource=each.key, action="absent") for each in in_order(own, remove=True)]
    return operation, OperationResult(operation=ids.change(path, operation), state="done", outcomes=outcomes)


def _order(who: Caller, wanted: Wanted, path: str, operation: str) -> ChangeRequest:
    own, options = wanted.products[path], wanted.options
    return ChangeRequest(
        operation=operation,
        product=path,
        action=wanted.action,
        manifests=[manifest_of(each) for each in in_order(own, remove=wanted.action == "remove")],
        requester=who.person,
        skip_check=options.skip_check,
        dry_run=options.dry_run,
        plans=list(options.plans),
        expected=dict(wanted.expected),
        confirmed=options.confirmed,
    )


def _require_sound(cluster: Cluster, kubeconfig: str, *, allow_loopback: bool) -> None:
    """Checks the kubeconfig of a plan, which stages nothing in Vault. Raises Refused as a registration would."""
    try:
        check_kubeconfig(kubeconfig, allow_loopback=allow_loopback)
    except Refused as error:
        finding = Finding(rule=error.code, message=error.message, resource=cluster.key, pointer="/spec/kubeconfig")
        raise Refused(error.code, error.message, findings=[finding]) from None


def _stage(vault: Vault, cluster: Cluster, kubeconfig: str, path: str) -> SecretRef | None:
    """Stage a kubeconfig; None for one that Vault has already: the cluster keeps it, and nothing is written."""
    noted = vault.notes("cluster", vault_names.kubeconfig_path(cluster.name))
    if noted.get(vault_names.GIVEN) == vault_names.given(kubeconfig, cluster.api_server):
        return None
    return vault.write("cluster", path, {"kubeconfig": kubeconfig})


async def _cluster_order(
    shared: State, who: Caller, wanted: Wanted, cluster: Cluster, operation: str
) -> ClusterRequest:
    """Write the kubeconfig to Vault, after authorization; from here on only its reference is passed on."""
    own = f"{operation}-{cluster.name}"
    bare, kubeconfig = cluster.without_secrets()
    staged: SecretRef | None = None
    if kubeconfig and wanted.options.dry_run:
        _require_sound(bare, kubeconfig, allow_loopback=shared.settings.allow_loopback)
    # A repeated request was staged before: staging it again would leave a secret that no operation deletes.
    known = await running(shared.temporal, ids.registration(cluster.name, own)) is not None
    if kubeconfig and wanted.action == "apply" and not wanted.options.dry_run and not known:
        staged = await asyncio.to_thread(_stage, shared.vault, bare, kubeconfig, f"{vault_names.STAGING}{own}")
    return ClusterRequest(
        operation=own,
        cluster=cluster.name,
        action=wanted.action,
        manifest=manifest_of(bare),
        kubeconfig=staged,
        requester=who.person,
        dry_run=wanted.options.dry_run,
        plans=list(wanted.options.plans),
        expected=dict(wanted.expected),
    )
