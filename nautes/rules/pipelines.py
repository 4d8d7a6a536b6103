"""Rules about the parts of a pipeline runtime: names, events, calendars, triggers, inputs, hooks. And its warnings.

A warning names what this build accepts, stores and reads back, but does not carry out yet.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from nautes.resources.documents import shortened
from nautes.resources.patterns import PatternError, compiled
from nautes.resources.runtime import Calendar, EventSource, Hook, ProjectPipelineRuntime
from nautes.rules import calendars
from nautes.rules.engine import Findings, World, finding, rule
from nautes.rules.products import EVENTS, EVENTS_HINT

CARRIED_OUT = ("push_events", "tag_push_events")
# Addresses of Git repositories, without a password inside: https://host/path, ssh://git@host/path, git@host:path.
ADDRESS = r"(https?://|ssh://([A-Za-z0-9_.-]+@)?)[^\s/@?#]+/[^\s?#]+|git@[^\s/@:]+:[^\s?#]+"


@rule("pipeline-names", ProjectPipelineRuntime, summary="names and paths inside a pipeline runtime are unique")
def pipeline_names(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    for what, values in (
        ("event source", [each.name for each in runtime.event_sources]),
        ("pipeline", [each.name for each in runtime.pipelines]),
        ("pipeline path", [each.path for each in runtime.pipelines]),
    ):
        for value in _repeated(values):
            text = f"{what} {shortened(value)} stands {values.count(value)} times"
            yield finding("pipeline-names", runtime, text)


def _repeated(values: Iterable[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


@rule(
    "trigger-duplicate",
    ProjectPipelineRuntime,
    summary="no two triggers join the same event source, pipeline and revision",
)
def trigger_duplicate(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    triggers = [(each.event_source, each.pipeline, each.revision) for each in runtime.pipeline_triggers]
    for (source, pipeline, revision), count in Counter(triggers).items():
        if count > 1:
            text = f"the trigger of {pipeline!r} by {source!r} at {revision or 'the revision of the event'}"
            yield finding(
                "trigger-duplicate", runtime, f"{text} stands {count} times", pointer="/spec/pipelineTriggers"
            )


@rule("pipeline-triggers", ProjectPipelineRuntime, summary="triggers name event sources and pipelines that exist")
def pipeline_triggers(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    sources = {each.name for each in runtime.event_sources}
    pipelines = {each.name for each in runtime.pipelines}
    for index, trigger in enumerate(runtime.pipeline_triggers):
        pointer = f"/spec/pipelineTriggers/{index}"
        if trigger.event_source not in sources:
            yield finding("pipeline-triggers", runtime, f"no event source {trigger.event_source!r}", pointer=pointer)
        if trigger.pipeline not in pipelines:
            yield finding("pipeline-triggers", runtime, f"no pipeline {trigger.pipeline!r}", pointer=pointer)


@rule(
    "trigger-inputs",
    ProjectPipelineRuntime,
    summary="an input has exactly one source (builtInVar or fromEvent) and a kustomization path as its target",
)
def trigger_inputs(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    for index, trigger in enumerate(runtime.pipeline_triggers):
        for number, given in enumerate(trigger.inputs or []):
            pointer = f"/spec/pipelineTriggers/{index}/inputs/{number}"
            if bool(given.source.built_in_var) == bool(given.source.from_event):
                text = "an input needs builtInVar or fromEvent, and only one of them"
                yield finding("trigger-inputs", runtime, text, pointer=f"{pointer}/source")
            to = given.transmission_method.kustomization
            if to is None or not to.path.startswith("/"):
                text = "an input needs a kustomization path such as /spec/params/0/value"
                yield finding("trigger-inputs", runtime, text, pointer=f"{pointer}/transmissionMethod")


@rule("event-source-empty", ProjectPipelineRuntime, summary="an event source holds gitlab or calendar")
def event_source_empty(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    for pointer, source in _sources(runtime):
        if source.gitlab is None and source.calendar is None:
            text = f"event source {source.name} holds neither gitlab nor calendar"
            yield finding("event-source-empty", runtime, text, pointer=pointer)


def _sources(runtime: ProjectPipelineRuntime) -> Iterator[tuple[str, EventSource]]:
    for index, source in enumerate(runtime.event_sources):
        yield f"/spec/eventSources/{index}", source


@rule(
    "pipeline-events",
    ProjectPipelineRuntime,
    summary="gitlab event sources name events of GitLab, and a revision that is a Lua pattern",
)
def pipeline_events(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    for pointer, source in _sources(runtime):
        if source.gitlab is None:
            continue
        for event in source.gitlab.events:
            if event not in EVENTS:
                text = f"{shortened(event)} is no event of GitLab"
                yield finding("pipeline-events", runtime, text, pointer=f"{pointer}/gitlab/events", hint=EVENTS_HINT)
        try:
            compiled(source.gitlab.revision)
        except PatternError as error:
            text = f"revision {source.gitlab.revision!r} is no Lua pattern: {error}"
            yield finding("pipeline-events", runtime, text, pointer=f"{pointer}/gitlab/revision")


@rule(
    "event-source-calendar",
    ProjectPipelineRuntime,
    summary="a calendar has a schedule (cron, five fields) or an interval (90s, 1h30m), dates to leave out, a time zone",
)
def event_source_calendar(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    for pointer, source in _sources(runtime):
        for field, text in _calendar(source.calendar) if source.calendar else []:
            yield finding("event-source-calendar", runtime, text, pointer=f"{pointer}/calendar{field}")


def _calendar(calendar: Calendar) -> Iterator[tuple[str, str]]:
    """(pointer, message) of each thing that is wrong."""
    if not calendar.schedule and not calendar.interval:
        yield "", "a calendar needs a schedule or an interval"
    for field, value, wrong in (
        ("schedule", calendar.schedule, calendars.schedule),
        ("interval", calendar.interval, calendars.interval),
        ("timezone", calendar.timezone, calendars.timezone),
        *(("exclusionDates", each, calendars.exclusion) for each in calendar.exclusion_dates),
    ):
        if value and (problem := wrong(value)):
            yield f"/{field}", f"{field} {shortened(value)} {problem}"


@rule(
    "additional-resources",
    ProjectPipelineRuntime,
    summary="additionalResources.git names a codeRepo or the address of a repository in url",
)
def additional_resources(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    git = runtime.additional_resources.git if runtime.additional_resources else None
    if git and not git.code_repo and not re.fullmatch(ADDRESS, git.url):
        said = f"{shortened(git.url)} is no address of a Git repository" if git.url else "git needs codeRepo or url"
        yield finding("additional-resources", runtime, said, pointer="/spec/additionalResources/git")


def _hooks(runtime: ProjectPipelineRuntime) -> list[tuple[str, list[Hook]]]:
    hooks = runtime.hooks
    return [("preHooks", hooks.pre_hooks), ("postHooks", hooks.post_hooks)] if hooks else []


@rule(
    "hook-names",
    ProjectPipelineRuntime,
    summary="a list of hooks names each hook once, and both lists together each alias once",
)
def hook_names(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    lists = _hooks(runtime)
    for position, hooks in lists:
        for name in _repeated(each.name for each in hooks):
            text = f"hook {shortened(name)} stands more than once"
            yield finding("hook-names", runtime, text, pointer=f"/spec/hooks/{position}")
    for alias in _repeated(each.alias for _, hooks in lists for each in hooks if each.alias):
        yield finding("hook-names", runtime, f"alias {shortened(alias)} stands more than once", pointer="/spec/hooks")


@rule("hook-unknown", ProjectPipelineRuntime, summary="a hook is in the catalogue, and allowed in its position")
def hook_unknown(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    for position, hooks in _hooks(runtime):
        for index, hook in enumerate(hooks):
            pointer, known = f"/spec/hooks/{position}/{index}", world.hooks.get(hook.name)
            if known is None:
                hint = f"known: {', '.join(sorted(world.hooks)) or 'none, this build comes without hooks'}"
                text = f"there is no hook {shortened(hook.name)}"
                yield finding("hook-unknown", runtime, text, pointer=pointer, hint=hint)
            elif not (known.pre if position == "preHooks" else known.post):
                yield finding("hook-unknown", runtime, f"{hook.name} is not allowed in {position}", pointer=pointer)


@rule("hook-events", ProjectPipelineRuntime, summary="a hook accepts every type of event source of its runtime")
def hook_events(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    types = {
        name for _, each in _sources(runtime) for name in ("gitlab", "calendar") if getattr(each, name) is not None
    }
    for position, hooks in _hooks(runtime):
        for index, hook in enumerate(hooks):
            known = world.hooks.get(hook.name)
            if known and (left := sorted(types - known.event_sources)):
                text = f"hook {hook.name} does not accept events of type {', '.join(left)}"
                yield finding("hook-events", runtime, text, pointer=f"/spec/hooks/{position}/{index}")


@rule(
    "trigger-revision",
    ProjectPipelineRuntime,
    advisory=True,
    summary="a trigger of a calendar names the revision of the pipeline file: a calendar has none",
)
def trigger_revision(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    calendar = {each.name for each in runtime.event_sources if each.calendar is not None}
    for index, trigger in enumerate(runtime.pipeline_triggers):
        if trigger.event_source in calendar and not trigger.revision:
            text = f"the trigger of {trigger.pipeline!r} by the calendar {trigger.event_source!r} names no revision"
            yield finding("trigger-revision", runtime, text, pointer=f"/spec/pipelineTriggers/{index}/revision")


@rule(
    "pipeline-unsupported",
    ProjectPipelineRuntime,
    advisory=True,
    summary="accepted and kept, but not carried out before a later build",
)
def pipeline_unsupported(runtime: ProjectPipelineRuntime, world: World) -> Findings:
    for what, pointer in dict(_left_out(runtime)).items():
        text = f"{what} not carried out by this build yet"
        yield finding("pipeline-unsupported", runtime, text, pointer=f"/spec/{pointer}")


def _left_out(runtime: ProjectPipelineRuntime) -> Iterator[tuple[str, str]]:
    """What this build does not carry out, with its pointer."""
    for pointer, source in _sources(runtime):
        if source.calendar is not None:
            yield f"calendar events ({source.name}) are", f"{pointer.removeprefix('/spec/')}/calendar"
        for event in source.gitlab.events if source.gitlab else []:
            if event not in CARRIED_OUT:
                yield f"{shortened(event)} ({source.name}) is", f"{pointer.removeprefix('/spec/')}/gitlab/events"
    for index, pipeline in enumerate(runtime.pipelines):
        if set("*?[") & set(pipeline.path):
            yield f"the wildcard of {shortened(pipeline.path)} is", f"pipelines/{index}/path"
    if any(hooks for _, hooks in _hooks(runtime)):
        yield "hooks are", "hooks"
    if runtime.additional_resources and runtime.additional_resources.git:
        yield "additionalResources are", "additionalResources"
    if any(each.inputs for each in runtime.pipeline_triggers):
        yield "inputs are", "pipelineTriggers"
