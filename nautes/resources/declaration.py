"""What a commit of a declaration holds, parsed: a product's `default.project`, or the clusters of the tenant repository."""

from __future__ import annotations

from dataclasses import dataclass, field

from nautes.resources.cluster import Cluster
from nautes.resources.findings import Finding
from nautes.resources.names import Names
from nautes.resources.tree import ProductTree


@dataclass(frozen=True)
class Declaration:
    """A product as it is declared. Ids are 0 and `head` is "" for what does not exist."""

    path: str
    group_id: int = 0
    project_id: int = 0
    head: str = ""
    tree: ProductTree | None = None
    names: Names = field(default_factory=Names)
    files: dict[str, str] = field(default_factory=dict)  # path -> text as committed


@dataclass(frozen=True)
class DeclaredClusters:
    """The tenant repository's clusters; `files` as committed."""

    project_id: int = 0
    head: str = ""
    clusters: dict[str, Cluster] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
