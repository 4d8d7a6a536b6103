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
    from nautes.messages.clusters import ClaimInput, Grant
    from nautes.messages.destinations import ClearInput, PrepareInput
    from nautes.messages.errors import Unavailable
    from nautes.messages.timing import TIMING
    from workflows import inputs
    from workflows.effects import perform


async def prepare(spec: inputs.Spec, grant: Grant) -> None:
    """Namespaces, accounts, role bindings; then the Vault role bound to them."""
    place = PrepareInput(
        grant=grant,
        product_id=spec.product_id,
        namespaces=inputs.namespaces(spec),
        account=inputs.account(spec),
        binding=inputs.binding(spec),
    )
    await perform(RuntimeActivities.prepare, place, f"Place in {grant.cluster}", within=120)
    await perform(VaultActivities.ensure_runtime_role, inputs.vault_role(spec, grant), "Vault role of the account")


async def unclaim(spec: inputs.Spec, workflow_id: str) -> None:
    """Take back a claim whose answer nobody waited for: the cluster may have heard it. One that is not there has none."""
    input = ClaimInput(cluster=spec.cluster, claim=inputs.claim(spec, workflow_id))
    with contextlib.suppress(Unavailable):
        await perform(ControlActivities.release, input, "Take back the claim", timeout=TIMING.refused_retry)


async def give_back(spec: inputs.Spec, grant: Grant, workflow_id: str) -> None:
    """Drop the Vault role, give back the claim, delete the namespaces that nobody else uses, and the rights in the others."""
    await perform(VaultActivities.drop_runtime_role, inputs.vault_role_name(spec, grant), "Drop the Vault role")
    input = ClaimInput(cluster=grant.cluster, claim=inputs.claim(spec, workflow_id))
    released = await perform(ControlActivities.release, input, "Give back the namespaces")
    clear = ClearInput(
        grant=grant,
        product_id=spec.product_id,
        namespaces=released.namespaces,
        kept=[each for each in inputs.namespaces(spec) if each not in released.namespaces],
        binding=inputs.binding(spec),
    )
    await perform(RuntimeActivities.clear, clear, "Delete namespaces nobody else uses", within=900)
