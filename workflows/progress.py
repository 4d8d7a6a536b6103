"""What Temporal UI shows of a workflow: search attributes on a change of phase, and details in Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from contracts import search


def describe(
    kind: str, phase: str, *, product: str = "", cluster: str = "", revision: str = "", details: str = ""
) -> None:
    """Publish the phase. Search attributes are written only when they changed: each write is an event in history."""
    wanted = {
        search.KIND: kind,
        search.PHASE: phase,
        search.PRODUCT: product,
        search.CLUSTER: cluster,
        search.REVISION: revision,
    }
    changed = list(_changes(wanted))
    if changed:
        workflow.upsert_search_attributes(changed)
    workflow.set_current_details(f"**{phase}**\n\n{details}" if details else f"**{phase}**")


def _changes(wanted: dict[SearchAttributeKey[str], str]) -> Iterable[SearchAttributeUpdate[str]]:
    current = workflow.info().typed_search_attributes
    for key, value in wanted.items():
        if value and current.get(key) != value:
            yield key.value_set(value)
