"""A product's declaration: planned, committed, read at its head. Called by the change and product workflows.

The rules run here, on what a change touches, and not in workflow code: a rule may change between two versions of this build
without breaking the replay of a change that is under way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from temporalio import activity

from activities.gitlab import TRAILER, commit
from activities.observation import Observed, Observer
from nautes.clients.declarations import BRANCH, Declarations
from nautes.clients.git import GitCache
from nautes.clients.gitlab import GitLab
from nautes.clients.kubernetes import Clusters
from nautes.messages import ids
from nautes.messages.declarations import Author
from nautes.messages.errors import Conflict, Refused
from nautes.messages.gitlab import CommitInput, FileAction
from nautes.messages.operations import ChangeRequest
from nautes.messages.products import (
    CommitFilesInput,
    FilesCommitted,
    HeadInput,
    HeadReport,
    OpenedInput,
    PlanInput,
    Watch,
)
from nautes.messages.status import RuntimeLine
from nautes.messages.vault import Done
from nautes.planning import change, head
from nautes.planning.declaration import runtimes, unresolved
from nautes.planning.head import Head, follow_up, is_open
from nautes.planning.moves import consequences, moves
from nautes.planning.request import Intent, existence, expected, outcomes, too_visible, unopened
from nautes.planning.runtimes import DeploymentSpec, Spec, key_of
from nautes.planning.steps import Effect, Plan, digest
from nautes.resources.declaration import Declaration
from nautes.resources.findings import Finding
from nautes.resources.names import Names
from nautes.resources.product import CodeRepo, Environment, Product
from nautes.resources.stored import file_changes, product_files, store
from nautes.resources.tree import FileChange, ProductTree
from nautes.rules import deletions
from nautes.rules.acceptance import Pushed, judge
from nautes.rules.decided import PLAN_STALE, REPOSITORY_UNKNOWN
from nautes.rules.engine import check
from nautes.rules.frozen import frozen

ATTEMPTS = 5  # at a commit whose head moved in between, before it is left to the next retry
LARGEST = 1_500_000  # bytes of a plan or a follow-up; Temporal carries two million
Sized = TypeVar("Sized", Plan, HeadReport)
OF_OTHERS = ("foreign-unknown", "foreign-unagreed")  # rights that are another product's to give: nobody skips these
CONFIRMED = "Nautes-Confirm-Deletions"  # trailer of a commit by which a person repeats the count of what goes


@dataclass(frozen=True)
class Judgement:
    """What refuses a change, what was wrong before, and what the person should know."""

    findings: list[Finding]
    already: list[Finding]
    warnings: list[Finding]


class ProductActivities:
    """With the platform's own account."""

    def __init__(
        self,
        declarations: Declarations,
        gitlab: GitLab,
        limits: deletions.Limits,
        clusters: Clusters | None = None,
        git: GitCache | None = None,
    ) -> None:
        self._declarations = declarations
        self._gitlab = gitlab
        self._limits = limits
        self._observer = Observer(declarations, gitlab, clusters, git)

    # Changes

    @activity.defn(name="products.plan")
    def plan(self, input: PlanInput) -> Plan:
        """Read the head, apply the request in memory, run the rules, answer with the steps. Idempotent: it only looks."""
        request = input.request
        intent = self._observer.intent(request, input.known)
        observed = self._observer.observe(intent, request, input.known)
        judgement = self._judge(observed, request)
        steps = change.steps(intent, observed.outside)
        effects = [each for step in steps for each in step.effects]
        found = list(outcomes(intent, effects))
        environments = {each.cluster for each in intent.after.all(Environment)}
        also = change.consequences_of(intent, observed.outside)
        plan = Plan(
            head=intent.declaration.head,
            group_id=intent.declaration.group_id,
            project_id=intent.declaration.project_id,
            already=judgement.already,
            warnings=judgement.warnings,
            outcomes=found,
            steps=steps,
            confirm=deletions.reason(intent.gone, intent.before, self._limits, also),
            registered=sorted(observed.outside.registered & (environments | set(input.known.clusters))),
        )
        plan = plan.model_copy(update={"id": _plan_id(plan, effects, request)})
        stale = [] if judgement.findings else list(_stale(plan, request))
        return _bounded(plan.model_copy(update={"findings": [*judgement.findings, *stale]}))

    def _judge(self, observed: Observed, request: ChangeRequest) -> Judgement:
        intent = observed.intent
        new = [
            *self._observer.rights(intent, request),
            *existence(intent),
            *expected(intent),
            *self._observer.left(intent),
        ]
        report = check([each.key for each in intent.request.resources], observed.before, observed.after)
        if request.skip_check:
            others = [each for each in report.new if each.rule in OF_OTHERS]
            new += [*self._nameless(intent), *others]
            return Judgement(new or self._unconfirmed(observed, request), [], [])
        new += report.new
        for before, after in intent.pairs():
            if before is not None and after is not None:
                new += frozen(before, after, observed.before)
        new += [*unopened(intent), *too_visible(intent)]
        # A number is asked for only where it is all that is missing.
        return Judgement(
            new or self._unconfirmed(observed, request),
            [*intent.before.findings, *report.already],
            list(report.warnings),
        )

    def _unconfirmed(self, observed: Observed, request: ChangeRequest) -> list[Finding]:
        """Deletions of a change that have to be confirmed; a plan shows their number."""
        intent, also = observed.intent, change.consequences_of(observed.intent, observed.outside)
        if request.dry_run or not (intent.removes or also):
            return []
        return deletions.check(intent.gone, intent.before, request.confirmed, self._limits, also)

    def _nameless(self, intent: Intent) -> Iterable[Finding]:
        """A repository that is not declared has no id to be stored by: not even a change that skips the rules may name it."""
        if intent.removes:
            return
        names = self._observer.names(intent, {})
        for each in intent.request.resources:
            try:
                if not isinstance(each, Product):
                    store(each, names)
            except KeyError as error:
                text = f"{each.key} names the repository {error}, which is not declared"
                yield REPOSITORY_UNKNOWN.finding(each, text)

    @activity.defn(name="products.commit_files")
    def commit_files(self, input: CommitFilesInput) -> FilesCommitted:
        """One commit that carries the change. Idempotent: a tree that agrees already is not committed to again.

        A head that is not the one of the plan is judged anew; one that moves while it is committed to is read once more.
        """
        for _ in range(ATTEMPTS):
            try:
                return self._commit_once(input)
            except Conflict:
                continue
        raise Conflict(
            "head-moves",
            f"others keep committing to default.project of {input.request.product}: try again",
        )

    def _commit_once(self, input: CommitFilesInput) -> FilesCommitted:
        request = input.request
        intent = self._observer.intent(request, input.known)
        names = self._observer.names(intent, input.repositories)
        try:
            changes, missing = _file_changes(intent, names), ""
        except KeyError as error:
            changes, missing = [], str(error.args[0])
        if (
            not changes and not missing
        ):  # looked at before the rules: what this very request committed would break its preconditions
            return FilesCommitted(commit=intent.declaration.head, changed=[], made=False)
        moved = intent.declaration.head != input.head and bool(input.head or intent.before.resources)
        if moved:
            judgement = self._judge(self._observer.observe(intent, request, input.known), request)
            if judgement.findings:
                raise Refused("rules", judgement.findings[0].message, findings=judgement.findings)
        if missing:
            raise Refused("repository-unknown", f"there is no repository {missing}, which {request.product} names")
        if request.plans and moved:
            raise Refused("plan-stale", "another change was committed after this plan was made: plan again")
        made = commit(
            self._gitlab,
            CommitInput(
                project_id=input.project_id,
                branch=BRANCH,
                actions=[FileAction(action=each.action, path=each.path, content=each.content) for each in changes],
                message=_message(intent, request),
                author=request.requester,
            ),
        )
        report = None
        if made.parent == intent.declaration.head and input.known.accepted in ("", intent.declaration.head):
            report = self._own_head(input, intent, names, made.commit)
        return FilesCommitted(commit=made.commit, changed=[each.path for each in changes], made=True, head=report)

    def _own_head(self, input: CommitFilesInput, intent: Intent, names: Names, head: str) -> HeadReport | None:
        """What follows from our own commit, whose content is known without reading it. None where more than that is new."""
        if input.known.held or (intent.before.resources and not input.known.accepted) or intent.before.findings:
            return None
        before = intent.declaration
        declaration = replace(
            before, head=head, tree=intent.after, names=names, files=product_files(intent.after, names)
        )
        seen = Head(
            declaration=declaration,
            known=input.known,
            before=intent.before,
            pushed=intent.after,
            registered=frozenset(input.registered),
            ours=True,
            created=frozenset(input.created),
        )
        author = Author(name=input.request.requester.name, email=input.request.requester.email)
        return _report(seen, author)

    # Heads

    @activity.defn(name="products.read")
    def read(self, input: HeadInput) -> HeadReport:
        """The declaration at its head, and the steps that follow from it. Idempotent: it only looks."""
        declaration = self._declarations.product(input.product)
        if declaration.tree is None:  # no such product, or nothing to read in it: a branch that is gone deletes nothing
            exists = bool(declaration.group_id and declaration.project_id)
            kept = [ids.runtime(input.product, key) for key in input.known.digests] if exists else []
            return HeadReport(exists=exists, project_id=declaration.project_id, known=input.known, kept=kept)
        about = self._declarations.about(declaration)
        confirmed = about.trailer(CONFIRMED)
        number = int(confirmed) if confirmed.isdecimal() and len(confirmed) < 6 else None
        return _report(self._judged(input, declaration, number), Author(name=about.author, email=about.email))

    def _judged(self, input: HeadInput, declaration: Declaration, confirmed: int | None) -> Head:
        effective = self._observer.in_effect(declaration, input.known)
        before, pushed = (
            effective.tree or ProductTree(declaration.path),
            declaration.tree or ProductTree(declaration.path),
        )
        old, new = self._observer.worlds(before, pushed)
        objects = self._observer.objects(declaration, before, pushed, old)
        verdict = judge(
            Pushed(
                before=old,
                after=new,
                trusted=frozenset(input.trusted),
                confirmed=confirmed,
                limits=self._limits,
                refused=tuple(self._observer.foreign_numbers(declaration, effective.names)),
                consequences=tuple(consequences(before, moves(before, pushed, objects))),
            )
        )
        return Head(
            declaration=replace(
                declaration,
                tree=verdict.tree,
                names=head.names(declaration.names, effective.names, verdict.held),
            ),
            known=input.known,
            before=before,
            pushed=pushed,
            registered=frozenset(new.clusters),
            held=verdict.held,
            findings=verdict.findings,
            ours=bool(input.trusted),
            renew=input.renew,
            objects=objects,
        )

    @activity.defn(name="products.opened")
    def opened(self, input: OpenedInput) -> Done:
        """Whether this product's declaration opens what another one wants to use. Idempotent: it only looks. Raises Refused."""
        tree = self._declarations.product(input.product).tree
        for each in input.uses:
            if tree is None or not is_open(tree, each):
                raise Refused(
                    "foreign-unknown", f"there is no repository {each.repository} that is opened to {each.product}"
                )
        return Done(changed=False)


def _report(seen: Head, author: Author) -> HeadReport:
    """A head as it travels."""
    found, tree = follow_up(seen), seen.tree
    resolved = {key_of(each) for each in found.specs}
    return HeadReport(
        exists=True,
        id=ids.product_name(seen.declaration.group_id),
        project_id=seen.declaration.project_id,
        commit=seen.declaration.head,
        author=author,
        known=found.known,
        steps=found.steps,
        outcomes=list(head.outcomes(seen)),
        watches=list(_watches(seen.path, found.specs)),
        environments={each.name: each.cluster for each in tree.all(Environment)},
        runtimes=[
            RuntimeLine(
                kind=each.kind,
                name=each.name,
                environment=each.destination.environment,
                workflow=ids.runtime(seen.path, each.key),
            )
            for each in runtimes(tree)
        ],
        kept=[ids.runtime(seen.path, key) for key in found.kept],
        findings=[*seen.findings, *unresolved(tree, resolved)],
        refused=list(seen.findings),
    )


def _watches(path: str, specs: Iterable[Spec]) -> Iterable[Watch]:
    """Which workflows follow which repositories."""
    for spec in specs:
        workflow = ids.runtime(path, key_of(spec))
        numbers = (
            {spec.repository_id}
            if isinstance(spec, DeploymentSpec)
            else {each.repository_id for each in spec.event_sources if each.repository_id}
        )
        for number in sorted(numbers):
            yield Watch(workflow=workflow, project_id=number)


def _file_changes(intent: Intent, names: Names) -> list[FileChange]:
    """What the commit touches. Raises KeyError for a repository that would be named and has no id."""
    for each in intent.after.all(CodeRepo):
        if not names.repositories.get(each.name):
            raise KeyError(each.name)
    earlier = intent.declaration.names
    known = Names(
        products={**names.products, **earlier.products}, repositories={**names.repositories, **earlier.repositories}
    )
    return file_changes(intent.declaration.files, intent.before, intent.after, names, known)


def _message(intent: Intent, request: ChangeRequest) -> str:
    verb = "Delete" if intent.removes else "Save"
    named = [each for each in intent.request.resources if each.kind != "Product"]
    what = named[0].key if len(named) == 1 else f"{len(named)} resources"
    trailers = [f"{TRAILER}: {request.operation}", f"Nautes-Requester: {request.requester.username}"]
    if request.skip_check:
        trailers.append("Nautes-Skip-Check: true")
    if request.confirmed is not None:
        trailers.append(f"{CONFIRMED}: {request.confirmed}")
    return f"{verb} {what} of {request.product}\n\n" + "\n".join(trailers)


def _bounded(found: Sized) -> Sized:
    """The same. Raises Refused for what Temporal would not carry: better said than tried for ever."""
    if len(found.model_dump_json()) > LARGEST:
        text = f"this change has {len(found.steps)} steps, which is too much for one: name fewer resources at a time"
        raise Refused("change-too-large", text)
    return found


def _stale(plan: Plan, request: ChangeRequest) -> Iterable[Finding]:
    if request.plans and plan.id not in request.plans:
        yield PLAN_STALE.finding(
            "", f"plan {', '.join(request.plans)} is not what would be done now; the plan of now is {plan.id}"
        )


def _plan_id(plan: Plan, effects: list[Effect], request: ChangeRequest) -> str:
    parts = [plan.head, request.action, str(request.skip_check)]
    parts += [each.model_dump_json() for each in (*plan.outcomes, *effects)]
    return digest([*parts, *(str(sorted(manifest.items())) for manifest in request.manifests)])
