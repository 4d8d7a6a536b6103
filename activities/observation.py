"""What a plan is made of: the declaration at its head, GitLab's groups and projects, clusters, and what runtimes have in them.

Used by activities/products.py with the platform's own account. Only looks; what is planned from it is in nautes/planning/.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from activities.kubernetes.inventory import InventoryReader, parent_namespaces
from activities.worlds import Worlds
from nautes.blueprints import runtimes, vault
from nautes.clients.declarations import Declarations
from nautes.clients.git import GitCache
from nautes.clients.gitlab import DEVELOPER, MAINTAINER, GitLab
from nautes.clients.kubernetes import Clusters, Kind
from nautes.convergence.manifests import parse
from nautes.convergence.objects import Key, key_of, metadata
from nautes.messages.errors import NautesError, NotFound
from nautes.messages.operations import ChangeRequest
from nautes.messages.secrets import SecretRef
from nautes.planning.change import Observation
from nautes.planning.declaration import full_path, named_repositories, product_id
from nautes.planning.effects import Move, Objects
from nautes.planning.head import names as names_in_effect
from nautes.planning.known import Known
from nautes.planning.moves import moving
from nautes.planning.repositories import DECLARATION
from nautes.planning.request import Intent, Request
from nautes.resources.declaration import Declaration
from nautes.resources.findings import Finding
from nautes.resources.manifest import resource_of
from nautes.resources.names import Names
from nautes.resources.product import CodeRepo, CodeRepoBinding
from nautes.resources.runtime import DeploymentRuntime
from nautes.resources.tree import ProductTree
from nautes.rules.decided import PRODUCT_IN_USE, PRODUCT_SPELLING, PRODUCT_UNKNOWN, REPOSITORY_ID
from nautes.rules.engine import World

MARKED = "-deletion_scheduled-"  # how GitLab renames what it has still to delete
CLAIM = ("", "PersistentVolumeClaim")
CLAIMS = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", namespaced=True)


@dataclass(frozen=True)
class Observed:
    """An intent, the world before and after it, and what was found outside."""

    intent: Intent
    before: World
    after: World
    outside: Observation


class Observer:
    """Looks; every method may be called as often as one likes."""

    def __init__(
        self,
        declarations: Declarations,
        gitlab: GitLab,
        clusters: Clusters | None = None,
        git: GitCache | None = None,
    ) -> None:
        self._declarations = declarations
        self._gitlab = gitlab
        self._clusters = clusters
        self._git = git
        self._worlds = Worlds(declarations)

    def intent(self, request: ChangeRequest, known: Known) -> Intent:
        """The request against the declaration at its head."""
        declaration = self._declarations.product(request.product)
        group = self._gitlab.find(f"/groups/{declaration.group_id}") if declaration.group_id else None
        asked = Request(
            product=request.product,
            action="remove" if request.action == "remove" else "apply",
            resources=[resource_of(each) for each in request.manifests],
            expected=request.expected,
        )
        return Intent(asked, declaration, group, known.foreign_uses)

    def observe(self, intent: Intent, request: ChangeRequest, known: Known) -> Observed:
        """Everything else that the plan and the rules need."""
        product = [intent.product] if intent.product and not intent.removes else []
        before, after = self._worlds.of(intent.before, intent.after.apply(product))
        return Observed(
            intent,
            before,
            after,
            Observation(
                known=known,
                requester=request.requester.username,
                projects=self._projects(intent),
                registered=frozenset(after.clusters),
                objects=self.objects(intent.declaration, intent.before, intent.after, before),
                owners=self._owners(intent),
            ),
        )

    def _projects(self, intent: Intent) -> Mapping[str, Any]:
        """The projects of the product's group by path: one list, where the request is about repositories at all."""
        number = intent.declaration.group_id
        wanted = any(isinstance(each, CodeRepo) for each in intent.request.resources)
        if not number or not (wanted or any(isinstance(each, CodeRepo) for each in intent.gone)):
            return {}
        # Projects of other groups that are shared with this one are none of its own.
        listed = self._gitlab.pages(f"/groups/{number}/projects", with_shared="false")
        own = [each for each in listed if each["namespace"]["id"] == number]
        return {str(each["path"]): each for each in own if MARKED not in str(each["path"])}

    def _owners(self, intent: Intent) -> Mapping[str, ProductTree]:
        """Declarations of the products whose repositories are used before or after the change."""
        bindings = [each for tree in (intent.before, intent.after) for each in tree.all(CodeRepoBinding)]
        owners = {each.owner_of_repository for each in bindings if each.foreign}
        found = {owner: self._declarations.product(owner).tree for owner in sorted(owners)}
        return {owner: tree for owner, tree in found.items() if tree is not None}

    # Clusters

    def worlds(self, before: ProductTree, after: ProductTree) -> tuple[World, World]:
        """What rules may look at, before and after."""
        old, new = self._worlds.of(before, after)
        return old, new

    def objects(
        self, declaration: Declaration, before: ProductTree, after: ProductTree, world: World
    ) -> Mapping[str, Objects]:
        """What runtimes that move, or go, have in their clusters, and the volume claims that go with a namespace."""
        number, found, silent = product_id(declaration.group_id), dict[str, Objects](), set[str]()
        for key, move in moving(before, after).items():
            if number and move.before and move.before.cluster in world.clusters:
                live, claims = self._held(number, move) if move.before.cluster not in silent else (None, None)
                if live is None or claims is None:
                    found[key] = Objects(known=False)
                    silent.add(move.before.cluster)  # not asked again: a plan of many runtimes would take minutes
                    continue
                runtime = after.get(DeploymentRuntime, move.before.name)
                follow = self._following(declaration, runtime, move, live) if live and runtime and move.turned else ()
                found[key] = _counted(live, follow, claims)
        return found

    def _held(self, number: str, move: Move) -> tuple[list[Key] | None, list[Key] | None]:
        """What is in a runtime's inventory, and the volume claims that go with its namespaces; None for no answer, asked twice.

        One lost answer must not ask a person to confirm what cannot be counted.
        """
        for _ in range(2):
            live = self._live(number, move)
            claims = self._claims_in(move) if live is not None else None
            if claims is not None:
                break
        return live, claims

    def _live(self, number: str, move: Move) -> list[Key] | None:
        """What is in the inventory of a deployment, None when the cluster does not answer."""
        placed = move.before
        if placed and placed.what == "pipeline":
            return []  # its runs are no objects that somebody declared
        if self._clusters is None or placed is None:
            return None
        try:
            reference = SecretRef(engine="cluster", path=vault.kubeconfig_path(placed.cluster))
            cluster = self._clusters.get(reference)
            reader = InventoryReader(cluster, runtimes.owner(number, placed.name), placed.namespaces, lambda *_: None)
            live = reader.read(parent_namespaces(placed.namespaces)).live
        except (
            NautesError
        ):  # a cluster that does not answer must not stop a plan: the plan says that nothing was counted
            return None
        return list(live)

    def _claims_in(self, move: Move) -> list[Key] | None:
        """All volume claims in namespaces that are deleted; None when the cluster does not answer."""
        if not move.vacated or move.before is None:
            return []
        if self._clusters is None:
            return None
        try:
            cluster = self._clusters.get(SecretRef(engine="cluster", path=vault.kubeconfig_path(move.before.cluster)))
            listed = [each for name in move.vacated for each in cluster.list(CLAIMS, namespace=name).items]
        except NautesError:
            return None
        return [Key("", CLAIMS.kind, each["metadata"]["namespace"], each["metadata"]["name"]) for each in listed]

    def _following(
        self, declaration: Declaration, runtime: DeploymentRuntime, move: Move, live: Iterable[Key]
    ) -> list[Key]:
        """Objects of the namespace that was the first one whose manifests do not name it; all, where Git does not answer."""
        first = move.before.namespaces[0] if move.before else ""
        there = [key for key in live if key.namespace == first]
        source = runtime.manifest_source
        repository = full_path(declaration, source.code_repo)
        try:
            if self._git is None:
                return there
            files = self._git.files(repository, self._git.fetch(repository, source.target_revision), source.path)
        except NautesError:
            return there
        items = parse((each.path, each.content) for each in files).objects
        named = {key_of(each) for each in items if metadata(each).get("namespace") == first}
        return [key for key in there if key not in named]

    # Rights and what GitLab holds beside the declaration

    def rights(self, intent: Intent, request: ChangeRequest) -> Iterable[Finding]:
        """The API has asked before, but in the letters of the request, and before this change's turn came."""
        declaration = intent.declaration
        if not declaration.project_id:
            return
        member = self._gitlab.find(f"/projects/{declaration.project_id}/members/all/{request.requester.id}")
        needed = MAINTAINER if request.skip_check else self._to_push(declaration)
        if not request.requester.admin and (not member or member["access_level"] < needed):
            text = f"there is no product {request.product}, or {request.requester.username} may not push to it"
            yield PRODUCT_UNKNOWN.finding("", text)
        elif intent.group and intent.group["full_path"] != request.product:
            yield PRODUCT_SPELLING.finding("", f"the product is written {intent.group['full_path']}")

    def _to_push(self, declaration: Declaration) -> int:
        """Access level that pushing to the declaration needs."""
        branch = self._gitlab.find(f"/projects/{declaration.project_id}/protected_branches/main")
        if branch is None:
            return DEVELOPER
        levels = [int(each["access_level"]) for each in branch["push_access_levels"] if each.get("access_level")]
        return min(levels, default=MAINTAINER)

    def left(self, intent: Intent) -> Iterable[Finding]:
        """A group goes with all that is in it: nothing may be in it that nobody has declared."""
        product, number = intent.product, intent.declaration.group_id
        if not intent.removes or product is None or not number:
            return
        path = intent.path
        ours = {f"{path}/{DECLARATION}", *(f"{path}/{each.name}" for each in intent.before.all(CodeRepo))}
        ours |= {f"{path}/{each.name}" for each in intent.request.resources if isinstance(each, CodeRepo)}
        projects = self._gitlab.pages(f"/groups/{number}/projects", simple="true")
        found = [
            f"project {each['path_with_namespace']}" for each in projects if each["path_with_namespace"] not in ours
        ]
        found += [f"subgroup {each['full_path']}" for each in self._gitlab.pages(f"/groups/{number}/subgroups")]
        others = sorted(each for each in found if MARKED not in each)
        if others:
            yield PRODUCT_IN_USE.finding(product, f"the group still holds {', '.join(others)}")

    # Names

    def names(self, intent: Intent, made: Mapping[str, int]) -> Names:
        """Ids of everything the declaration will name; `made` are ids that the change knows already. 0 for what has none yet."""
        declaration, after, path = intent.declaration, intent.after, intent.path
        repositories, products = dict(declaration.names.repositories), dict(declaration.names.products)
        products[path] = declaration.group_id
        for each in after.all(CodeRepo):
            # One that was deleted by hand, and made again by this change, has another id than the one that is declared.
            number = made.get(each.name) or repositories.get(each.name)
            repositories[each.name] = number or self._gitlab.project_id(f"{path}/{each.name}")
        named = {name for each in after for name in named_repositories(each) if "/" in name}
        for full in sorted(named - repositories.keys()):
            if number := self._gitlab.project_id(full):
                repositories[full] = number
        for consumer in {each.consumer for each in after.all(CodeRepoBinding) if each.consumer} - set(products):
            products[consumer] = self._gitlab.group_id(consumer)
        return Names(products=products, repositories=repositories)

    def foreign_numbers(self, declaration: Declaration, before: Names) -> Iterable[Finding]:
        """A stored repository carries GitLab's id: who may push must not name a project of somebody else by it.

        Asked for every id that is not in effect already, also of a trusted change: the id is no part of the resource.
        """
        for each in declaration.tree.all(CodeRepo) if declaration.tree else []:
            number = declaration.names.repositories.get(each.name, 0)
            if number == before.repositories.get(each.name):
                continue
            if self._gitlab.project_id(f"{declaration.path}/{each.name}") != number:
                text = f"{each.key} is not stored under the id of {declaration.path}/{each.name}"
                yield REPOSITORY_ID.finding(each, text)

    # Heads

    def in_effect(self, declaration: Declaration, known: Known) -> Declaration:
        """As it was accepted last: that commit, with what was held back then as it had been before."""
        found = self._at(declaration, known.accepted)
        tree, names = found.tree or ProductTree(declaration.path), found.names
        for key, commit in known.held.items():
            kept = self._at(declaration, commit)
            old = kept.tree.resources.get(key) if kept.tree else None
            tree = tree.apply([old]) if old else tree.remove([key])
            names = names_in_effect(names, kept.names, [key])
        return replace(found, tree=tree, names=names)

    def _at(self, declaration: Declaration, commit: str) -> Declaration:
        nothing = Declaration(declaration.path)
        try:
            return self._declarations.at(declaration, commit) if commit else nothing
        except NotFound:  # somebody rewrote the branch: nothing is known of before
            return nothing


def _counted(live: Iterable[Key], following: Iterable[Key], claims: Iterable[Key]) -> Objects:
    """By namespace, with the volume claims by name, also those that are in no inventory."""
    keys, follow = list(live), list(following)
    return Objects(
        by_namespace=Counter(key.namespace for key in keys),
        claims=_claims({*keys, *claims}),
        following=len(follow),
        following_claims=_claims(follow),
    )


def _claims(keys: Iterable[Key]) -> tuple[str, ...]:
    return tuple(sorted(f"{key.namespace}/{key.name}" for key in keys if (key.group, key.kind) == CLAIM))
