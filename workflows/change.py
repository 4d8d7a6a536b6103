"""One change of one product: a set of manifests applied or removed, from plan to effects, or refused and undone.

Started by `product/<path>`, one at a time.
Apply: plan -> group -> declaration repository -> repositories -> keys -> hooks -> one commit -> runtimes told.
Remove: plan -> one commit -> runtimes removed -> repositories -> group.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.control import ControlActivities
    from activities.gitlab import GitLabActivities
    from activities.products import ProductActivities
    from activities.repositories import RepositoryActivities
    from contracts.errors import NautesError
    from contracts.gitlab import HookOrder, KeysOrder, Project, RepositoryOrder, RepositoryState
    from contracts.operations import Effect, OperationStatus, Outcome
    from contracts.products import (
        ChangeInput,
        ChangeReport,
        FilesCommitted,
        FilesOrder,
        Plan,
        PlanOrder,
        RepositoryPlan,
        SyncOrder,
        SyncReport,
    )
    from contracts.vault import RepositorySecrets
    from workflows import effects, progress
    from workflows.effects import Undo, perform
    from workflows.tell import to_tell

DECLARATION = "default.project"
DECLARATION_EVENTS = ["push_events"]
AGREES = ("unchanged", "absent")  # outcomes of a plan that finds everything as asked


@workflow.defn(name="Change")
class ChangeWorkflow:
    """Ends with every resource's outcome, or with the refusal and what was undone."""

    @workflow.init
    def __init__(self, order: ChangeInput) -> None:
        self._request = order.request
        self._digests = order.digests
        self._path = order.request.product
        self._undo = Undo()
        self._step = "Planning"
        self._done: list[Effect] = []
        self._plan = Plan()
        self._commit = ""

    @workflow.query
    def status(self) -> OperationStatus:
        """Which step runs, which are done."""
        return OperationStatus(
            operation=workflow.info().workflow_id,
            step=self._step,
            done=[f"{each.system}: {each.action} {each.target}" for each in self._done],
            requester=self._request.requester.username,
        )

    @workflow.run
    async def run(self, order: ChangeInput) -> ChangeReport:
        try:
            return await self._run()
        except BaseException as error:
            refusal = error if isinstance(error, NautesError) else None
            if refusal is None and not effects.cancelled(error):
                raise
            return await self._give_up(refusal)

    async def _run(self) -> ChangeReport:
        self._show("Planning")
        self._plan = await perform(ProductActivities.plan, PlanOrder(request=self._request), "Rules and plan")
        if self._plan.findings:
            return self._report("refused", message=self._plan.findings[0].message)
        if self._request.dry_run:
            return self._report("done", effects_=self._plan.effects)
        sync = await (self._apply() if self._request.action == "apply" else self._remove())
        self._show("Done")
        return self._report("done", sync=sync)

    # Apply

    async def _apply(self) -> SyncReport:
        project_id = await self._ensure_group() if self._plan.group else self._plan.project_id
        for repository in self._plan.repositories:
            await self._ensure_repository(repository)
        await self._commit_files(project_id)
        self._undo.keep()  # what follows only carries out what Git now says: not even a cancellation stops it
        return await effects.shielded(self._tell())

    async def _ensure_group(self) -> int:
        self._show("Group")
        plan = self._plan.group
        assert plan is not None  # noqa: S101 - asked by the caller
        order = plan.model_copy(update={"owner": self._request.requester})
        if not self._plan.group_id:
            self._undo.before(f"group {self._path}", self._undo_group)
        group = await perform(GitLabActivities.ensure_group, order, f"Group {self._path}")
        self._note("gitlab", group.made, f"group {self._path}")
        self._show("Declaration repository")
        declaration = RepositoryOrder(
            group=self._path, path=DECLARATION, name=DECLARATION, visibility="private", initialize=True
        )
        if not self._plan.project_id and self._plan.group_id:
            self._undo.before(f"repository {DECLARATION}", self._undo_repository(DECLARATION))
        state = await perform(GitLabActivities.ensure_repository, declaration, f"Repository {DECLARATION}")
        self._note("gitlab", state.made, f"repository {state.path}")
        await self._open_doors(state, ["readonly"], DECLARATION_EVENTS)
        return state.id

    async def _ensure_repository(self, plan: RepositoryPlan) -> None:
        self._show(f"Repository {plan.name}")
        if plan.new and self._plan.group_id:
            self._undo.before(f"repository {plan.name}", self._undo_repository(plan.name))
        order = RepositoryOrder(
            group=self._path,
            path=plan.name,
            name=plan.display,
            visibility=plan.visibility,
            description=plan.description,
        )
        state = await perform(GitLabActivities.ensure_repository, order, f"Repository {plan.name}")
        self._note("gitlab", state.made, f"repository {state.path}")
        await self._open_doors(state, ["readonly", "readwrite"], plan.events)

    async def _open_doors(self, repository: RepositoryState, permissions: list[str], events: list[str]) -> None:
        """Deploy keys and webhook of a repository; their secrets go to Vault in the same activities."""
        if repository.made == "created":
            secrets = RepositorySecrets(project_id=repository.id)
            self._undo.before(f"secrets of {repository.path}", self._undo_secrets(secrets))
        keys = KeysOrder.model_validate({"project_id": repository.id, "permissions": permissions})
        made = await perform(RepositoryActivities.ensure_keys, keys, f"Deploy keys of {repository.path}")
        self._note("vault", made.made, f"deploy keys of {repository.path}")
        hook = HookOrder(project_id=repository.id, url=f"{self._plan.hooks_url}/{repository.id}", events=events)
        state = await perform(RepositoryActivities.ensure_hook, hook, f"Webhook of {repository.path}")
        self._note("gitlab", state.made, f"webhook of {repository.path}")

    async def _commit_files(self, project_id: int) -> None:
        self._show("Commit")
        order = FilesOrder(request=self._request, project_id=project_id)
        try:
            committed = await perform(
                ProductActivities.commit_files, order, "One commit to default.project", final=True
            )
        except BaseException as error:
            found = await effects.shielded(self._committed()) if effects.cancelled(error) else None
            if found is None:
                raise
            committed = found
        self._commit = committed.commit
        if committed.made:
            self._note("git", "changed", f"{len(committed.changed)} files at {committed.commit[:12]}")

    async def _committed(self) -> FilesCommitted | None:
        """What a commit that was cancelled under way has come to: None when Git does not hold what was asked for."""
        order = PlanOrder(request=self._request)
        plan = await perform(ProductActivities.plan, order, "Did the cancelled commit happen?")
        happened = plan.head != self._plan.head and all(each.action in AGREES for each in plan.outcomes)
        return FilesCommitted(commit=plan.head, changed=[], made=True) if happened else None

    async def _tell(self) -> SyncReport:
        """Start, change or remove the runtimes as the declaration now says."""
        self._show("Runtimes")
        order = SyncOrder(product=self._path, digests=self._digests)
        report = await perform(ProductActivities.read, order, "Declaration at its head")
        if tell := to_tell(report):
            await perform(ControlActivities.tell, tell, "Tell the runtimes that changed")
        return report

    # Remove

    async def _remove(self) -> SyncReport | None:
        plan = self._plan
        if plan.project_id and plan.files:
            await self._commit_files(plan.project_id)
        if not plan.group_id:
            return SyncReport(exists=False)
        sync = await self._tell()
        for runtime in plan.gone_runtimes:
            self._show(f"Waiting for the end of {runtime}")
            await perform(ControlActivities.await_end, runtime, f"End of {runtime}", within=3600, only_looks=True)
            self._note("kubernetes", "deleted", runtime)
        for name in plan.gone_repositories:
            await self._delete_repository(name)
        if not plan.product_gone:
            return sync
        await self._delete_repository(DECLARATION)
        self._show("Delete group")
        await perform(GitLabActivities.delete_group, self._path, f"Delete group {self._path}")
        self._note("gitlab", "deleted", f"group {self._path}")
        return SyncReport(exists=False)

    async def _delete_repository(self, name: str) -> None:
        self._show(f"Delete repository {name}")
        path = f"{self._path}/{name}"
        project_id = self._plan.repository_ids.get(name, 0)
        if project_id:
            secrets = RepositorySecrets(project_id=project_id)
            await perform(RepositoryActivities.drop_secrets, secrets, f"Secrets of {path}")
            self._note("vault", "deleted", f"secrets of {path}")
            project = Project(project_id=project_id, path=path)
            await perform(GitLabActivities.delete_repository, project, f"Delete repository {path}")
            self._note("gitlab", "deleted", f"repository {path}")

    # Undo

    async def _undo_group(self) -> bool:
        return (await perform(GitLabActivities.delete_group, self._path, f"Undo: group {self._path}")).removed

    def _undo_repository(self, name: str) -> effects.Compensation:
        async def undo() -> bool:
            order = Project(project_id=0, path=f"{self._path}/{name}")
            return (await perform(GitLabActivities.delete_repository, order, f"Undo: repository {name}")).removed

        return undo

    def _undo_secrets(self, secrets: RepositorySecrets) -> effects.Compensation:
        async def undo() -> bool:
            return (await perform(RepositoryActivities.drop_secrets, secrets, "Undo: secrets of a repository")).removed

        return undo

    async def _give_up(self, refusal: NautesError | None) -> ChangeReport:
        self._show("Undoing")
        undone = await self._undo.run()
        self._show("Refused" if refusal else "Cancelled")
        report = self._report(
            "refused" if refusal else "cancelled", message=refusal.message if refusal else "cancelled"
        )
        findings = list(refusal.findings) if refusal else []
        return report.model_copy(update={"undone": undone, "findings": findings})

    # Report

    def _note(self, system: str, made: str, target: str) -> None:
        actions = {"created": "create", "changed": "change", "deleted": "delete"}
        if made in actions:
            self._done.append(Effect.model_validate({"system": system, "action": actions[made], "target": target}))
            self._show(self._step)

    def _report(
        self, state: str, *, message: str = "", effects_: list[Effect] | None = None, sync: SyncReport | None = None
    ) -> ChangeReport:
        outcomes = self._plan.outcomes
        if state != "done":
            outcomes = [Outcome(resource=each.resource, action="refused") for each in outcomes]
        return ChangeReport.model_validate(
            {
                "operation": workflow.info().workflow_id,
                "state": state,
                "outcomes": outcomes,
                "commit": self._commit or self._plan.head,
                "findings": self._plan.findings,
                "already": self._plan.already,
                "effects": self._done if effects_ is None else effects_,
                "message": message,
                "sync": sync,
            }
        )

    def _show(self, step: str) -> None:
        self._step = step
        lines = "\n".join(f"- {each.system}: {each.action} {each.target}" for each in self._done)
        phase = step.split(" ")[0]
        progress.describe("Change", phase, product=self._path, revision=self._commit, details=f"{step}\n\n{lines}")
