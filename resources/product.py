"""The kinds of a product that are not runtimes: Product, Environment, Project, CodeRepo, CodeRepoBinding."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import AliasChoices, Field, model_validator

from resources.base import Label, Model, ProductPath, RepositoryName, Required, Resource, Text


class GitLabSettings(Model):
    """A group or project in GitLab. `path` defaults to the resource's name, `name` to the path."""

    name: Text = ""
    path: Text = ""
    visibility: Literal["", "private", "public"] = ""
    description: Text | None = None
    parent_id: int | None = Field(default=None, alias="parentID")


class Git(Model):
    """Where a product or repository lives. Only GitLab is supported."""

    gitlab: GitLabSettings | None = None
    github: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _only_gitlab(self) -> Git:
        if self.github is not None:
            raise ValueError("github is not supported")
        return self


class Product(Resource):
    """A top-level group (or a nested one, by its full path)."""

    kind: ClassVar[str] = "Product"
    name: ProductPath
    git: Git = Field(default_factory=Git)


class Environment(Resource):
    """Binds a product to one cluster."""

    kind: ClassVar[str] = "Environment"
    name: Label
    product: ProductPath
    cluster: Required
    env_type: Required


class Project(Resource):
    """A project of a product: what repositories and pipelines belong to."""

    kind: ClassVar[str] = "Project"
    name: Label
    product: ProductPath
    language: Text = ""


class Webhook(Model):
    """GitLab events a repository reports."""

    events: list[str] = []


class CodeRepo(Resource):
    """A repository of a product."""

    kind: ClassVar[str] = "CodeRepo"
    name: RepositoryName
    product: ProductPath
    project: Text = ""
    deployment_runtime: bool = False
    pipeline_runtime: bool = Field(
        default=False,
        alias="pipelineRuntime",
        validation_alias=AliasChoices("pipelineRuntime", "projectPipelineRuntime", "pipeline_runtime"),
    )
    webhook: Webhook | None = None
    git: Git = Field(default_factory=Git)
    code_repo_provider: Text = ""


class CodeRepoBinding(Resource):
    """Opens a repository to the product (no projects) or to some of its projects."""

    kind: ClassVar[str] = "CodeRepoBinding"
    name: Label
    product: ProductPath = Field(
        alias="productName", validation_alias=AliasChoices("productName", "product_name", "product")
    )
    coderepo: RepositoryName = Field(alias="coderepo", validation_alias=AliasChoices("coderepo", "codeRepo"))
    permissions: Literal["readonly", "readwrite"]
    projects: list[str] = []

    @model_validator(mode="before")
    @classmethod
    def _two_products(cls, data: Any) -> Any:
        """`productName` is the owner; a `product` beside it is the consumer, which is always the same product here."""
        if isinstance(data, dict) and "productName" in data and "product" in data:
            data = dict(data)
            data.pop("product")
        return data
