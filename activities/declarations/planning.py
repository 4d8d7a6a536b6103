"""A change of a product, planned: the request applied to the declaration in memory, the rules run, the effects listed.

Called by activities/products.py, which acts on the same plan. Nothing is written here; the platform's own account looks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from activities.declarations import intents, lines, specifications
from activities.declarations.intents import Intent
from activities.declarations.worlds import Worlds
from activities.declarations.worlds import repositories as named
from nautes.clients.declarations import DECLARATION, Declaration, Declarations
from nautes.clients.gitlab import DEVELOPER, MAINTAINER, GitLab
from nautes.messages.common import Requester
from nautes.messages.declarations import Lifetime, RepositoryUse
from nautes.messages.gitlab import GroupInput
from nautes.messages.operations import ChangeRequest, Effect
from nautes.messages.products import Plan, RepositoryPlan
from nautes.resources.findings import Finding
from nautes.resources.names import Names
from nautes.resources.product import CodeRepo, CodeRepoBinding, Product
from nautes.resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from nautes.resources.stored import store
from nautes.rules import deletions
from nautes.rules.engine import check, finding
from nautes.rules.frozen import frozen

HOOK_EVENTS = ["push_events", "tag_push_events"]
PERMISSIONS = ("readonly", "readwrite")
OF_OTHERS = ("foreign-unknown", "foreign-unagreed")  # rights that are another product's to give: nobody skips these
MARKED = "-deletion_scheduled-"  # how GitLab renames what it has still to delete


@dataclass(frozen=True)
class Policy:
    """What the settings say about changes. `hooks_url` is where GitLab reaches our receiver."""

    hooks_url: str
    lifetime: Lifetime
    deletions: deletions.Limits


class Planner:
    """Looks with the platform's own account."""

    def __init__(self, declarations: Declarations, gitlab: GitLab, policy: Policy) -> None:
        self._declarations = declarations
        self._gitlab = gitlab
        self._worlds = Worlds(declarations)
        self.policy = policy

    def intent(self, request: ChangeRequest, foreign_uses: list[RepositoryUse]) -> Intent:
        """The request against the declaration at its head."""
        declaration = self._declarations.product(request.product)
        group = self._gitlab.find(f"/groups/{declaration.group_id}") if declaration.group_id else None
        return Intent.of(request, declaration, group, foreign_uses)

    def plan(self, intent: Intent) -> Plan:
        """What the request would do, or why it is refused."""
        request, declaration = intent.request, intent.declaration
        findings, already, warnings = self.judge(intent)
        found = {each.name: self._project(intent, each) for each in intent.resources if isinstance(each, CodeRepo)}
        planned = list(self._effects(intent, found))
        plan = Plan(
            head=declaration.head,
            group_id=declaration.group_id,
            project_id=declaration.project_id,
            hooks_url=self.policy.hooks_url,
            lifetime=self.policy.lifetime,
            already=already,
            warnings=warnings,
            outcomes=list(intents.outcomes(intent, planned)),
            effects=planned,
            deletions=len(intent.gone),
            claims=intents.claims(intent),
            access_requests=intents.access_requests(intent),
        )
        plan = self._applied(plan, intent) if request.action == "apply" else self._removed(plan, intent, found)
        plan = plan.model_copy(update={"id": _digest(plan, request)})
        stale = [] if findings else list(_stale(plan, request))
        return plan.model_copy(update={"findings": [*findings, *stale]})

    # Rules

    def judge(self, intent: Intent) -> tuple[list[Finding], list[Finding], list[Finding]]:
        """(what refuses the change, what was wrong before, what the person should know)."""
        request = intent.request
        new = [*self._rights(intent), *intents.existence(intent), *intents.expected(intent), *self._left(intent)]
        if not request.dry_run and request.action == "remove":
            limits = self.policy.deletions
            new += deletions.check(intent.gone, intent.before, request.confirmed, limits)
        product = [intent.product] if intent.product and request.action == "apply" else []
        old, wanted = self._worlds.of(intent.before, intent.after.apply(product))
        report = check([each.key for each in intent.resources], old, wanted)
        if request.skip_check:
            others = [each for each in report.new if each.rule in OF_OTHERS]
            return [*new, *self._nameless(intent), *others], [], []
        new += report.new
        for before, after in intent.pairs():
            if before is not None and after is not None:
                new += frozen(before, after, old)
        new += intents.unopened(intent)
        return new, [*intent.before.findings, *report.already], list(report.warnings)

    def _rights(self, intent: Intent) -> Iterable[Finding]:
        """The API has asked, but in the letters of the request, and before this change's turn came."""
        request, declaration = intent.request, intent.declaration
        if not declaration.project_id:
            return
        member = self._gitlab.find(f"/projects/{declaration.project_id}/members/all/{request.requester.id}")
        needed = MAINTAINER if request.skip_check else self._to_push(declaration)
        if not request.requester.admin and (not member or member["access_level"] < needed):
            text = f"there is no product {request.product}, or {request.requester.username} may not push to it"
            yield Finding(rule="product-unknown", message=text)
        elif intent.group and intent.group["full_path"] != request.product:
            yield Finding(rule="product-spelling", message=f"the product is written {intent.group['full_path']}")

    def _left(self, intent: Intent) -> Iterable[Finding]:
        """A group goes with all that is in it: nothing may be in it that nobody has declared."""
        product, number = intent.product, intent.declaration.group_id
        if intent.request.action != "remove" or product is None or not number:
            return
        path = intent.request.product
        ours = {f"{path}/{DECLARATION}", *(f"{path}/{each.name}" for each in intent.before.all(CodeRepo))}
        ours |= {f"{path}/{each.name}" for each in intent.resources if isinstance(each, CodeRepo)}
        projects = self._gitlab.pages(f"/groups/{number}/projects", simple="true")
        found = [
            f"project {each['path_with_namespace']}" for each in projects if each["path_with_namespace"] not in ours
        ]
        found += [f"subgroup {each['full_path']}" for each in self._gitlab.pages(f"/groups/{number}/subgroups")]
        left = sorted(each for each in found if MARKED not in each)
        if left:
            yield finding("product-in-use", product, f"the group still holds {', '.join(left)}")

    def _to_push(self, declaration: Declaration) -> int:
        """Access level that pushing to the declaration needs."""
        branch = self._gitlab.find(f"/projects/{declaration.project_id}/protected_branches/main")
        if branch is None:
            return DEVELOPER
        levels = [int(each["access_level"]) for each in branch["push_access_levels"] if each.get("access_level")]
        return min(levels, default=MAINTAINER)

    def _nameless(self, intent: Intent) -> Iterable[Finding]:
        """A repository that nobody declares has no id to be stored by: not even a change that skips the rules may name it."""
        if intent.request.action != "apply":
            return
        names = self.names(intent)
        for each in intent.resources:
            try:
                if not isinstance(each, Product):
                    store(each, names)
            except KeyError as error:
                text = f"{each.key} names the repository {error}, which is not declared"
                yield finding("repository-unknown", each, text)

    def names(self, intent: Intent) -> Names:
        """Ids of everything the declaration will name; a repository this change is about to make has none yet: 0."""
        declaration, after, path = intent.declaration, intent.after, intent.request.product
        repositories, products = dict(declaration.names.repositories), dict(declaration.names.products)
        products[path] = declaration.group_id
        for each in after.all(CodeRepo):
            if each.name not in repositories:
                repositories[each.name] = self._gitlab.project_id(f"{path}/{each.name}")
        for full in sorted(
            {name for each in after for name in named(each) if "/" in name and name not in repositories}
        ):
            if number := self._gitlab.project_id(full):
                repositories[full] = number
        for consumer in {each.consumer for each in after.all(CodeRepoBinding) if each.consumer} - set(products):
            products[consumer] = self._gitlab.group_id(consumer)
        return Names(products=products, repositories=repositories)

    # Effects

    def _effects(self, intent: Intent, found: dict[str, Any]) -> Iterable[Effect]:
        path, declaration = intent.request.product, intent.declaration
        if intent.request.action == "apply":
            if intent.product:
                yield from lines.settled("group", path, _group_order(intent.product).model_dump(), intent.group)
                if not declaration.project_id:
                    yield Effect(system="gitlab", action="create", target=f"repository {path}/{DECLARATION}")
                    yield from lines.doors(f"{path}/{DECLARATION}", ["readonly"], token=False)
            for name, project in found.items():
                wanted = repository_plan(intent.after.resources[f"CodeRepo/{name}"], declaration)  # type: ignore[arg-type]
                settings = {"name": wanted.display, "visibility": wanted.visibility, "description": wanted.description}
                yield from lines.settled("repository", f"{path}/{name}", settings, project)
                if project is None:
                    yield from lines.doors(f"{path}/{name}", PERMISSIONS, token=True)
        for before, after in intent.pairs():
            yield from lines.declared(before, after)
        for before, after in intent.pairs():
            if isinstance(before or after, DeploymentRuntime | ProjectPipelineRuntime):
                tree = intent.after if after else intent.before
                yield from lines.running(declaration.group_id, before, after, tree)  # type: ignore[arg-type]
        yield from lines.shared(path, intent.before, intent.after)
        yield from lines.gone(path, intent.gone)

    def _project(self, intent: Intent, repository: CodeRepo) -> Any:
        return self._gitlab.project(f"{intent.request.product}/{repository.name}")

    def _applied(self, plan: Plan, intent: Intent) -> Plan:
        repositories = [
            repository_plan(each, intent.declaration) for each in intent.resources if isinstance(each, CodeRepo)
        ]
        group = _group_order(intent.product) if intent.product else None
        return plan.model_copy(update={"group": group, "repositories": repositories, "files": True})

    def _removed(self, plan: Plan, intent: Intent, found: dict[str, Any]) -> Plan:
        """A retry of a removal finds the files gone already: what is asked for counts, not what the tree still holds."""
        numbers = {name: int(project["id"]) for name, project in found.items() if project}
        declaration = intent.declaration
        if declaration.project_id:
            numbers[DECLARATION] = declaration.project_id
        runtimes = [
            specifications.workflow(each)
            for each in intent.resources
            if isinstance(each, DeploymentRuntime | ProjectPipelineRuntime)
        ]
        return plan.model_copy(
            update={
                "gone_repositories": [name for name in numbers if name != DECLARATION],
                "repository_ids": numbers,
                "gone_runtimes": runtimes,
                "product_gone": intent.product is not None,
                "files": any(not isinstance(each, Product) for each in intent.gone),
            }
        )


def _stale(plan: Plan, request: ChangeRequest) -> Iterable[Finding]:
    if request.plans and plan.id not in request.plans:
        yield Finding(
            rule="plan-stale",
            message="the world has moved since this was planned: other effects would come of it now",
            hint="plan again and look at what has changed",
        )


def _digest(plan: Plan, request: ChangeRequest) -> str:
    parts = [plan.head, request.action, str(request.skip_check)]
    parts += [each.model_dump_json() for each in (*plan.outcomes, *plan.effects)]
    parts += [str(sorted(manifest.items())) for manifest in request.manifests]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _group_order(product: Product) -> GroupInput:
    gitlab = product.git.gitlab
    nobody = Requester(id=0, username="", name="", email="")  # the change puts its requester here
    return GroupInput(
        path=product.name,
        name=(gitlab.name if gitlab else "") or product.name.rpartition("/")[2],
        visibility=gitlab.visibility if gitlab else "",
        description=gitlab.description if gitlab else None,
        owner=nobody,
    )


def repository_plan(repository: CodeRepo, declaration: Declaration) -> RepositoryPlan:
    """What is to be ensured of a repository."""
    gitlab = repository.git.gitlab
    declared = [each for each in (repository.webhook.events if repository.webhook else []) if each]
    return RepositoryPlan(
        name=repository.name,
        display=(gitlab.name if gitlab else "") or repository.name,
        visibility=gitlab.visibility if gitlab else "",
        description=gitlab.description if gitlab else None,
        # Pushes are always heard: runtimes follow repositories whether or not they declare a webhook.
        events=sorted({*declared, *HOOK_EVENTS}),
        new=repository.name not in declaration.names.repositories,
    )
