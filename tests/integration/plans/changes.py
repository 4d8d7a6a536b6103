"""Valid changes of two products, one after the other, chosen by a seeded generator. Used by test_plan_is_what_happens.py.

Every move below is a kind of change with a condition. Of the moves that are possible the generator takes one of those that it has
taken least, so that every one of them is seen however the dice fall.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Spec = dict[str, Any]
Key = tuple[str, str]  # kind, name
FIELDS = {"CodeRepoBinding": "productName"}  # where a manifest names its product, where that is not `product`


@dataclass(frozen=True)
class Change:
    """What is asked for. `manifests`: runtimes whose objects have to lie in a repository before it is asked for."""

    what: str
    product: str
    action: str  # apply, remove
    documents: list[tuple[str, Spec]]  # kind, spec
    manifests: tuple[tuple[str, str], ...] = ()  # repository, runtime


@dataclass
class Team:
    """A product as it is declared by now."""

    name: str
    declared: bool = False
    resources: dict[Key, Spec] = field(default_factory=dict)

    def of(self, kind: str) -> dict[str, Spec]:
        """All of a kind, by name."""
        return {name: spec for (each, name), spec in self.resources.items() if each == kind}

    def uses(self, repository: str) -> bool:
        """Whether anything rests on a repository."""
        return any(repository in str(spec) for (kind, _), spec in self.resources.items() if kind != "CodeRepo")


class Generator:
    """Answers with one change after the other; each is taken to have happened when the next is asked for."""

    def __init__(self, seed: int, products: tuple[str, ...], clusters: dict[str, str]) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - no secret
        self._teams = [Team(each) for each in products]
        self._clusters = clusters  # deploy, pipeline -> name
        self._numbers = itertools.count(1)
        self.taken: Counter[str] = Counter()
        self._made: set[str] = set()
        self._moves: list[Callable[[Team], Iterator[Change]]] = [
            self._product_created,
            self._product_changed,
            self._environment_created,
            self._environment_changed,
            self._environment_removed,
            self._project_created,
            self._project_changed,
            self._project_removed,
            self._repository_created,
            self._repository_changed,
            self._repository_joins,
            self._repository_removed,
            self._binding_created,
            self._binding_changed,
            self._binding_removed,
            self._binding_to_others,
            self._binding_of_others,
            self._binding_of_others_removed,
            self._deployment_created,
            self._deployment_follows,
            self._account_changed,
            self._account_shared,
            self._namespace_added,
            self._namespace_shared,
            self._namespace_taken,
            self._namespaces_swapped,
            self._namespace_replaced,
            self._deployment_removed,
            self._pipeline_created,
            self._pipeline_changed,
            self._pipeline_moved,
            self._pipeline_removed,
            self._several,
        ]

    @property
    def untaken(self) -> set[str]:
        """Moves that no change was made of."""
        return {each.__name__ for each in self._moves} - self._made

    def first(self) -> Iterator[Change]:
        """What most other moves need: a product with two deployments, and another one."""
        north, south = self._teams
        for move, team in (
            (self._product_created, north),
            (self._product_created, south),
            (self._deployment_created, north),
            (self._deployment_created, north),
        ):
            self._made.add(move.__name__)
            yield self._happened(next(move(team)))

    def next(self) -> Change:
        """One that is possible now."""
        possible = [(move, each) for team in self._teams for move in self._moves for each in list(move(team))[:1]]
        least = min(self.taken[each.what] for _, each in possible)
        move, chosen = self._dice.choice([(move, each) for move, each in possible if self.taken[each.what] == least])
        self._made.add(move.__name__)
        return self._happened(chosen)

    def end(self) -> Iterator[Change]:
        """Nobody uses what is another's any more; then every product goes with all that it holds."""
        for team in self._teams:
            for change in list(self._binding_of_others_removed(team)):
                yield self._happened(change)
        for team in self._teams:
            documents = [(kind, spec) for (kind, _), spec in team.resources.items()]
            yield Change("product removed", team.name, "remove", [("Product", self._product(team)), *documents])

    def _happened(self, change: Change) -> Change:
        self.taken[change.what] += 1
        team = next(each for each in self._teams if each.name == change.product)
        team.declared = True
        for kind, spec in change.documents:
            if change.action == "remove":
                del team.resources[kind, spec["name"]]
            elif kind != "Product":
                team.resources[kind, spec["name"]] = spec
        return change

    # Pieces

    def _apply(self, what: str, team: Team, kind: str, spec: Spec, **also: Any) -> Change:
        named = {FIELDS.get(kind, "product"): team.name} if kind != "Product" else {}
        return Change(what, team.name, "apply", [(kind, {**spec, **named})], **also)

    def _remove(self, what: str, team: Team, kind: str, spec: Spec) -> Change:
        return Change(what, team.name, "remove", [(kind, spec)])

    def _name(self, word: str) -> str:
        return f"{word}{next(self._numbers)}"

    def _some(self, found: dict[str, Spec]) -> list[Spec]:
        """In any order, the same for the same seed."""
        return self._dice.sample(list(found.values()), len(found))

    # Products

    def _product(self, team: Team, **settings: str) -> Spec:
        return {"name": team.name, "git": {"gitlab": {"name": team.name, "visibility": "public", **settings}}}

    def _product_created(self, team: Team) -> Iterator[Change]:
        """The first one with what runtimes need, the others empty."""
        if team.declared:
            return
        change = self._apply("product created", team, "Product", self._product(team, description="first"))
        if team is self._teams[0]:
            for name, cluster in self._clusters.items():
                change.documents.append(("Environment", self._environment(team, name, cluster)))
            for name in ("objects", "more-objects"):
                change.documents.append(("CodeRepo", self._repository(team, name)))
        yield change

    def _product_changed(self, team: Team) -> Iterator[Change]:
        if team.declared:
            settings = {"description": self._name("text"), "name": self._name("Team ")}
            yield self._apply("product changed", team, "Product", self._product(team, **settings))

    # Environments and projects

    def _environment(self, team: Team, name: str, cluster: str) -> Spec:
        return {"name": name, "product": team.name, "cluster": cluster, "envType": "test"}

    def _environment_created(self, team: Team) -> Iterator[Change]:
        for name, cluster in self._clusters.items():
            if team.declared and name not in team.of("Environment"):
                spec = self._environment(team, name, cluster)
                yield self._apply("environment created", team, "Environment", spec)

    def _environment_changed(self, team: Team) -> Iterator[Change]:
        for each in self._some(team.of("Environment")):
            spec = {**each, "protected": not each.get("protected", False)}
            yield self._apply("environment changed", team, "Environment", spec)

    def _environment_removed(self, team: Team) -> Iterator[Change]:
        used = {spec["destination"]["environment"] for spec in self._runtimes(team)}
        for each in self._some(team.of("Environment")):
            if each["name"] not in used:
                yield self._remove("environment removed", team, "Environment", each)

    def _runtimes(self, team: Team) -> list[Spec]:
        return [*team.of("DeploymentRuntime").values(), *team.of("ProjectPipelineRuntime").values()]

    def _project_created(self, team: Team) -> Iterator[Change]:
        if team.declared and len(team.of("Project")) < 3:
            yield self._apply("project created", team, "Project", {"name": self._name("project"), "language": "go"})

    def _project_changed(self, team: Team) -> Iterator[Change]:
        for each in self._some(team.of("Project")):
            yield self._apply("project changed", team, "Project", {**each, "language": self._name("language")})

    def _project_removed(self, team: Team) -> Iterator[Change]:
        for each in self._some(team.of("Project")):
            used = any(each["name"] in str(spec) for (kind, _), spec in team.resources.items() if kind != "Project")
            if not used:
                yield self._remove("project removed", team, "Project", each)

    # Repositories and bindings

    def _repository(self, team: Team, name: str, project: str = "") -> Spec:
        settings = {"visibility": "private", "description": "first"}
        return {"name": name, "product": team.name, "project": project, "git": {"gitlab": settings}}

    def _repository_created(self, team: Team) -> Iterator[Change]:
        if team.declared and len(team.of("CodeRepo")) < 5:
            project = self._dice.choice(["", *team.of("Project")])
            spec = self._repository(team, self._name("repo"), project)
            yield self._apply("repository created", team, "CodeRepo", spec)

    def _repository_changed(self, team: Team) -> Iterator[Change]:
        for each in self._some(team.of("CodeRepo")):
            visibility = "public" if each["git"]["gitlab"]["visibility"] == "private" else "private"
            settings = {"visibility": visibility, "description": self._name("text")}
            yield self._apply("repository changed", team, "CodeRepo", {**each, "git": {"gitlab": settings}})

    def _repository_joins(self, team: Team) -> Iterator[Change]:
        """Another project: the keys of its siblings go, those of others come."""
        for each in self._some(team.of("CodeRepo")):
            others = [name for name in team.of("Project") if name != each.get("project")]
            if others and not team.uses(each["name"]):
                spec = {**each, "project": self._dice.choice(others)}
                yield self._apply("repository joins a project", team, "CodeRepo", spec)

    def _repository_removed(self, team: Team) -> Iterator[Change]:
        for each in self._some(team.of("CodeRepo")):
            if not team.uses(each["name"]):
                yield self._remove("repository removed", team, "CodeRepo", each)

    def _binding(self, repository: str, permissions: str) -> Spec:
        return {"name": self._name("binding"), "coderepo": repository, "permissions": permissions, "projects": []}

    def _binding_created(self, team: Team) -> Iterator[Change]:
        for each in self._some(team.of("CodeRepo")):
            if len(team.of("CodeRepo")) > 1 and len(team.of("CodeRepoBinding")) < 3:
                spec = self._binding(each["name"], "readonly")
                yield self._apply("binding created", team, "CodeRepoBinding", spec)

    def _binding_changed(self, team: Team) -> Iterator[Change]:
        for each in self._some(team.of("CodeRepoBinding")):
            if "product" in each or "/" in each["coderepo"]:
                continue
            permissions = "readwrite" if each["permissions"] == "readonly" else "readonly"
            spec = {**each, "permissions": permissions}
            yield self._apply("binding changed", team, "CodeRepoBinding", spec)

    def _binding_removed(self, team: Team) -> Iterator[Change]:
        for each in self._some(team.of("CodeRepoBinding")):
            if "product" not in each and "/" not in each["coderepo"]:
                yield self._remove("binding removed", team, "CodeRepoBinding", each)

    def _binding_to_others(self, team: Team) -> Iterator[Change]:
        """A repository is opened to another product."""
        for each in self._some(team.of("CodeRepo")):
            opened = {spec["coderepo"] for spec in team.of("CodeRepoBinding").values() if "product" in spec}
            for other in self._teams:
                if other is not team and other.declared and each["name"] not in opened:
                    spec = {**self._binding(each["name"], "readonly"), "product": other.name}
                    yield self._apply("binding opens to another product", team, "CodeRepoBinding", spec)

    def _binding_of_others(self, team: Team) -> Iterator[Change]:
        """What another product has opened is used."""
        for other in self._teams:
            for each in self._some(other.of("CodeRepoBinding")):
                full = f"{other.name}/{each['coderepo']}"
                used = {spec["coderepo"] for spec in team.of("CodeRepoBinding").values()}
                if each.get("product") == team.name and team.of("CodeRepo") and full not in used:
                    spec = self._binding(full, "readonly")
                    yield self._apply("binding uses another product's", team, "CodeRepoBinding", spec)

    def _binding_of_others_removed(self, team: Team) -> Iterator[Change]:
        for each in self._some(team.of("CodeRepoBinding")):
            if "/" in each["coderepo"]:
                yield self._remove("binding uses no more", team, "CodeRepoBinding", each)

    # Deployments

    def _deployment_created(self, team: Team) -> Iterator[Change]:
        if "test" not in team.of("Environment") or len(team.of("DeploymentRuntime")) > 2:
            return
        for each in self._some(team.of("CodeRepo")):
            if not each.get("project"):
                name = self._name("web")
                spec = {
                    "name": name,
                    "manifestSource": {"codeRepo": each["name"], "targetRevision": "main", "path": name},
                    "destination": {"environment": "test", "namespaces": [self._namespace(team)]},
                }
                manifests = ((each["name"], name),)
                yield self._apply("deployment created", team, "DeploymentRuntime", spec, manifests=manifests)

    def _namespace(self, team: Team) -> str:
        return self._name(f"{team.name}-space")

    def _deployments(self, team: Team) -> list[Spec]:
        return self._some(team.of("DeploymentRuntime"))

    def _deployment_follows(self, team: Team) -> Iterator[Change]:
        """Another branch, on which the same objects lie: what a branch deploys is not the plan's but the push's business."""
        for each in self._deployments(team):
            source = each["manifestSource"]
            branch = "other" if source["targetRevision"] == "main" else "main"
            spec = {**each, "manifestSource": {**source, "targetRevision": branch}}
            yield self._apply("deployment follows another branch", team, "DeploymentRuntime", spec)

    def _account_changed(self, team: Team) -> Iterator[Change]:
        for each in self._deployments(team):
            spec = {**each, "account": self._name("account")}
            yield self._apply("deployment acts as another account", team, "DeploymentRuntime", spec)

    def _account_shared(self, team: Team) -> Iterator[Change]:
        """The account of another runtime in a namespace that is this runtime's, too."""
        for each in self._deployments(team):
            for other in self._deployments(team):
                account = other.get("account") or other["name"]
                if other["name"] != each["name"] and account != (each.get("account") or each["name"]):
                    spec = {**each, "account": account}
                    yield self._apply("deployment shares an account", team, "DeploymentRuntime", spec)

    def _placed(self, team: Team, what: str, each: Spec, namespaces: list[str]) -> Change:
        spec = {**each, "destination": {**each["destination"], "namespaces": namespaces}}
        return self._apply(what, team, "DeploymentRuntime", spec)

    def _namespace_added(self, team: Team) -> Iterator[Change]:
        for each in self._deployments(team):
            names = each["destination"]["namespaces"]
            if len(names) < 3:
                yield self._placed(team, "namespace added", each, [*names, self._namespace(team)])

    def _namespace_shared(self, team: Team) -> Iterator[Change]:
        """One that another deployment has already."""
        for each in self._deployments(team):
            names = each["destination"]["namespaces"]
            for other in self._deployments(team):
                shared = other["destination"]["namespaces"][0]
                if len(names) < 3 and shared not in names:
                    yield self._placed(team, "namespace shared", each, [*names, shared])

    def _namespace_taken(self, team: Team) -> Iterator[Change]:
        for each in self._deployments(team):
            names = each["destination"]["namespaces"]
            if len(names) > 1:
                yield self._placed(team, "namespace taken away", each, names[:-1])

    def _namespaces_swapped(self, team: Team) -> Iterator[Change]:
        for each in self._deployments(team):
            names = each["destination"]["namespaces"]
            if len(names) > 1:
                yield self._placed(team, "namespaces swapped", each, names[::-1])

    def _namespace_replaced(self, team: Team) -> Iterator[Change]:
        """Where its objects are: they go and come anew."""
        for each in self._deployments(team):
            names = each["destination"]["namespaces"]
            yield self._placed(team, "deployment replaced", each, [self._namespace(team), *names[1:]])

    def _deployment_removed(self, team: Team) -> Iterator[Change]:
        for each in self._deployments(team)[1:]:
            yield self._remove("deployment removed", team, "DeploymentRuntime", each)

    # Pipelines

    def _pipeline_created(self, team: Team) -> Iterator[Change]:
        if "build" not in team.of("Environment") or len(team.of("ProjectPipelineRuntime")) > 1:
            return
        for each in self._some(team.of("CodeRepo")):
            if project := each.get("project"):
                spec = {
                    "name": self._name("build"),
                    "project": project,
                    "pipelineSource": each["name"],
                    "pipelines": [{"name": "main", "label": "main", "path": "build.yaml"}],
                    "destination": {"environment": "build", "namespace": self._namespace(team)},
                    "eventSources": [
                        {
                            "name": "push",
                            "gitlab": {"repoName": each["name"], "revision": "never", "events": ["push_events"]},
                        }
                    ],
                    "pipelineTriggers": [{"eventSource": "push", "pipeline": "main", "revision": "main"}],
                }
                yield self._apply("pipeline created", team, "ProjectPipelineRuntime", spec)

    def _pipeline_changed(self, team: Team) -> Iterator[Change]:
        for each in self._some(team.of("ProjectPipelineRuntime")):
            pipelines = [{"name": "main", "label": "main", "path": f"{self._name('build')}.yaml"}]
            yield self._apply("pipeline changed", team, "ProjectPipelineRuntime", {**each, "pipelines": pipelines})

    def _pipeline_moved(self, team: Team) -> Iterator[Change]:
        for each in self._some(team.of("ProjectPipelineRuntime")):
            destination = {**each["destination"], "namespace": self._namespace(team)}
            spec = {**each, "destination": destination}
            yield self._apply("pipeline replaced", team, "ProjectPipelineRuntime", spec)

    def _pipeline_removed(self, team: Team) -> Iterator[Change]:
        for each in self._some(team.of("ProjectPipelineRuntime")):
            yield self._remove("pipeline removed", team, "ProjectPipelineRuntime", each)

    # Several at once

    def _several(self, team: Team) -> Iterator[Change]:
        """A project, a repository in it and a binding, as one change."""
        if team.declared and len(team.of("Project")) < 3 and len(team.of("CodeRepo")) < 4:
            project, name = self._name("project"), self._name("repo")
            parts = [
                self._apply("", team, "Project", {"name": project, "language": "c"}),
                self._apply("", team, "CodeRepo", self._repository(team, name, project)),
                self._apply("", team, "CodeRepoBinding", self._binding(name, "readwrite")),
            ]
            documents = [each for part in parts for each in part.documents]
            yield Change("several created at once", team.name, "apply", documents)
