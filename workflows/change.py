"""One change of one product, from plan to effects, or refused and undone. Started by `product/<path>`, one at a time.

The steps of the plan are executed: up to the commit they are taken back when one of them is refused; what follows from the commit
is carried out whatever comes. A push by plain Git has been committed already: only the steps that follow from it are executed.
"""

from __future__ import annotations

from collections.abc import Iterable

import pydantic
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.products import ProductActivities
    from nautes.messages.errors import NautesError
    from nautes.messages.operations import SUCCEEDED, OperationStatus
    from nautes.messages.products import (
        ChangeInput,
        ChangeReport,
        CommitFilesInput,
        FilesCommitted,
        HeadInput,
        HeadReport,
        PlanInput,
    )
    from nautes.planning.known import Known
    from nautes.planning.steps import Effect, Outcome, Plan, Step
    from nautes.resources.findings import Finding
    from workflows import effects, progress
    from workflows.commit_comments import comment_on, marker_of
    from workflows.effects import Undo, perform
    from workflows.endings import ended
    from workflows.executor import Executor
    from workflows.record import Record
    from workflows.steps import Steps

AGREES = ("unchanged", "absent")  # outcomes of a plan that finds everything as asked
NOT_IN_EFFECT = "These resources keep what was in effect before; the rest of the commit takes effect:"
TOO_LATE = "cancelled after its commit: Git holds it and it is carried out; repositories that were not deleted yet stay"
ASKING = ("reserve", "access")  # steps that ask others, which a change that skips the rules does without
LAST = ("end", "delete-repository", "delete-group")


@workflow.defn(name="Change", failure_exception_types=[pydantic.ValidationError])  # of its own input
class ChangeWorkflow:
    """Ends with every resource's outcome, or with the refusal and what was undone."""

    @workflow.init
    def __init__(self, input: ChangeInput) -> None:
        self._input = input
        self._request = input.request
        self._path = input.request.product
        self._undo = Undo()
        self._record = Record(self._publish)
        self._steps = Steps(self._path, self._request.operation, self._request.requester, self._record, self._undo)
        self._executor = Executor(self._perform)
        self._plan = Plan()
        self._committed: FilesCommitted | None = None
        self._commit = ""
        self._left = ""  # what a commit could not be followed by

    @workflow.query
    def status(self) -> OperationStatus:
        """Which step runs, which are done."""
        return OperationStatus(
            operation=workflow.info().workflow_id,
            step=self._record.step,
            done=self._record.lines(),
            requester=self._request.requester.username,
        )

    @workflow.run
    async def run(self, input: ChangeInput) -> ChangeReport:
        return ended(await self._operate())

    async def _operate(self) -> ChangeReport:
        try:
            return await (self._follow_push() if self._request.action == "push" else self._run())
        except BaseException as error:
            refusal = error if isinstance(error, NautesError) else None
            if refusal is None and not effects.cancelled(error):
                raise
            return await self._give_up(refusal)

    async def _run(self) -> ChangeReport:
        self._record.show("Planning")
        input = PlanInput(request=self._request, known=self._input.known)
        self._plan = await perform(ProductActivities.plan, input, "Rules and plan")
        if self._plan.findings:
            return self._report("refused", message=self._plan.findings[0].message)
        if self._request.dry_run:
            self._steps.group_id = self._plan.group_id
            await self._steps.check(
                each for each in self._plan.steps if each.kind in ASKING and not self._request.skip_check
            )
            return self._report("planned", effects_=self._plan.effects)
        head = await self._carry_out()
        self._record.show("Done")
        return self._report("done", message=self._left, head=head)

    # Push

    async def _follow_push(self) -> ChangeReport:
        """A push cannot be undone, and a cancellation stops nothing half-way."""
        head = await effects.shielded(self._follow(self._input.head))
        self._commit = head.commit
        if head.refused:
            self._record.show("Comment")
            await comment_on(head.project_id, head.commit, marker_of(head.refused), NOT_IN_EFFECT, head.refused)
        self._record.show("Refused" if head.refused else "Done")
        message = head.refused[0].message if head.refused else ""
        report = self._report("refused" if head.refused else "done", message=message, head=head)
        return report.model_copy(update={"outcomes": head.outcomes, "findings": head.refused})

    # Apply and remove

    async def _carry_out(self) -> HeadReport | None:
        """The steps of the plan: up to the commit, what follows from it, what is deleted last."""
        plan, removes = self._plan, self._request.action == "remove"
        self._steps.group_id, self._steps.project_id = plan.group_id, plan.project_id
        self._steps.renew = self._input.known.renew
        first, last = _until_commit(plan.steps, skip=self._request.skip_check), _of(plan.steps, LAST)
        try:
            await self._executor.run(first)
        except BaseException as error:
            if self._committed is None or not effects.cancelled(error):
                raise
        if removes and not plan.group_id:
            return HeadReport(exists=False)
        try:  # what follows only carries out what Git now holds: not even a cancellation stops it
            work = self._follow(self._committed.head if self._committed else None, deleted=last)
            head = await (work if removes else effects.shielded(work))
        except NautesError as error:  # Git holds it now: the product carries it out as it does a push
            if removes:
                raise
            self._left = f"committed, but not everything is carried out yet: {error.message}"
            return None
        await self._executor.run(last)
        return HeadReport(exists=False) if any(each.kind == "delete-group" for each in last) else head

    async def _perform(self, steps: list[Step]) -> None:
        if steps[0].kind == "commit":
            await self._commit_files()
        else:
            await self._steps.perform(steps)

    async def _commit_files(self) -> None:
        self._record.begin("commit")
        input = CommitFilesInput(
            request=self._request,
            project_id=self._steps.project_id,
            known=self._input.known,
            head=self._plan.head,
            group_id=self._steps.group_id,
            repositories=self._steps.repositories,
            created=self._steps.created,
            registered=self._plan.registered,
        )
        try:
            committed = await perform(
                ProductActivities.commit_files, input, "One commit to default.project", final=True
            )
        except BaseException as error:
            found = await effects.shielded(self._cancelled_commit()) if effects.cancelled(error) else None
            if found is None:
                raise
            committed = found
        finally:
            self._record.end("commit")
        self._undo.keep()
        self._committed, self._commit = committed, committed.commit
        if committed.made:
            self._record.note("git", "changed", f"{len(committed.changed)} files at {committed.commit[:12]}")

    async def _cancelled_commit(self) -> FilesCommitted | None:
        """What a commit that was cancelled under way has come to: None when Git does not hold what was asked for."""
        input = PlanInput(request=self._request, known=self._input.known)
        plan = await perform(ProductActivities.plan, input, "Did the cancelled commit happen?")
        happened = plan.head != self._plan.head and all(each.action in AGREES for each in plan.outcomes)
        return FilesCommitted(commit=plan.head, changed=[], made=True) if happened else None

    async def _follow(self, head: HeadReport | None, deleted: Iterable[Step] = ()) -> HeadReport:
        """Execute what follows from the head; what is known afterwards goes back to the product."""
        if head is None:
            trusted = [f"{each.get('kind')}/{each.get('spec', {}).get('name')}" for each in self._request.manifests]
            input = HeadInput(product=self._path, known=self._input.known, trusted=trusted, renew=self._input.renew)
            head = await perform(ProductActivities.read, input, "Declaration at its head")
        if self._input.renew:
            self._steps.renew = ""
        gone = {
            each.input.get("path") for each in deleted
        }  # a repository that is deleted does not have to be left first
        await self._executor.run(
            each for each in head.steps if each.kind != "withdraw" or each.input["path"] not in gone
        )
        return head.model_copy(update={"known": self._known(head.known)})

    def _known(self, known: Known) -> Known:
        """With what the steps learned: when the first key ends, and which clusters did not answer."""
        found: dict[str, object] = {"renew": self._steps.renew or ("" if self._input.renew else known.renew)}
        if self._steps.unanswered:
            answered = {name: each for name, each in known.clusters.items() if name not in self._steps.unanswered}
            found |= {"clusters": answered, "pending": True}
        return known.model_copy(update=found)

    # Undo

    async def _give_up(self, refusal: NautesError | None) -> ChangeReport:
        self._record.show("Undoing")
        undone = await self._undo.run()
        self._record.show("Refused" if refusal else "Cancelled")
        cancelled = TOO_LATE if self._committed else "cancelled"
        report = self._report("refused" if refusal else "cancelled", message=refusal.message if refusal else cancelled)
        findings = list(refusal.findings) if refusal else []
        if refusal and not findings:
            findings = [Finding(rule=refusal.code, message=refusal.message)]
        return report.model_copy(update={"undone": undone, "findings": findings})

    # Report

    def _report(
        self, state: str, *, message: str = "", effects_: list[Effect] | None = None, head: HeadReport | None = None
    ) -> ChangeReport:
        plan, outcomes = self._plan, self._plan.outcomes
        if state not in SUCCEEDED:
            outcomes = [Outcome(resource=each.resource, action="refused") for each in outcomes]
        return ChangeReport.model_validate(
            {
                "operation": workflow.info().workflow_id,
                "state": state,
                "outcomes": outcomes,
                "commit": self._commit or plan.head,
                "findings": plan.findings,
                "already": plan.already,
                "warnings": plan.warnings,
                "effects": self._record.done if effects_ is None else effects_,
                "plan": plan.id if self._request.dry_run else "",
                "deletions": plan.deletions,
                "confirm": plan.confirm,
                "message": message,
                "head": head,
            }
        )

    def _publish(self, record: Record) -> None:
        lines = "\n".join(f"- {each}" for each in record.lines())
        details = f"{record.step}\n\n{lines}"
        progress.describe("Change", record.phase, product=self._path, revision=self._commit, details=details)


def _until_commit(steps: Iterable[Step], *, skip: bool) -> list[Step]:
    """The steps up to the commit. One that skips the rules asks neither clusters nor other products."""
    found: list[Step] = []
    for each in steps:
        if "commit" in each.needs or each.kind in LAST:
            break
        if not (skip and each.kind in ASKING):
            found.append(each)
        if each.kind == "commit":
            break
    return found


def _of(steps: Iterable[Step], kinds: Iterable[str]) -> list[Step]:
    return [each for each in steps if each.kind in kinds]
