"""One failing and one passing case for every rule about the parts of a pipeline runtime, by the rule's id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.unit.rules.shop import Case, events, pipeline

BUILD = "ProjectPipelineRuntime/build"
TRIGGER = {"eventSource": "push", "pipeline": "main"}
MAIN = {"name": "main", "path": "build.yaml"}
NIGHTLY = [events(), {"name": "nightly", "calendar": {"interval": "24h"}}]
MAINLINE = pipeline(pipelineTriggers=[{**TRIGGER, "revision": "main"}]).pipeline_triggers


def calendar(**said: object) -> Any:
    """The pipeline runtime with a calendar in the place of its event source."""
    return pipeline(eventSources=[{"name": "push", "calendar": said}])


def extra(**git: str) -> Any:
    return pipeline(additionalResources={"git": git})


def hooks(pre: Sequence[object] = (), post: Sequence[object] = (), **spec: object) -> Any:
    return pipeline(hooks={"preHooks": list(pre), "postHooks": list(post)}, **spec)


def given(path: str | None = "/spec/params/0/value", **source: str) -> dict[str, Any]:
    """A trigger with one input."""
    method = {"kustomization": {"path": path}} if path is not None else {}
    return {**TRIGGER, "inputs": [{"source": {"fromEvent": "ref", **source}, "transmissionMethod": method}]}


CASES: dict[str, list[Case]] = {
    "pipeline-names": [
        Case(
            [pipeline(eventSources=[events(), events()])],
            [pipeline(eventSources=[events(), events("tag")])],
            "ProjectPipelineRuntime/build",
            "event source 'push' stands 2 times",
        ),
        Case(
            [pipeline(pipelines=[MAIN, {**MAIN, "name": "other"}])],
            [pipeline(pipelines=[MAIN, {"name": "other", "path": "other.yaml"}])],
            "ProjectPipelineRuntime/build",
            "pipeline path 'build.yaml'",
        ),
    ],
    "trigger-duplicate": [
        Case(
            [pipeline(pipelineTriggers=[TRIGGER, TRIGGER])],
            [pipeline(pipelineTriggers=[TRIGGER, {**TRIGGER, "revision": "dev"}])],
            "ProjectPipelineRuntime/build",
            "the trigger of 'main' by 'push' at the revision of the event stands 2 times",
        ),
    ],
    "pipeline-triggers": [
        Case(
            [pipeline(pipelineTriggers=[{**TRIGGER, "eventSource": "none"}])],
            [pipeline()],
            "ProjectPipelineRuntime/build",
            "no event source 'none'",
        ),
        Case(
            [pipeline(pipelineTriggers=[TRIGGER, {**TRIGGER, "pipeline": "none"}])],
            [pipeline()],
            "ProjectPipelineRuntime/build",
            "no pipeline 'none'",
        ),
    ],
    "trigger-inputs": [
        Case([pipeline(pipelineTriggers=[given(**wrong)])], [pipeline(pipelineTriggers=[given()])], BUILD, says)
        for wrong, says in (
            ({"builtInVar": "Namespace"}, "only one of them"),
            ({"fromEvent": ""}, "builtInVar or fromEvent"),
            ({"path": ""}, "kustomization path"),
            ({"path": "spec/params"}, "kustomization path"),
            ({"path": None}, "kustomization path"),
        )
    ],
    "event-source-empty": [
        Case([pipeline(eventSources=[{"name": "push"}])], [calendar(schedule="0 1 * * *")], BUILD, "neither gitlab nor")
    ],
    "event-source-calendar": [
        Case([calendar()], [calendar(interval="1h30m")], BUILD, "a schedule or an interval"),
        Case([calendar(schedule="0 1 * *")], [calendar(schedule="0 1 * * *")], BUILD, "has 4 fields"),
        Case([calendar(schedule="60 1 * * *")], [calendar(schedule="59 1 * * *")], BUILD, "'60' is no minute"),
        Case([calendar(interval="90")], [calendar(interval="90s")], BUILD, "interval '90' is no duration"),
        Case(
            [calendar(interval="1m", timezone="Europe/Nowhere")],
            [calendar(interval="1m", timezone="Europe/Berlin")],
            BUILD,
            "'Europe/Nowhere' is no time zone",
        ),
        Case(
            [calendar(interval="1m", exclusionDates=["2026-12-24", "24.12.2026"])],
            [calendar(interval="1m", exclusionDates=["2026-12-24", "2026-12-24T18:00:00Z", "20261224T180000Z"])],
            BUILD,
            "'24.12.2026' is no date",
        ),
    ],
    "pipeline-events": [
        Case(
            [pipeline(eventSources=[events(events=["push"])])],
            [pipeline(eventSources=[events(events=["issues_events"])])],
            BUILD,
            "'push' is no event",
        ),
        Case(
            [pipeline(eventSources=[events(revision="release[")])],
            [pipeline(eventSources=[events(revision="release[-/]%d+$")])],
            BUILD,
            "release[",
        ),
    ],
    "additional-resources": [
        Case([extra(path="x")], [extra(codeRepo="deploy")], BUILD, "codeRepo or url"),
        Case(
            [extra(url="file:///etc")], [extra(url="git@git.example.com:a/b.git")], BUILD, "'file:///etc' is no address"
        ),
        Case(
            [extra(url="https://me:secret@git.example.com/a/b.git")],
            [extra(url="ssh://git@git.example.com:22/a/b.git")],
            BUILD,
            "is no address",
        ),
    ],
    "hook-names": [
        Case(
            [hooks(pre=[{"name": "notify"}, {"name": "notify"}])],
            [hooks(pre=[{"name": "notify"}], post=[{"name": "notify"}])],
            BUILD,
            "hook 'notify' stands more than once",
        ),
        Case(
            [hooks(pre=[{"name": "notify", "alias": "a"}], post=[{"name": "notify", "alias": "a"}])],
            [hooks(pre=[{"name": "notify", "alias": "a"}], post=[{"name": "notify", "alias": "b"}])],
            BUILD,
            "alias 'a'",
        ),
    ],
    "hook-unknown": [
        Case([hooks(pre=[{"name": "dance"}])], [hooks(pre=[{"name": "notify"}])], BUILD, "no hook 'dance'"),
        Case([hooks(pre=[{"name": "review"}])], [hooks(post=[{"name": "review"}])], BUILD, "not allowed in preHooks"),
        Case([hooks(post=[{"name": "begin"}])], [hooks(pre=[{"name": "begin"}])], BUILD, "not allowed in postHooks"),
    ],
    "hook-events": [
        Case(
            [hooks(post=[{"name": "review"}], eventSources=NIGHTLY)],
            [hooks(post=[{"name": "notify"}], eventSources=NIGHTLY)],
            BUILD,
            "does not accept events of type calendar",
        )
    ],
    "trigger-revision": [
        Case(
            [calendar(interval="1m")],
            [calendar(interval="1m").model_copy(update={"pipeline_triggers": MAINLINE})],
            BUILD,
            "names no revision",
        )
    ],
    "pipeline-unsupported": [
        Case([calendar(interval="1h")], [pipeline()], BUILD, "calendar events (push) are not carried out"),
        Case(
            [pipeline(eventSources=[events(events=["issues_events"])])],
            [pipeline(eventSources=[events(events=["tag_push_events"])])],
            BUILD,
            "issues_events",
        ),
        Case([hooks(pre=[{"name": "notify"}])], [hooks(pre=[])], BUILD, "hooks are not"),
        Case([extra(codeRepo="deploy")], [pipeline(additionalResources={})], BUILD, "additionalResources are not"),
        Case(
            [pipeline(pipelineTriggers=[given()])],
            [pipeline(pipelineTriggers=[{**TRIGGER, "inputs": []}])],
            BUILD,
            "inputs are not",
        ),
        Case(
            [pipeline(pipelines=[{"name": "main", "path": "pipelines/*.yaml"}])],
            [pipeline(pipelines=[{"name": "main", "path": "pipelines/all.yaml"}])],
            BUILD,
            "the wildcard of 'pipelines/*.yaml' is not",
        ),
    ],
}
