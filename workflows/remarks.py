"""What is wrong with a push, said beside its commit in GitLab. Used by the tenant and the registration workflows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.gitlab import GitLabActivities
    from contracts.errors import NautesError
    from contracts.gitlab import CommentOrder
    from resources.findings import Finding
    from workflows import effects
    from workflows.effects import perform

PATIENCE = 60.0  # seconds: the status says it as well, so nothing waits for a comment for long
FINDINGS_SAID = 20


async def remark(project_id: int, commit: str, marker: str, what: str, findings: Iterable[Finding]) -> None:
    """Comment on a commit, once per `marker`. That it cannot be said stops nothing."""
    if not project_id or not commit:
        return
    said = list(findings)
    lines = [f"- {each.message}{f' ({each.hint})' if each.hint else ''}" for each in said[:FINDINGS_SAID]]
    if len(said) > FINDINGS_SAID:
        lines.append(f"- and {len(said) - FINDINGS_SAID} more")
    order = CommentOrder(project_id=project_id, commit=commit, marker=marker, text="\n".join([f"{what}\n", *lines]))
    with contextlib.suppress(NautesError):
        await effects.shielded(perform(GitLabActivities.comment, order, f"Comment on {commit[:12]}", patience=PATIENCE))
