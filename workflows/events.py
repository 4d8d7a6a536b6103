"""From an event to the triggers it sets off: filter by repository, event kind and revision. Pure; used by pipelines."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from nautes.messages.gitlab import Push
    from nautes.planning.runtimes import EventSource, PipelineSpec, Trigger
    from nautes.resources.patterns import find

DELETED = "0" * 40


def matching(spec: PipelineSpec, push: Push) -> list[Trigger]:
    """The triggers of `spec` that `push` sets off, in the order of their declaration; a deletion sets off none."""
    if push.after == DELETED:
        return []
    sources = {each.name for each in spec.event_sources if _matches(each, push)}
    return [each for each in spec.triggers if each.event_source in sources]


def _matches(source: EventSource, push: Push) -> bool:
    if source.repository_id != push.project_id or push.kind not in source.events:
        return False
    return not source.revision or find(source.revision, push.ref)
