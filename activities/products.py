"""A product's declaration: planned, committed, looked at. Called by the change and product workflows.

The rules run here, on what a change touches, and not in workflow code: a rule may change between two versions of this build
without breaking the replay of a change that is under way.
"""

from __future__ import annotations

from temporalio import activity

from activities.declarations.acceptance import Acceptance, is_open
from activities.declarations.intents import Intent
from activities.declarations.planning import Planner, Policy
from activities.gitlab import TRAILER, commit
from nautes.clients.declarations import BRANCH, Declarations
from nautes.clients.gitlab import GitLab
from nautes.messages.errors import Conflict, Refused
from nautes.messages.gitlab import CommitInput, FileAction
from nautes.messages.operations import ChangeRequest
from nautes.messages.products import FilesCommitted, FilesInput, OpenedInput, Plan, PlanInput, SyncInput, SyncReport
from nautes.messages.vault import Done
from nautes.resources.base import Resource
from nautes.resources.product import CodeRepo
from nautes.resources.stored import file_changes
from nautes.resources.tree import FileChange

ATTEMPTS = 5  # at a commit whose head moved in between, before it is left to the next retry


class ProductActivities:
    """With the platform's own account."""

    def __init__(self, declarations: Declarations, gitlab: GitLab, policy: Policy) -> None:
        self._declarations = declarations
        self._gitlab = gitlab
        self._planner = Planner(declarations, gitlab, policy)
        self._acceptance = Acceptance(declarations, gitlab, policy)

    @activity.defn(name="products.plan")
    def plan(self, input: PlanInput) -> Plan:
        """Read the head, apply the request in memory, run the rules, say what would be done. Idempotent: it only looks."""
        return self._planner.plan(self._planner.intent(input.request, input.foreign_uses))

    @activity.defn(name="products.read")
    def read(self, input: SyncInput) -> SyncReport:
        """The declaration at its head, with everything that is news. Idempotent: it only looks."""
        return self._acceptance.look(input)

    @activity.defn(name="products.opened")
    def opened(self, input: OpenedInput) -> Done:
        """Whether this product's declaration opens what another one wants to use. Idempotent: it only looks. Raises Refused."""
        tree = self._declarations.product(input.product).tree
        for each in input.foreign_uses:
            if tree is None or not is_open(tree, each):
                raise Refused(
                    "foreign-unknown", f"there is no repository {each.repository} that is opened to {each.product}"
                )
        return Done(changed=False)

    @activity.defn(name="products.commit_files")
    def commit_files(self, input: FilesInput) -> FilesCommitted:
        """One commit that carries the change. Idempotent: a tree that agrees already is not committed to again.

        The head is read anew, the intent applied to it, the rules run again; a head that moves in between is read once more.
        """
        for _ in range(ATTEMPTS):
            try:
                return self._commit_once(input)
            except Conflict:
                continue
        raise Conflict("head-moves", f"default.project of {input.request.product} keeps moving")

    def _commit_once(self, input: FilesInput) -> FilesCommitted:
        request = input.request
        intent = self._planner.intent(request, input.foreign_uses)
        changes = self._file_changes(intent)
        if changes == []:  # looked at before the rules: what this very request committed would break its preconditions
            return FilesCommitted(commit=intent.declaration.head, changed=[], made=False)
        findings, _, _ = self._planner.judge(intent)
        if findings:
            raise Refused("rules", findings[0].message, findings=findings)
        if changes is None:
            raise Refused("repository-unknown", f"a repository that {request.product} names is not there any more")
        if request.plans and input.head and intent.declaration.head != input.head:
            raise Refused("plan-stale", "somebody else's change came between the plan and this commit")
        made = commit(
            self._gitlab,
            CommitInput(
                project_id=input.project_id,
                branch=BRANCH,
                actions=[FileAction(action=each.action, path=each.path, content=each.content) for each in changes],
                message=_message(request, intent.resources),
                author=request.requester,
            ),
        )
        return FilesCommitted(commit=made.commit, changed=[each.path for each in changes], made=True)

    def _file_changes(self, intent: Intent) -> list[FileChange] | None:
        """What the commit touches; None when a repository that would be named has no id."""
        names = self._planner.names(intent)
        if not all(names.repositories.get(each.name) for each in intent.after.all(CodeRepo)):
            return None
        try:
            return file_changes(intent.declaration.files, intent.before, intent.after, names)
        except KeyError:
            return None


def _message(request: ChangeRequest, resources: list[Resource]) -> str:
    verb = "Save" if request.action == "apply" else "Delete"
    named = [each for each in resources if each.kind != "Product"]
    what = named[0].key if len(named) == 1 else f"{len(named)} resources"
    trailers = [f"{TRAILER}: {request.operation}", f"Nautes-Requester: {request.requester.username}"]
    if request.skip_check:
        trailers.append("Nautes-Skip-Check: true")
    return f"{verb} {what} of {request.product}\n\n" + "\n".join(trailers)
