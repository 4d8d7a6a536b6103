"""What a runtime is to be, with every name resolved to an id: the specification its workflow is given."""

from __future__ import annotations

from nautes.resources.payload import Payload


class DeploymentSpec(Payload):
    """One deployment runtime, resolved: what to follow and where to put it."""

    product: str  # full path
    product_id: str  # product-<group id>
    runtime: str
    environment: str
    cluster: str
    repository: str  # path with namespace of the manifest repository
    repository_id: int
    revision: str
    path: str
    namespaces: list[str]
    account: str  # as declared; in the cluster product-<id>-<account>
    commit: str = ""  # of default.project


class PipelineFile(Payload):
    """A pipeline of a runtime: where its PipelineRun lies in the pipeline repository."""

    name: str
    path: str
    label: str = ""


class EventSource(Payload):
    """A source of events: a repository, an unanchored Lua-like pattern on the full ref, event names."""

    name: str
    repository_id: int = 0
    repository: str = ""
    revision: str = ""
    events: list[str] = []


class Trigger(Payload):
    """Joins an event source to a pipeline; `revision` is where the pipeline file is read (empty: the event's ref)."""

    event_source: str
    pipeline: str
    revision: str = ""


class PipelineSpec(Payload):
    """One pipeline runtime, resolved."""

    product: str
    product_id: str
    runtime: str
    project: str
    environment: str
    cluster: str
    namespace: str
    account: str
    source: str  # path with namespace of the pipeline repository
    source_id: int
    pipelines: list[PipelineFile]
    event_sources: list[EventSource]
    triggers: list[Trigger]
    commit: str = ""


Spec = DeploymentSpec | PipelineSpec


def key_of(spec: Spec) -> str:
    """The resource that a specification is of: "<Kind>/<name>"."""
    return f"{'DeploymentRuntime' if isinstance(spec, DeploymentSpec) else 'ProjectPipelineRuntime'}/{spec.runtime}"


def namespaces(spec: Spec) -> list[str]:
    """The namespaces of a runtime; the first is where its account acts from."""
    return spec.namespaces if isinstance(spec, DeploymentSpec) else [spec.namespace]
