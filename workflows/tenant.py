"""The tenant: prepares Vault, the tenant repository and the sweeps, then wakes every cluster and product that exists.

Started by the worker at boot (once; a second start finds it running), woken by pushes to the tenant repository.
After a loss of Temporal's data this is where everything is found again, from Git.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.clusters import ClusterActivities
    from activities.control import ControlActivities
    from activities.gitlab import GitLabActivities
    from activities.repositories import RepositoryActivities
    from activities.vault import VaultActivities
    from nautes.messages.clusters import DeclaredReport, KnownCluster
    from nautes.messages.control import WakeInput
    from nautes.messages.gitlab import HookInput, Push
    from nautes.messages.status import TenantStatus
    from nautes.messages.tenant import TenantInput
    from workflows import effects, progress, releases
    from workflows.commit_comments import comment_on
    from workflows.effects import perform


@workflow.defn(name="Tenant")
class TenantWorkflow(releases.LongLived):
    """Sole writer of the tenant's engines and policies in Vault, the tenant repository and the sweep schedules."""

    @workflow.init
    def __init__(self, input: TenantInput) -> None:
        self._input = input
        self._handled = list(input.handled)
        self._known = list(input.clusters)
        self._due = False
        self._status = TenantStatus(phase="Installing")

    @workflow.signal
    def pushed(self, push: Push) -> None:
        """The tenant repository moved."""
        if effects.remember(self._handled, push.event):
            self._due = True

    @workflow.query
    def status(self) -> TenantStatus:
        """How far the installation is, and what it holds."""
        return self._status

    @workflow.run
    async def run(self, input: TenantInput) -> None:
        progress.describe("Tenant", "Installing")
        await effects.unless(self._install(), releases.due)
        while not effects.should_continue_as_new():
            await workflow.wait_condition(lambda: self._due or effects.should_continue_as_new())
            if self._due:
                self._due = False
                await effects.unless(self._wake_clusters(), releases.due)
        await workflow.wait_condition(workflow.all_handlers_finished)
        releases.continue_as_new(self._input.model_copy(update=self._carried()))  # which installs, and wakes all

    async def _install(self) -> None:
        input = self._input
        await perform(VaultActivities.ensure_tenant, input.tenant, "Vault engines and policies")
        repository = await perform(
            GitLabActivities.ensure_tenant_repository, input.tenant, "Tenant configuration repository"
        )
        hook = HookInput(project_id=repository.id, url=f"{input.hooks_url}/{repository.id}", events=["push_events"])
        await perform(RepositoryActivities.ensure_hook, hook, "Webhook of the tenant repository")
        await perform(ControlActivities.ensure_schedules, 0, "Sweep for pushes that no webhook reported")
        self._status = self._status.model_copy(update={"repository": repository.path})
        await self._wake_clusters()
        await self._wake_products()
        self._status = self._status.model_copy(update={"phase": "Ready"})
        what = f"{len(self._status.clusters)} clusters, {self._status.products} products"
        progress.describe("Tenant", "Ready", details=what)

    async def _wake_products(self) -> None:
        """Start the workflow of every product, some hundred at a time."""
        page, count = 1, 0
        while page:
            found = await perform(GitLabActivities.product_paths, page, "Products in GitLab")
            if found.paths:
                await perform(
                    ControlActivities.wake, WakeInput(products=found.paths), f"Wake {len(found.paths)} products"
                )
            page, count = found.following, count + len(found.paths)
            self._status = self._status.model_copy(update={"products": count})

    def _carried(self) -> dict[str, object]:
        return {"handled": self._handled, "clusters": self._known}

    async def _wake_clusters(self) -> None:
        """Notify every cluster of its manifest in the tenant repository, also those whose manifest is gone.

        A file that cannot be read changes nothing: while there is one, no cluster counts as gone.
        """
        report = await perform(ClusterActivities.declared, self._input.tenant, "Clusters in the tenant repository")
        gone = self._gone(report)
        what = f"Wake {len(report.clusters)} clusters{f', {len(gone)} are gone' if gone else ''}"
        notified = await perform(ControlActivities.wake, WakeInput(clusters=report.clusters, gone=gone), what)
        declared = {each.name for each in report.clusters}
        self._known = sorted(declared | {each for each in self._known if each not in notified.absent})
        self._status = self._status.model_copy(
            update={"clusters": sorted(declared), "commit": report.commit, "findings": report.findings}
        )
        if report.findings:
            what = "What these files declared stays as it is until they can be read:"
            await comment_on(report.project_id, report.commit, f"tenant/{report.commit}", what, report.findings)

    def _gone(self, report: DeclaredReport) -> list[KnownCluster]:
        """Clusters that were declared and are no more; none unless all of the repository could be read."""
        if not report.complete:
            return []
        declared = {each.name for each in report.clusters}
        source = {"commit": report.commit, "project_id": report.project_id, "requester": report.requester}
        return [
            KnownCluster.model_validate({"name": each, "manifest": {}, "removed": True, **source})
            for each in self._known
            if each not in declared
        ]
