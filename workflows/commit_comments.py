"""What is wrong with a push, said beside its commit in GitLab. Used by the tenant, registration and change workflows."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.gitlab import GitLabActivities
    from nautes.messages.errors import NautesError
    from nautes.messages.gitlab import CommentInput
    from nautes.resources.findings import Finding
    from workflows import effects
    from workflows.effects import perform

TIMEOUT = 60.0  # seconds: the status says it as well, so nothing waits for a comment for long
FINDINGS_SAID = 20


async def comment_on(project_id: int, commit: str, marker: str, what: str, findings: Iterable[Finding]) -> None:
    """Comment on a commit, once per `marker`. That it cannot be said stops nothing."""
    if not project_id or not commit:
        return
    said = list(findings)
    lines = [_line(each) for each in said[:FINDINGS_SAID]]
    if len(said) > FINDINGS_SAID:
        lines.append(f"- and {len(said) - FINDINGS_SAID} more")
    input = CommentInput(project_id=project_id, commit=commit, marker=marker, text="\n".join([f"{what}\n", *lines]))
    with contextlib.suppress(NautesError):
        await effects.shielded(perform(GitLabActivities.comment, input, f"Comment on {commit[:12]}", timeout=TIMEOUT))


def marker_of(findings: Iterable[Finding]) -> str:
    """The same for the same findings."""
    text = "\n".join(f"{each.rule} {each.resource} {each.message}" for each in findings)
    return f"refused-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _line(finding: Finding) -> str:
    """What people wrote is quoted: in GitLab's Markdown it could format, link or call somebody."""
    about, hint = _quoted(finding.resource), f" ({_quoted(finding.hint)})" if finding.hint else ""
    return f"- {f'{about}: ' if about else ''}{_quoted(finding.message)}{hint}"


def _quoted(text: str) -> str:
    plain = " ".join(text.replace("`", "'").split())
    return f"`{plain}`" if plain else ""
