"""The runtimes: DeploymentRuntime and ProjectPipelineRuntime."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, BeforeValidator, Field

from nautes.resources.base import (
    Label,
    Model,
    OptionalLabel,
    OptionalReference,
    ProductPath,
    RepositoryReference,
    Required,
    Resource,
    Subdomain,
    Text,
)

CODE_REPO = AliasChoices("codeRepo", "coderepo", "code_repo")


def _place(value: Any) -> Any:
    """Accept older documents, which hold only the name of the environment."""
    return {"environment": value} if isinstance(value, str) else value


class ManifestSource(Model):
    """Where the manifests are: repository, branch or tag or commit, directory."""

    code_repo: RepositoryReference = Field(alias="codeRepo", validation_alias=CODE_REPO)
    target_revision: Required
    path: Required


class DeploymentDestination(Model):
    """Where the objects go; no namespaces = one named like the runtime."""

    environment: Required
    namespaces: list[Label] = []


class DeploymentRuntime(Resource):
    """Keeps objects in a cluster equal to a path of a repository."""

    kind: ClassVar[str] = "DeploymentRuntime"
    name: Label
    product: ProductPath
    projects_ref: list[str] = []
    manifest_source: ManifestSource = Field(
        alias="manifestSource", validation_alias=AliasChoices("manifestSource", "manifestsource", "manifest_source")
    )
    destination: Annotated[DeploymentDestination, BeforeValidator(_place)]
    account: OptionalLabel = ""

    @property
    def namespaces(self) -> list[str]:
        """The namespaces, defaulted."""
        return list(self.destination.namespaces) or [self.name]

    @property
    def machine_account(self) -> str:
        """The account, defaulted."""
        return self.account or self.name


class Pipeline(Model):
    """A pipeline file in the pipeline repository."""

    name: Subdomain
    label: Text = "default"
    path: Required


class GitLabEvents(Model):
    """Events of a repository; `revision` is a Lua pattern on the full ref."""

    repo_name: RepositoryReference
    revision: Text = ""
    events: list[str] = []


class Calendar(Model):
    """Events of a calendar; `schedule` (cron) takes precedence over `interval`."""

    schedule: Text = ""
    interval: Text = ""
    exclusion_dates: list[str] = []
    timezone: Text = ""


class EventSource(Model):
    """Where events come from."""

    name: Subdomain
    gitlab: GitLabEvents | None = None
    calendar: Calendar | None = None


class InputSource(Model):
    """Where the value of an input comes from: a variable of the platform, or a part of the event. One of them."""

    built_in_var: Text | None = None
    from_event: Text | None = None


class Kustomization(Model):
    """Where the value is put: a JSON pointer into the PipelineRun."""

    path: Text = ""


class TransmissionMethod(Model):
    """How the value reaches the pipeline."""

    kustomization: Kustomization | None = None


class Input(Model):
    """A value that a trigger passes to its pipeline."""

    source: InputSource = Field(default_factory=InputSource)
    transmission_method: TransmissionMethod = Field(default_factory=TransmissionMethod)


class Trigger(Model):
    """Joins an event source to a pipeline."""

    event_source: Required
    pipeline: Required
    revision: Text = ""
    inputs: list[Input] | None = None


class PipelineDestination(Model):
    """The namespace and account of the runs; no namespace = one named like the runtime."""

    environment: Required
    namespace: OptionalLabel = ""


class AdditionalGit(Model):
    """Objects deployed beside the pipelines."""

    code_repo: OptionalReference = Field(default="", alias="codeRepo", validation_alias=CODE_REPO)
    url: Text = ""
    revision: Text = ""
    path: Text = ""


class AdditionalResources(Model):
    """Objects deployed beside the pipelines."""

    git: AdditionalGit | None = None


class Hook(Model):
    """A named task before or after the user's pipeline."""

    name: Required
    alias: Text | None = None
    vars: dict[str, Any] | None = None


class Hooks(Model):
    """Tasks around the user's pipeline."""

    pre_hooks: list[Hook] = []
    post_hooks: list[Hook] = []


class ProjectPipelineRuntime(Resource):
    """Runs pipelines on events."""

    kind: ClassVar[str] = "ProjectPipelineRuntime"
    name: Label
    product: ProductPath
    project: Required
    pipeline_source: RepositoryReference
    pipelines: list[Pipeline] = Field(min_length=1)
    destination: Annotated[PipelineDestination, BeforeValidator(_place)]
    event_sources: list[EventSource] = Field(min_length=1)
    pipeline_triggers: list[Trigger] = Field(min_length=1)
    isolation: Literal["shared", "exclusive"] = "shared"
    additional_resources: AdditionalResources | None = None
    hooks: Hooks | None = None
    account: OptionalLabel = ""

    @property
    def namespace(self) -> str:
        """The namespace, defaulted."""
        return self.destination.namespace or self.name

    @property
    def machine_account(self) -> str:
        """The account, defaulted."""
        return self.account or self.name
