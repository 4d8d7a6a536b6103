"""What is removed must not be in use: one finding per removed resource, with the list of the remaining ones that need it."""

from __future__ import annotations

from nautes.resources.base import Resource
from nautes.resources.product import CodeRepo, CodeRepoBinding, Environment, Project
from nautes.rules.engine import Findings, World, finding, references, rule
from nautes.rules.rights import allowed, opens, runtimes, uses


@rule(
    "in-use",
    Environment,
    Project,
    CodeRepo,
    CodeRepoBinding,
    removal=True,
    summary="what a change removes is used by nothing that stays",
)
def in_use(resource: Resource, world: World) -> Findings:
    users = {each.key for each in world.tree if resource.key in references(each)}
    if isinstance(resource, CodeRepoBinding):
        users = _relying(resource, world)
    if users:
        text = f"{resource.key} is used by {', '.join(sorted(users))}"
        yield finding("in-use", resource, text, hint="remove them first or in the same change")


def _relying(binding: CodeRepoBinding, world: World) -> set[str]:
    """The runtimes that lose a right with this binding."""
    return {
        runtime.key
        for runtime in runtimes(world)
        for project, repository in uses(runtime)
        if opens(binding, project, repository, world) and not allowed(project, repository, world)
    }
