"""A runtime's destination in a cluster: namespaces, account, Vault role. Prepared before use, given back after.

Used by the deployment and the pipeline workflows alike.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.claims import ClaimActivities
    from activities.runtimes import RuntimeActivities
    from activities.vault import VaultActivities
    from nautes.blueprints import runtimes
    from nautes.messages.claims import ClaimInput, Grant
    from nautes.messages.destinations import ClearAccountInput, ClearInput, PrepareInput
    from nautes.messages.errors import Unavailable
    from nautes.planning.runtimes import Spec, namespaces
    from workflows import inputs
    from workflows.effects import perform
    from workflows.timing import timing


async def prepare(spec: Spec, grant: Grant, former: Sequence[str] = ()) -> None:
    """Namespaces, accounts, role bindings (also in `former` namespaces that are still to be emptied); then the Vault role."""
    destination = PrepareInput(
        grant=grant,
        product_id=spec.product_id,
        namespaces=namespaces(spec),
        account=inputs.account(spec),
        binding=inputs.binding(spec),
        former=list(former),
    )
    await perform(RuntimeActivities.prepare, destination, f"Destination in {grant.cluster}", within=120)
    await perform(VaultActivities.ensure_runtime_role, inputs.vault_role(spec, grant), "Vault role of the account")


async def unclaim(spec: Spec, workflow_id: str, names: Sequence[str] | None = None) -> None:
    """Take back a claim whose answer never came: the cluster may have it. A cluster that is not there has none."""
    input = ClaimInput(cluster=spec.cluster, claim=inputs.claim(spec, workflow_id, names))
    with contextlib.suppress(Unavailable):
        await perform(ClaimActivities.release, input, "Take back the claim", timeout=timing().refused_retry)


async def release(
    spec: Spec, grant: Grant, workflow_id: str, names: Sequence[str], accounts: Sequence[str] = ()
) -> None:
    """Give namespaces back: those that nobody else uses are deleted, in the others the runtime's rights end.

    `accounts` are those the runtime has had besides the one it is specified with.
    """
    input = ClaimInput(cluster=grant.cluster, claim=inputs.claim(spec, workflow_id, names))
    released = await perform(ClaimActivities.release, input, "Give back the namespaces")
    clear = ClearInput(
        grant=grant,
        product_id=spec.product_id,
        namespaces=released.namespaces,
        kept=[each for each in names if each not in released.namespaces],
        binding=inputs.binding(spec),
        accounts=[runtimes.account_name(spec.product_id, each) for each in (spec.account, *accounts)],
    )
    await perform(RuntimeActivities.clear, clear, "Delete namespaces that no other runtime uses")


async def give_back(
    spec: Spec, grant: Grant, workflow_id: str, former: Sequence[str] = (), accounts: Sequence[str] = ()
) -> None:
    """Drop the Vault role, then give back all namespaces, also those that the runtime was leaving."""
    await perform(VaultActivities.drop_runtime_role, inputs.vault_role_name(spec, grant), "Drop the Vault role")
    await release(spec, grant, workflow_id, [*namespaces(spec), *former], accounts)


async def drop_accounts(spec: Spec, grant: Grant, accounts: Sequence[str]) -> None:
    """Delete accounts that the runtime acts as no more, where no other runtime does."""
    for each in accounts:
        account = runtimes.account_name(spec.product_id, each)
        input = ClearAccountInput(grant=grant, product_id=spec.product_id, namespaces=namespaces(spec), account=account)
        await perform(RuntimeActivities.clear_account, input, f"Former account {each}")
