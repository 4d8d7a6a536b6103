"""What runtimes must be told after a look at the declaration: used by a change and by its product."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.control import TellOrder
    from contracts.products import SyncReport


def to_tell(report: SyncReport) -> TellOrder | None:
    """The runtimes whose specification is news, and those declared no more; None when there is nothing to tell."""
    if not (report.deployments or report.pipelines or report.removed):
        return None
    return TellOrder(deployments=report.deployments, pipelines=report.pipelines, removed=report.removed)
