"""The runtimes: DeploymentRuntime and ProjectPipelineRuntime."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import AliasChoices, Field

from resources.base import Label, Model, OptionalLabel, ProductPath, Required, Resource, Subdomain, Text


class ManifestSource(Model):
    """Where the manifests are: repository, branch or tag or commit, directory."""

    code_repo: Required
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
    destination: DeploymentDestination
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

    repo_name: Required
    revision: Text = ""
    events: list[str] = []


class Calendar(Model):
    """Events of a calendar; `schedule` (cron) wins over `interval`."""

    schedule: Text = ""
    interval: Text = ""
    exclusion_dates: list[str] = []
    timezone: Text = ""


class EventSource(Model):
    """Where events come from."""

    name: Subdomain
    gitlab: GitLabEvents | None = None
    calendar: Calendar | None = None


class Trigger(Model):
    """Joins an event source to a pipeline."""

    event_source: Required
    pipeline: Required
    revision: Text = ""
    inputs: list[dict[str, Any]] | None = None


class PipelineDestination(Model):
    """Where runs live; no namespace = one named like the runtime."""

    environment: Required
    namespace: OptionalLabel = ""


class AdditionalGit(Model):
    """Objects deployed beside the pipelines."""

    code_repo: Text = ""
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
    pipeline_source: Required
    pipelines: list[Pipeline] = Field(min_length=1)
    destination: PipelineDestination
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
