"""Generated products and what becomes of them: a declaration, GitLab's projects and what is known, changed by plans alone.

Names come from small sets, so that one tree meets the things of another: repositories, environments, namespaces, clusters.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from nautes.planning import change
from nautes.planning.change import Observation
from nautes.planning.effects import Objects
from nautes.planning.head import FollowUp, Head, follow_up
from nautes.planning.known import Known
from nautes.planning.request import Intent, Request
from nautes.planning.steps import Step
from nautes.resources.base import Resource
from nautes.resources.declaration import Declaration
from nautes.resources.names import Names
from nautes.resources.product import CodeRepo, Environment, Product
from nautes.resources.runtime import DeploymentDestination, PipelineDestination
from nautes.resources.tree import ProductTree
from tests.unit.resources.strategies import FOREIGN, bindings, deployments, made, pipelines, projects, repository

PRODUCT, GROUP, DECLARATION = "shop", 7, 70
CLUSTERS, ENVIRONMENTS, NAMESPACES = ("edge", "far"), ("test", "live"), ("one", "two", "three")
REPOSITORIES = ("source", "deploy", "pipelines")

_environments = st.sampled_from(ENVIRONMENTS).flatmap(
    lambda name: made(
        Environment,
        name=st.just(name),
        product=st.just(PRODUCT),
        cluster=st.sampled_from(CLUSTERS),
        env_type=st.just("test"),
        protected=st.booleans(),
    )
)
_places = st.sampled_from([*ENVIRONMENTS, "lost"])
_deployments = st.tuples(
    deployments,
    st.sampled_from(["web", "docs"]),
    made(
        DeploymentDestination,
        environment=_places,
        namespaces=st.lists(st.sampled_from(NAMESPACES), min_size=1, max_size=3, unique=True),
    ),
    st.sampled_from(["", "robot"]),
).map(lambda found: found[0].model_copy(update={"name": found[1], "destination": found[2], "account": found[3]}))
_pipelines = st.tuples(
    pipelines, made(PipelineDestination, environment=_places, namespace=st.sampled_from(NAMESPACES))
).map(lambda found: found[0].model_copy(update={"name": "build", "destination": found[1]}))
_bindings = st.tuples(bindings, st.sampled_from(["share", "open"])).map(
    lambda found: found[0].model_copy(update={"name": found[1]})
)


def _unique(each: st.SearchStrategy[Any], size: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(each, max_size=size, unique_by=lambda one: one.name)


declarations: st.SearchStrategy[list[Resource]] = st.tuples(
    st.lists(st.sampled_from(REPOSITORIES), max_size=3, unique=True).flatmap(
        lambda names: st.tuples(*(repository(name) for name in names))
    ),
    _unique(_environments, 2),
    _unique(projects, 1),
    _unique(_bindings, 2),
    _unique(_deployments, 2),
    _unique(_pipelines, 1),
).map(lambda found: [each for part in found for each in part])
registered = st.sets(st.sampled_from(CLUSTERS)).map(frozenset)


@dataclass(frozen=True)
class State:
    """A product as it is: in Git, in GitLab, and as its workflow knows it. Empty: there is none."""

    declaration: Declaration = field(default_factory=lambda: Declaration(PRODUCT))
    known: Known = field(default_factory=Known)
    projects: Mapping[str, Any] = field(default_factory=dict)
    registered: frozenset[str] = frozenset(CLUSTERS)
    group: Any = None

    @property
    def tree(self) -> ProductTree:
        """What is declared."""
        return self.declaration.tree or ProductTree(PRODUCT)

    def intent(self, action: Any, *resources: Resource) -> Intent:
        """A request for this product."""
        return Intent(Request(PRODUCT, action, list(resources)), self.declaration, self.group, self.known.foreign_uses)

    def steps(self, intent: Intent, objects: Mapping[str, Objects] | None = None) -> list[Step]:
        """The plan of a change."""
        return change.steps(intent, self.observation(objects))

    def observation(self, objects: Mapping[str, Objects] | None = None) -> Observation:
        """What is found outside."""
        return Observation(self.known, "ada", self.projects, self.registered, objects or {})

    def after(self, intent: Intent) -> tuple[State, FollowUp]:
        """The product once the change is committed and carried out, and what followed from its commit."""
        tree = intent.after
        existing = {name: each["id"] for name, each in self.projects.items()}
        own = {each.name: existing.get(each.name, zlib.crc32(each.name.encode())) for each in tree.all(CodeRepo)}
        names = Names({**FOREIGN.products, PRODUCT: GROUP}, {**FOREIGN.repositories, **own})
        head = f"{self.declaration.head}+"
        declaration = replace(
            self.declaration, group_id=GROUP, project_id=DECLARATION, head=head, tree=tree, names=names
        )
        followed = follow_up(
            Head(
                declaration=declaration,
                known=self.known,
                before=intent.before,
                pushed=tree,
                registered=self.registered,
                ours=True,
                created=frozenset(own) - existing.keys() - self.declaration.names.repositories.keys(),
            )
        )
        found = {name: each for name, each in self.projects.items() if tree.get(CodeRepo, name)}
        found |= {each.name: _project(each, own[each.name]) for each in tree.all(CodeRepo)}
        group = self.group or {"full_path": PRODUCT, "name": PRODUCT}
        return State(declaration, followed.known, found, self.registered, group), followed


def _project(declared: CodeRepo, number: int) -> dict[str, Any]:
    """A repository as GitLab has it once it is as declared."""
    gitlab = declared.git.gitlab
    return {
        "id": number,
        "name": (gitlab.name if gitlab else "") or declared.name,
        "visibility": (gitlab.visibility if gitlab else "") or "private",
        "description": (gitlab.description if gitlab else "") or "",
        "empty_repo": False,
    }


def product(resources: Sequence[Resource], clusters: frozenset[str] = frozenset(CLUSTERS)) -> State:
    """A product that was made with these resources."""
    empty = State(registered=clusters)
    return empty.after(empty.intent("apply", Product(name=PRODUCT), *resources))[0]
