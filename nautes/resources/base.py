"""What all kinds share: strict models, camelCase in manifests, and how a resource is named.

Used by every module of this package; nothing here does I/O.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

API_VERSION = "nautes.resource.nautes.io/v1alpha1"
LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
PATH_PART = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,253}$"
RESERVED_PATHS = frozenset(
    (
        *("-", "admin", "api", "assets", "dashboard", "explore", "favicon.ico", "files", "groups", "health_check"),
        *("help", "import", "jwt", "login", "oauth", "profile", "projects", "public", "robots.txt", "search"),
        *("sitemap", "snippets", "unsubscribes", "uploads", "users", "v2"),
    )
)
RESERVED_REPOSITORIES = frozenset({"default.project", "badges", "blame", "blob", "commits", "raw", "tree", "wikis"})


class Model(BaseModel):
    """Base of every declared structure: immutable, strict, no input values in error texts."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )


def _label(value: str) -> str:
    if not re.fullmatch(LABEL, value):
        raise ValueError(f"must match {LABEL} (a DNS label: lower-case letters, digits and '-', at most 63)")
    return value


def _label_or_nothing(value: str) -> str:
    return _label(value) if value else value


def _subdomain(value: str) -> str:
    if len(value) > 253 or not re.fullmatch(SUBDOMAIN, value):
        raise ValueError(f"must match {SUBDOMAIN} (lower-case letters, digits, '-' and '.', at most 253)")
    return value


def _path_part(value: str) -> str:
    if not re.fullmatch(PATH_PART, value) or value.endswith((".git", ".atom", ".")) or ".." in value:
        raise ValueError(f"must match {PATH_PART} and not end with '.', '.git' or '.atom'")
    return value


def _product(value: str) -> str:
    parts = value.split("/")
    for part in parts:
        _path_part(part)
    if value.isdigit():
        raise ValueError("must not consist of digits only: GitLab would take it for an id")
    if parts[0].lower() in RESERVED_PATHS:
        raise ValueError(f"{parts[0]!r} is a reserved path of GitLab")
    if len(value) > 200:
        raise ValueError("must not be longer than 200 characters")
    return value


def _product_or_nothing(value: str) -> str:
    return _product(value) if value else value


def _repository(value: str) -> str:
    if value in RESERVED_REPOSITORIES:
        raise ValueError(f"{value!r} is reserved")
    return _path_part(value)


def _reference(value: str) -> str:
    owner, full, name = value.rpartition("/")
    if full:
        _product(owner)
    _repository(name)
    return value


def _reference_or_nothing(value: str) -> str:
    return _reference(value) if value else value


Label = Annotated[str, AfterValidator(_label)]
OptionalLabel = Annotated[str, AfterValidator(_label_or_nothing)]
Subdomain = Annotated[str, AfterValidator(_subdomain)]
ProductPath = Annotated[str, AfterValidator(_product)]
OptionalProduct = Annotated[str, AfterValidator(_product_or_nothing)]
RepositoryName = Annotated[str, AfterValidator(_repository)]
# A repository as another resource names it: by its name, or by its full path when another product owns it.
RepositoryReference = Annotated[str, AfterValidator(_reference)]
OptionalReference = Annotated[str, AfterValidator(_reference_or_nothing)]
Text = Annotated[str, Field(max_length=4096)]
Required = Annotated[str, Field(min_length=1, max_length=4096)]


class Resource(Model):
    """One declared thing. `name` and `product` are part of the manifest's spec; a Cluster has no product."""

    kind: ClassVar[str] = ""
    name: str
    product: str = ""

    @property
    def key(self) -> str:
        """ "<Kind>/<name>": unique inside a product (or among clusters)."""
        return f"{self.kind}/{self.name}"
