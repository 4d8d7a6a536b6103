"""A product's declaration: planned, committed, read. Called by the change and product workflows.

The rules run here, on what a change touches, and not in workflow code: a rule may change between two versions of this build
without breaking the replay of a change that is under way.
"""

from __future__ import annotations

from collections.abc import Iterable

from temporalio import activity

from activities import specifications
from activities.gitlab import TRAILER, commit
from clients.declarations import BRANCH, DECLARATION, Declaration, Declarations
from clients.gitlab import MAINTAINER, GitLab
from contracts import ids
from contracts.common import Requester
from contracts.errors import Conflict, Refused
from contracts.gitlab import CommitOrder, FileAction, GroupOrder
from contracts.operations import ChangeRequest, Effect, Outcome
from contracts.products import (
    FilesCommitted,
    FilesOrder,
    Plan,
    PlanOrder,
    RepositoryPlan,
    SyncOrder,
    SyncReport,
)
from resources.base import Resource
from resources.findings import Finding
from resources.kinds import in_order
from resources.manifest import resource_of
from resources.names import Names
from resources.product import CodeRepo, Environment, Product
from resources.runtime import DeploymentRuntime, ProjectPipelineRuntime
from resources.stored import product_files, store
from resources.tree import FileChange, ProductTree, difference
from rules import products as product_rules
from rules.engine import World, check, finding

HOOK_EVENTS = ["push_events", "tag_push_events"]
ATTEMPTS = 5  # at a commit whose head moved in between, before it is left to the next retry


class ProductActivities:
    """`hooks_url` is where GitLab reaches our receiver."""

    def __init__(self, declarations: Declarations, gitlab: GitLab, hooks_url: str) -> None:
        self._declarations = declarations
        self._gitlab = gitlab
        self._hooks_url = hooks_url

    # Plan

    @activity.defn(name="products.plan")
    def plan(self, order: PlanOrder) -> Plan:
        """Read the head, apply the request in memory, run the rules, say what would be done. Idempotent: it only looks."""
        request = order.request
        declaration = self._declarations.product(request.product)
        resources = [resource_of(each) for each in request.manifests]
        before = declaration.tree or ProductTree(request.product)
        after = _after(before, resources, request.action)
        findings, already = self._rules(request, declaration, resources, before, after)
        plan = Plan(
            head=declaration.head,
            group_id=declaration.group_id,
            project_id=declaration.project_id,
            hooks_url=self._hooks_url,
            findings=findings,
            already=already,
            outcomes=list(_outcomes(request, declaration, resources, before)),
        )
        return (
            self._applied(plan, declaration, resources)
            if request.action == "apply"
            else self._removed(plan, declaration, resources, before, after)
        )

    def _rules(
        self,
        request: ChangeRequest,
        declaration: Declaration,
        resources: list[Resource],
        before: ProductTree,
        after: ProductTree,
    ) -> tuple[list[Finding], list[Finding]]:
        """(what refuses the change, what was wrong before)."""
        new = [*self._rights(request, declaration), *_existence(request, declaration, resources, after)]
        if request.skip_check:
            return [*new, *_nameless(request, declaration, resources, after)], []
        clusters = self._declarations.clusters().clusters
        old_world, new_world = World(before, clusters), World(after, clusters)
        report = check([each.key for each in resources], old_world, new_world)
        new += report.new
        if request.action == "apply":
            for each in resources:
                known = before.resources.get(each.key)
                if known is not None:
                    new += product_rules.frozen(known, each, old_world)
        return new, [*before.findings, *report.already]

    def _rights(self, request: ChangeRequest, declaration: Declaration) -> Iterable[Finding]:
        """The door has asked, but in the letters of the request, and before this change's turn came."""
        if not declaration.project_id:
            return
        group = self._gitlab.get(f"/groups/{declaration.group_id}")
        member = self._gitlab.find(f"/groups/{declaration.group_id}/members/all/{request.requester.id}")
        if not request.requester.admin and (not member or member["access_level"] < MAINTAINER):
            text = f"there is no product {request.product}, or {request.requester.username} is not its Maintainer"
            yield Finding(rule="product-unknown", message=text)
        elif group["full_path"] != request.product:
            yield Finding(rule="product-spelling", message=f"the product is written {group['full_path']}")

    def _applied(self, plan: Plan, declaration: Declaration, resources: list[Resource]) -> Plan:
        product = next((each for each in resources if isinstance(each, Product)), None)
        repositories = [_repository_plan(each, declaration) for each in resources if isinstance(each, CodeRepo)]
        changed = [each for each in plan.outcomes if each.action in ("created", "changed")]
        effects = [
            Effect(
                system="gitlab" if each.resource.split("/")[0] in ("Product", "CodeRepo") else "git",
                action="create" if each.action == "created" else "change",
                target=each.resource,
            )
            for each in changed
        ]
        return plan.model_copy(
            update={
                "group": _group_order(product) if product else None,
                "repositories": repositories,
                "effects": effects,
                "files": True,
            }
        )

    def _removed(
        self,
        plan: Plan,
        declaration: Declaration,
        resources: list[Resource],
        before: ProductTree,
        after: ProductTree,
    ) -> Plan:
        gone = [each for each in before if each.key not in after.resources]
        names = [each.name for each in gone if isinstance(each, CodeRepo)]
        path = declaration.path
        found = {name: self._gitlab.project_id(f"{path}/{name}") for name in [*names, DECLARATION]}
        product_gone = any(isinstance(each, Product) for each in resources)
        # A retry of a removal finds the files gone already: what is asked for counts, not what the tree still holds.
        asked = [each.name for each in resources if isinstance(each, CodeRepo) and each.name not in names]
        found |= {name: self._gitlab.project_id(f"{path}/{name}") for name in asked}
        runtimes = [
            workflow
            for each in resources
            if isinstance(each, DeploymentRuntime | ProjectPipelineRuntime)
            and (workflow := specifications.workflow(each))
        ]
        effects = [Effect(system="gitlab", action="delete", target=each.key) for each in gone]
        return plan.model_copy(
            update={
                "gone_repositories": [name for name in [*names, *asked] if found.get(name)],
                "repository_ids": {name: number for name, number in found.items() if number},
                "gone_runtimes": runtimes,
                "product_gone": product_gone,
                "effects": effects,
                "files": bool(gone),
            }
        )

    # Commit

    @activity.defn(name="products.commit_files")
    def commit_files(self, order: FilesOrder) -> FilesCommitted:
        """One commit that carries the change. Idempotent: a tree that agrees already is not committed to again.

        The head is read anew, the intent applied to it, the rules run again; a head that moves in between is read once more.
        """
        for _ in range(ATTEMPTS):
            try:
                return self._commit_once(order)
            except Conflict:
                continue
        raise Conflict("head-moves", f"default.project of {order.request.product} keeps moving")

    def _commit_once(self, order: FilesOrder) -> FilesCommitted:
        request = order.request
        declaration = self._declarations.product(request.product)
        resources = [resource_of(each) for each in request.manifests]
        before = declaration.tree or ProductTree(request.product)
        after = _after(before, resources, request.action)
        findings, _ = self._rules(request, declaration, resources, before, after)
        if findings:
            raise Refused("rules", findings[0].message, findings=findings)
        changes = self._file_changes(declaration, before, after)
        if not changes:
            return FilesCommitted(commit=declaration.head, changed=[], made=False)
        made = commit(
            self._gitlab,
            CommitOrder(
                project_id=order.project_id,
                branch=BRANCH,
                actions=[FileAction(action=each.action, path=each.path, content=each.content) for each in changes],
                message=_message(request, resources),
                author=request.requester,
                expected_head=declaration.head,
            ),
        )
        if made.parent != declaration.head:
            self._recheck(order, made.commit)
        return FilesCommitted(commit=made.commit, changed=[each.path for each in changes], made=True)

    def _file_changes(self, declaration: Declaration, before: ProductTree, after: ProductTree) -> list[FileChange]:
        """Only files of resources that changed are touched; what people wrote by hand beside them stays as it is."""
        names = self._names(declaration, after)
        old, new = product_files(before, names), product_files(after, names)
        present = declaration.files
        wanted = {path: text for path, text in present.items() if path not in old or path in new}
        wanted |= {path: text for path, text in new.items() if path not in present or old.get(path) != text}
        return difference(present, wanted)

    def _names(self, declaration: Declaration, after: ProductTree) -> Names:
        repositories = dict(declaration.names.repositories)
        for each in after.all(CodeRepo):
            if each.name not in repositories:
                repositories[each.name] = self._gitlab.project_id(f"{declaration.path}/{each.name}")
        products = {**declaration.names.products, declaration.path: declaration.group_id}
        return Names(products=products, repositories=repositories)

    def _recheck(self, order: FilesOrder, made: str) -> None:
        """Somebody pushed between our look and our commit: the rules must hold for the tree that came of it."""
        declaration = self._declarations.product(order.request.product)
        tree = declaration.tree or ProductTree(order.request.product)
        clusters = self._declarations.clusters().clusters
        keys = [resource_of(each).key for each in order.request.manifests]
        report = check(keys, World(ProductTree(tree.product), clusters), World(tree, clusters))
        if report.new and not order.request.skip_check:
            activity.logger.warning("commit %s met another push; findings: %s", made, [f.rule for f in report.new])

    # Read

    @activity.defn(name="products.read")
    def read(self, order: SyncOrder) -> SyncReport:
        """The declaration at its head, with the runtimes whose specification is news. Idempotent: it only looks."""
        declaration = self._declarations.product(order.product)
        tree = declaration.tree
        if tree is None:  # no such product, or nothing to read in it: a branch that is gone deletes no runtime
            exists = bool(declaration.group_id and declaration.project_id)
            kept = order.digests if exists else {}
            return SyncReport(exists=exists, project_id=declaration.project_id, digests=kept, kept=list(kept))
        deployments = [specifications.deployment(each, declaration) for each in tree.all(DeploymentRuntime)]
        pipelines = [specifications.pipeline(each, declaration) for each in tree.all(ProjectPipelineRuntime)]
        known = [each for each in deployments if each] + [each for each in pipelines if each]
        digests = {specifications.workflow_of(each): specifications.digest(each) for each in known}
        news = {key for key, digest in digests.items() if order.digests.get(key) != digest}
        declared = {specifications.workflow(each) for each in specifications.runtimes(tree)}
        # Nothing is removed because a file could not be read, or what it names is gone: it keeps what it was told last.
        gone = [] if tree.findings else [key for key in order.digests if key not in declared]
        kept = {key: order.digests[key] for key in order.digests if key not in digests and key not in gone}
        return SyncReport(
            exists=True,
            id=ids.product_name(declaration.group_id),
            project_id=declaration.project_id,
            commit=declaration.head,
            digests=digests | kept,
            watches=list(specifications.watches(known)),
            environments={each.name: each.cluster for each in tree.all(Environment)},
            runtimes=list(specifications.lines(tree)),
            deployments=[each for each in deployments if each and specifications.workflow_of(each) in news],
            pipelines=[each for each in pipelines if each and specifications.workflow_of(each) in news],
            removed=gone,
            kept=list(kept),
            findings=[*tree.findings, *specifications.unresolved(tree, digests)],
        )


def _after(before: ProductTree, resources: list[Resource], action: str) -> ProductTree:
    """The tree as it shall be. The Product itself is the group, not a file of the tree."""
    declared = [each for each in resources if not isinstance(each, Product)]
    if action == "apply":
        return before.apply(declared)
    return before.remove(each.key for each in declared)


def _existence(
    request: ChangeRequest, declaration: Declaration, resources: list[Resource], after: ProductTree
) -> Iterable[Finding]:
    product = next((each for each in resources if isinstance(each, Product)), None)
    if request.action == "apply" and product is None and not declaration.project_id:
        yield Finding(
            rule="product-missing",
            message=f"product {request.product} does not exist",
            hint="declare the Product in the same change",
        )
    if request.action == "remove" and product is not None:
        left = sorted(each.key for each in after if each.kind != "Product")
        if left:
            yield finding("product-in-use", product, f"the product still holds {', '.join(left)}")


def _nameless(
    request: ChangeRequest, declaration: Declaration, resources: list[Resource], after: ProductTree
) -> Iterable[Finding]:
    """A repository that nobody declares has no id to be stored by: not even a change that skips the rules may name it."""
    if request.action != "apply":
        return
    declared = {each.name for each in after.all(CodeRepo)} | set(declaration.names.repositories)
    names = Names(products={declaration.path: 0}, repositories=dict.fromkeys(declared, 0))
    for each in resources:
        try:
            if each.kind != "Product":
                store(each, names)
        except KeyError as error:
            yield finding("repository-unknown", each, f"{each.key} names the repository {error}, which is not declared")


def _outcomes(
    request: ChangeRequest, declaration: Declaration, resources: list[Resource], before: ProductTree
) -> Iterable[Outcome]:
    for each in in_order(resources, remove=request.action == "remove"):
        known = before.resources.get(each.key)
        there = bool(declaration.project_id) if isinstance(each, Product) else known is not None
        if request.action == "remove":
            yield Outcome(resource=each.key, action="removed" if there else "absent")
        elif not there:
            yield Outcome(resource=each.key, action="created")
        else:
            same = isinstance(each, Product) or known == each
            yield Outcome(resource=each.key, action="unchanged" if same else "changed")


def _group_order(product: Product) -> GroupOrder:
    gitlab = product.git.gitlab
    nobody = Requester(id=0, username="", name="", email="")  # the change puts its requester here
    return GroupOrder(
        path=product.name,
        name=(gitlab.name if gitlab else "") or product.name.rpartition("/")[2],
        visibility=gitlab.visibility if gitlab else "",
        description=gitlab.description if gitlab else None,
        owner=nobody,
    )


def _repository_plan(repository: CodeRepo, declaration: Declaration) -> RepositoryPlan:
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


def _message(request: ChangeRequest, resources: list[Resource]) -> str:
    verb = "Save" if request.action == "apply" else "Delete"
    named = [each for each in resources if each.kind != "Product"]
    what = named[0].key if len(named) == 1 else f"{len(named)} resources"
    trailers = [f"{TRAILER}: {request.operation}", f"Nautes-Requester: {request.requester.username}"]
    if request.skip_check:
        trailers.append("Nautes-Skip-Check: true")
    return f"{verb} {what} of {request.product}\n\n" + "\n".join(trailers)
