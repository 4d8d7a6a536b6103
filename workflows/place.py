"""A runtime's place in a cluster: namespaces, account, Vault role. Prepared before use, given back after.

Used by the deployment and the pipeline workflows alike.
"""

from __future__ import annotations

import contextlib

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.control import ControlActivities
    from activities.runtimes import RuntimeActivities
    from activities.vault import VaultActivities
    from nautes.messages.clusters import ClaimOrder, Grant
    from nautes.messages.errors import Unavailable
    from nautes.messages.places import ClearOrder, PlaceOrder
    from nautes.messages.timing import TIMING
    from workflows import orders
    from workflows.effects import perform


async def prepare(spec: orders.Spec, grant: Grant) -> None:
    """Namespaces, accounts, role bindings; then the Vault role bound to them."""
    place = PlaceOrder(
        grant=grant,
        product_id=spec.product_id,
        namespaces=orders.namespaces(spec),
        account=orders.account(spec),
        binding=orders.binding(spec),
    )
    await perform(RuntimeActivities.prepare, place, f"Place in {grant.cluster}", within=120)
    await perform(VaultActivities.ensure_runtime_role, orders.vault_role(spec, grant), "Vault role of the account")


async def unclaim(spec: orders.Spec, workflow_id: str) -> None:
    """Take back a claim whose answer nobody waited for: the cluster may have heard it. One that is not there has none."""
    order = ClaimOrder(cluster=spec.cluster, claim=orders.claim(spec, workflow_id))
    with contextlib.suppress(Unavailable):
        await perform(ControlActivities.release, order, "Take back the claim", patience=TIMING.refused_retry)


async def give_back(spec: orders.Spec, grant: Grant, workflow_id: str) -> None:
    """Drop the Vault role, give back the claim, delete the namespaces that nobody else uses, and the rights in the others."""
    await perform(VaultActivities.drop_runtime_role, orders.vault_role_name(spec, grant), "Drop the Vault role")
    order = ClaimOrder(cluster=grant.cluster, claim=orders.claim(spec, workflow_id))
    released = await perform(ControlActivities.release, order, "Give back the namespaces")
    clear = ClearOrder(
        grant=grant,
        product_id=spec.product_id,
        namespaces=released.namespaces,
        kept=[each for each in orders.namespaces(spec) if each not in released.namespaces],
        binding=orders.binding(spec),
    )
    await perform(RuntimeActivities.clear, clear, "Delete namespaces nobody else uses", within=900)
