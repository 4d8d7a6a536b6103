"""What Temporal UI shows of a workflow: search attributes on a change of phase, and details in Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from nautes.messages import search
    from nautes.messages.status import MEMO, DeploymentStatus
    from nautes.resources.payload import Payload


def describe(
    kind: str,
    phase: str,
    *,
    product: str = "",
    product_id: str = "",
    cluster: str = "",
    revision: str = "",
    details: str = "",
) -> None:
    """Publish the phase. Search attributes are written only when they changed: each write is an event in history."""
    wanted = {
        search.KIND: kind,
        search.PHASE: phase,
        search.PRODUCT: product,
        search.PRODUCT_ID: product_id,
        search.CLUSTER: cluster,
        search.REVISION: revision,
    }
    changed = list(_changes(wanted))
    if changed:
        workflow.upsert_search_attributes(changed)
    workflow.set_current_details(f"**{phase}**\n\n{details}" if details else f"**{phase}**")


def listed(status: Payload, *volatile: str) -> None:
    """Put a status into the memo, for lists: an event in history, written when more than the `volatile` fields changed."""
    now = status.model_dump(mode="json", exclude_defaults=True)
    before = workflow.memo_value(MEMO, None)
    if before is None or _without(before, volatile) != _without(now, volatile):
        workflow.upsert_memo({MEMO: now})


def _without(status: dict[str, object], fields: Iterable[str]) -> dict[str, object]:
    return {key: value for key, value in status.items() if key not in fields}


def renew(date: str) -> None:
    """Publish when the first key or token runs out, for the sweep that looks for them; "" when none does."""
    if date and workflow.info().typed_search_attributes.get(search.RENEW) != date:
        workflow.upsert_search_attributes([search.RENEW.value_set(date)])


def _changes(wanted: dict[SearchAttributeKey[str], str]) -> Iterable[SearchAttributeUpdate[str]]:
    current = workflow.info().typed_search_attributes
    for key, value in wanted.items():
        if value and current.get(key) != value:
            yield key.value_set(value)


def deployment(status: DeploymentStatus) -> str:
    """A deployment's details: where it is, what was done, what is wrong."""
    lines = [f"commit `{status.commit[:12]}` of `{status.revision}`" if status.commit else "", status.message]
    if status.commit:
        lines.append(f"{status.applied} applied, {status.unchanged} unchanged, {status.pruned} pruned")
    lines += [f"- {each.kind}/{each.name}: {each.status} {each.reason}" for each in status.unhealthy[:20]]
    lines += [f"- {each.kind}/{each.name} {each.action}: {each.reason}" for each in status.outcomes[:20] if each.reason]
    return "\n\n".join(each for each in lines if each)
