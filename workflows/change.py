"""One change of one product, from plan to effects, or refused and undone. Started by `product/<path>`, one at a time.

Apply: plan -> group -> declaration repository -> clusters and other products asked -> repositories -> one commit -> settled.
Remove: plan -> one commit -> settled -> runtimes ended -> repositories -> group.
Push: somebody committed by plain Git -> what of it holds is settled, what does not is said beside the commit.
"""

from __future__ import annotations

from collections.abc import Collection

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.control import ControlActivities
    from activities.gitlab import GitLabActivities
    from activities.products import ProductActivities
    from activities.repositories import RepositoryActivities
    from nautes.messages import ids
    from nautes.messages.clusters import ReserveInput
    from nautes.messages.errors import NautesError
    from nautes.messages.gitlab import Project, RepositoryInput, RepositoryState
    from nautes.messages.operations import Effect, OperationStatus, Outcome
    from nautes.messages.products import (
        ChangeInput,
        ChangeReport,
        FilesCommitted,
        FilesInput,
        Plan,
        PlanInput,
        RepositoryPlan,
        SyncInput,
        SyncReport,
    )
    from nautes.messages.vault import RepositorySecrets
    from nautes.resources.findings import Finding
    from workflows import effects, progress
    from workflows.commit_comments import comment_on, marker_of
    from workflows.doors import DECLARATION, Doors
    from workflows.effects import Undo, perform
    from workflows.record import Record
    from workflows.settlement import Settlement

AGREES = ("unchanged", "absent")  # outcomes of a plan that finds everything as asked
NOT_IN_EFFECT = "These resources keep what was in effect before; the rest of the commit takes effect:"
OWNER_TIMEOUT = 60.0  # seconds another product may take to say whether it lends


@workflow.defn(name="Change")
class ChangeWorkflow:
    """Ends with every resource's outcome, or with the refusal and what was undone."""

    @workflow.init
    def __init__(self, input: ChangeInput) -> None:
        self._input = input
        self._request = input.request
        self._path = input.request.product
        self._undo = Undo()
        self._record = Record(self._publish)
        self._plan = Plan()
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
        try:
            return await (self._follow() if self._request.action == "push" else self._run())
        except BaseException as error:
            refusal = error if isinstance(error, NautesError) else None
            if refusal is None and not effects.cancelled(error):
                raise
            return await self._give_up(refusal)

    async def _run(self) -> ChangeReport:
        self._record.show("Planning")
        input = PlanInput(request=self._request, foreign_uses=self._input.known.foreign_uses)
        self._plan = await perform(ProductActivities.plan, input, "Rules and plan")
        if self._plan.findings:
            return self._report("refused", message=self._plan.findings[0].message)
        if self._request.dry_run:
            return self._report("done", effects_=self._plan.effects)
        sync = await (self._apply() if self._request.action == "apply" else self._remove())
        self._record.show("Done")
        return self._report("done", message=self._left, sync=sync)

    # Push

    async def _follow(self) -> ChangeReport:
        """Whoever pushed has pushed: there is nothing to undo, and a cancellation stops nothing half-way."""
        sync = await effects.shielded(self._settle())
        self._commit = sync.commit
        if sync.refused:
            self._record.show("Comment")
            await comment_on(sync.project_id, sync.commit, marker_of(sync.refused), NOT_IN_EFFECT, sync.refused)
        self._record.show("Refused" if sync.refused else "Done")
        message = sync.refused[0].message if sync.refused else ""
        report = self._report("refused" if sync.refused else "done", message=message, sync=sync)
        return report.model_copy(update={"outcomes": sync.outcomes, "findings": sync.refused})

    # Apply

    async def _apply(self) -> SyncReport | None:
        doors = Doors(self._record, self._plan.lifetime, self._plan.hooks_url, self._input.known.renew)
        project_id = await self._ensure_group(doors) if self._plan.group else self._plan.project_id
        await self._reserve()
        await self._borrow()
        for repository in self._plan.repositories:
            await self._ensure_repository(repository, doors)
        await self._commit_files(project_id)
        self._undo.keep()  # what follows only carries out what Git now says: not even a cancellation stops it
        opened = [each.name for each in self._plan.repositories]
        try:
            return await effects.shielded(self._settle(opened=opened, renew=doors.renew))
        except NautesError as error:  # Git says it now: the product carries it out as it does a push
            self._left = f"committed, but not everything is carried out yet: {error.message}"
            return None

    async def _ensure_group(self, doors: Doors) -> int:
        self._record.show("Group")
        plan = self._plan.group
        assert plan is not None  # noqa: S101 - asked by the caller
        input = plan.model_copy(update={"owner": self._request.requester})
        if not self._plan.group_id:
            self._undo.before(f"group {self._path}", self._undo_group)
        group = await perform(GitLabActivities.ensure_group, input, f"Group {self._path}")
        self._plan = self._plan.model_copy(update={"claims": _named(self._plan, group.id)})
        self._record.note("gitlab", group.made, f"group {self._path}")
        self._record.show("Declaration repository")
        declaration = RepositoryInput(
            group=self._path, path=DECLARATION, name=DECLARATION, visibility="private", initialize=True
        )
        if not self._plan.project_id and self._plan.group_id:
            self._undo.before(f"repository {DECLARATION}", self._undo_repository(DECLARATION))
        state = await perform(GitLabActivities.ensure_repository, declaration, f"Repository {DECLARATION}")
        self._record.note("gitlab", state.made, f"repository {state.path}")
        self._before_doors(state)
        await doors.open_declaration(state.id, state.path)
        return state.id

    async def _reserve(self) -> None:
        """Clusters give namespaces to whoever asks first: asked before the commit, so that no two commits want the same."""
        for cluster, reserve in sorted(self._plan.claims.items()):
            if self._request.skip_check:
                return
            self._record.show(f"Namespaces of {cluster}")
            input = ReserveInput(cluster=cluster, reserve=reserve)
            self._undo.before(f"reservation in {cluster}", self._undo_reserve(input))
            await perform(ControlActivities.reserve, input, f"Reserve what the change needs of {cluster}")

    async def _borrow(self) -> None:
        """Owners of repositories say whether they are open, and remember who uses them."""
        for access_request in self._plan.access_requests:
            if self._request.skip_check:
                return
            self._record.show(f"Repositories of {access_request.owner}")
            back = access_request.model_copy(update={"wanted": access_request.before})
            self._undo.before(
                f"use of {access_request.owner}",
                lambda back=back: perform(ControlActivities.report_use, back, f"Undo: use of {back.owner}"),  # type: ignore[misc]
            )
            await perform(
                ControlActivities.request_access,
                access_request,
                f"Repositories of {access_request.owner}",
                timeout=OWNER_TIMEOUT,
            )

    async def _ensure_repository(self, plan: RepositoryPlan, doors: Doors) -> None:
        self._record.show(f"Repository {plan.name}")
        if plan.new and self._plan.group_id:
            self._undo.before(f"repository {plan.name}", self._undo_repository(plan.name))
        input = RepositoryInput(
            group=self._path,
            path=plan.name,
            name=plan.display,
            visibility=plan.visibility,
            description=plan.description,
        )
        state = await perform(GitLabActivities.ensure_repository, input, f"Repository {plan.name}")
        self._record.note("gitlab", state.made, f"repository {state.path}")
        self._before_doors(state)
        await doors.open(state.id, state.path, plan.events)

    def _before_doors(self, repository: RepositoryState) -> None:
        if repository.made == "created":
            secrets = RepositorySecrets(project_id=repository.id)
            self._undo.before(f"secrets of {repository.path}", self._undo_secrets(secrets))

    async def _commit_files(self, project_id: int) -> None:
        self._record.show("Commit")
        known = self._input.known.foreign_uses
        input = FilesInput(request=self._request, project_id=project_id, foreign_uses=known, head=self._plan.head)
        try:
            committed = await perform(
                ProductActivities.commit_files, input, "One commit to default.project", final=True
            )
        except BaseException as error:
            found = await effects.shielded(self._committed()) if effects.cancelled(error) else None
            if found is None:
                raise
            committed = found
        self._commit = committed.commit
        if committed.made:
            self._record.note("git", "changed", f"{len(committed.changed)} files at {committed.commit[:12]}")

    async def _committed(self) -> FilesCommitted | None:
        """What a commit that was cancelled under way has come to: None when Git does not hold what was asked for."""
        input = PlanInput(request=self._request)
        plan = await perform(ProductActivities.plan, input, "Did the cancelled commit happen?")
        happened = plan.head != self._plan.head and all(each.action in AGREES for each in plan.outcomes)
        return FilesCommitted(commit=plan.head, changed=[], made=True) if happened else None

    async def _settle(self, *, opened: Collection[str] = (), renew: str = "") -> SyncReport:
        """Carry out what the declaration says at its head; what is known afterwards goes back to the product."""
        self._record.show("Declaration")
        trusted = [f"{each.get('kind')}/{each.get('spec', {}).get('name')}" for each in self._request.manifests]
        input = SyncInput(product=self._path, known=self._input.known, trusted=trusted, renew=self._input.renew)
        report = await perform(ProductActivities.read, input, "Declaration at its head")
        if renew:
            report = report.model_copy(update={"known": report.known.model_copy(update={"renew": renew})})
        settlement = Settlement(self._path, self._record, report, renewed=self._input.renew)
        known = await settlement.run(
            opened=opened,
            deleted=self._plan.gone_repositories,
            adopt=self._request.action == "push" and (self._input.renew or not self._input.known.accepted),
        )
        return report.model_copy(update={"known": known})

    # Remove

    async def _remove(self) -> SyncReport | None:
        plan = self._plan
        if plan.project_id and plan.files:
            await self._commit_files(plan.project_id)
        if not plan.group_id:
            return SyncReport(exists=False)
        sync = await self._settle()
        for runtime in plan.gone_runtimes:
            self._record.show(f"Waiting for the end of {runtime}")
            await perform(ControlActivities.await_end, runtime, f"End of {runtime}", within=3600, only_looks=True)
            self._record.note("kubernetes", "deleted", runtime)
        for name in plan.gone_repositories:
            await self._delete_repository(name)
        if not plan.product_gone:
            return sync
        await self._delete_repository(DECLARATION)
        self._record.show("Delete group")
        await perform(GitLabActivities.delete_group, self._path, f"Delete group {self._path}")
        self._record.note("gitlab", "deleted", f"group {self._path}")
        return SyncReport(exists=False)

    async def _delete_repository(self, name: str) -> None:
        self._record.show(f"Delete repository {name}")
        path = f"{self._path}/{name}"
        project_id = self._plan.repository_ids.get(name, 0)
        if project_id:
            secrets = RepositorySecrets(project_id=project_id)
            await perform(RepositoryActivities.drop_secrets, secrets, f"Secrets of {path}")
            self._record.note("vault", "deleted", f"secrets of {path}")
            project = Project(project_id=project_id, path=path)
            await perform(GitLabActivities.delete_repository, project, f"Delete repository {path}")
            self._record.note("gitlab", "deleted", f"repository {path}")

    # Undo

    async def _undo_group(self) -> bool:
        return (await perform(GitLabActivities.delete_group, self._path, f"Undo: group {self._path}")).removed

    def _undo_repository(self, name: str) -> effects.Compensation:
        async def undo() -> bool:
            input = Project(project_id=0, path=f"{self._path}/{name}")
            return (await perform(GitLabActivities.delete_repository, input, f"Undo: repository {name}")).removed

        return undo

    def _undo_secrets(self, secrets: RepositorySecrets) -> effects.Compensation:
        async def undo() -> bool:
            return (await perform(RepositoryActivities.drop_secrets, secrets, "Undo: secrets of a repository")).removed

        return undo

    def _undo_reserve(self, input: ReserveInput) -> effects.Compensation:
        async def undo() -> bool:
            await perform(ControlActivities.unreserve, input, f"Undo: reservation in {input.cluster}")
            return False  # nothing a person would see

        return undo

    async def _give_up(self, refusal: NautesError | None) -> ChangeReport:
        self._record.show("Undoing")
        undone = await self._undo.run()
        self._record.show("Refused" if refusal else "Cancelled")
        report = self._report(
            "refused" if refusal else "cancelled", message=refusal.message if refusal else "cancelled"
        )
        findings = list(refusal.findings) if refusal else []
        if refusal and not findings:
            findings = [Finding(rule=refusal.code, message=refusal.message)]
        return report.model_copy(update={"undone": undone, "findings": findings})

    # Report

    def _report(
        self, state: str, *, message: str = "", effects_: list[Effect] | None = None, sync: SyncReport | None = None
    ) -> ChangeReport:
        plan, outcomes = self._plan, self._plan.outcomes
        if state != "done":
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
                "message": message,
                "sync": sync,
            }
        )

    def _publish(self, record: Record) -> None:
        lines = "\n".join(f"- {each}" for each in record.lines())
        phase = record.step.split(" ")[0]
        details = f"{record.step}\n\n{lines}"
        progress.describe("Change", phase, product=self._path, revision=self._commit, details=details)


def _named(plan: Plan, group_id: int) -> dict[str, object]:
    """What is asked of clusters, with the product's id, which a new group has only now."""
    product_id = ids.product_name(group_id)
    return {
        cluster: each.model_copy(
            update={
                "product_id": product_id,
                "claims": [claim.model_copy(update={"product_id": product_id}) for claim in each.claims],
            }
        )
        for cluster, each in plan.claims.items()
    }
