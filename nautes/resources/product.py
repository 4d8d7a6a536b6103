"""The kinds of a product that are not runtimes: Product, Environment, Project, CodeRepo, CodeRepoBinding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import AliasChoices, Field, model_validator

from nautes.resources.base import (
    Label,
    Model,
    OptionalProduct,
    ProductPath,
    RepositoryName,
    RepositoryReference,
    Required,
    Resource,
    Text,
)
from nautes.resources.names import is_foreign, owner_of


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


def product_of_group(path: str, group: Mapping[str, Any]) -> Product:
    """A product as its group is in GitLab: Git declares nothing of it but its place. Nothing is checked: it is there."""
    settings = GitLabSettings.model_construct(
        name=str(group.get("name", "")),
        path=str(group.get("path", path.rpartition("/")[2])),
        visibility=group.get("visibility", ""),
        description=str(group.get("description") or ""),
    )
    return Product.model_construct(name=path, git=Git.model_construct(gitlab=settings))


class Environment(Resource):
    """Binds a product to one cluster. What lies in a protected one is deleted only after a confirmation."""

    kind: ClassVar[str] = "Environment"
    name: Label
    product: ProductPath
    cluster: Required
    env_type: Required
    protected: bool = False


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
    """Opens a repository to a product (no projects) or to some of its projects.

    Declared by the owner of the repository; `consumer` is who may use it, "" for the owner itself. When they differ, the
    consumer declares the other side: a binding whose `coderepo` is the full path of the owner's repository.
    """

    kind: ClassVar[str] = "CodeRepoBinding"
    name: Label
    product: ProductPath = Field(alias="productName", validation_alias=AliasChoices("productName", "product_name"))
    consumer: OptionalProduct = Field(default="", alias="product")
    coderepo: RepositoryReference = Field(alias="coderepo", validation_alias=AliasChoices("coderepo", "codeRepo"))
    permissions: Literal["readonly", "readwrite"]
    projects: list[str] = []

    @model_validator(mode="before")
    @classmethod
    def _two_products(cls, data: Any) -> Any:
        """`productName` declares, a `product` beside it consumes; one of them alone means both."""
        if not isinstance(data, dict):
            return data
        given = dict(data)
        consumer = given.pop("consumer", None)
        owner = next((given.pop(each) for each in ("productName", "product_name") if each in given), None)
        if owner is None:
            owner = given.pop("product", None)
        elif consumer is None:
            consumer = given.pop("product", None)
        said = {"productName": owner, "product": None if consumer in (owner, "") else consumer}
        return given | {key: value for key, value in said.items() if value is not None}

    @property
    def opened_to(self) -> str:
        """The product that may use the repository."""
        return self.consumer or self.product

    @property
    def foreign(self) -> bool:
        """Whether this is the consumer's side: the repository is another product's."""
        return is_foreign(self.coderepo)

    @property
    def owner_of_repository(self) -> str:
        """Path of the product that owns the repository."""
        return owner_of(self.coderepo, self.product)
