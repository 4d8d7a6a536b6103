"""The routes of the kinds: list, get, save, delete, as in the original system. Where a route lives:

- `/clusters...`: clusters.py
- `/products`, `/products/{product_name}`: products.py
- `/products/{product_name}/<plural>...`: resources.py, one set of routes per line of `KINDS` below

answers.py makes lists, pages and ETags of what was read; saving and deleting are changes like any other (api/execution.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from nautes.resources.base import Resource
from nautes.resources.product import CodeRepo, CodeRepoBinding, Environment, Project
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime


@dataclass(frozen=True)
class Kind:
    """A kind that lives in a product: its model, its collection, and what the route calls its name."""

    model: type[Resource]
    plural: str
    parameter: str


KINDS = (
    Kind(Project, "projects", "project_name"),
    Kind(Environment, "environments", "environment_name"),
    Kind(CodeRepo, "coderepos", "coderepo_name"),
    Kind(CodeRepoBinding, "coderepobindings", "coderepo_binding_name"),
    Kind(ProjectPipelineRuntime, "projectpipelineruntimes", "project_pipeline_runtime_name"),
    Kind(DeploymentRuntime, "deploymentruntimes", "deploymentruntime_name"),
)
