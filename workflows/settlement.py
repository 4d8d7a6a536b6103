"""What follows a commit to a declaration, whoever made it: repositories' doors, keys, clusters, other products, runtimes.

Run by the change workflow. Everything here is a difference that the look at the head reported
(activities/declarations/acceptance.py), and every step is idempotent: what was interrupted is carried out again.
"""

from __future__ import annotations

from collections.abc import Collection

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.control import ControlActivities
    from nautes.messages.clusters import Uses, UsesInput
    from nautes.messages.control import NotifyInput
    from nautes.messages.declarations import AccessRequest, Known
    from nautes.messages.errors import Unavailable
    from nautes.messages.products import SyncReport
    from nautes.messages.timing import TIMING
    from workflows.doors import DECLARATION, Doors
    from workflows.effects import perform
    from workflows.record import Record


class Settlement:
    """Carries out one report."""

    def __init__(self, product: str, record: Record, report: SyncReport, *, renewed: bool) -> None:
        self._product = product
        self._record = record
        self._report = report
        renew = "" if renewed else report.known.renew
        self._doors = Doors(record, report.lifetime, report.hooks_url, renew)
        self._silent: dict[str, object] = {}  # what is known otherwise because a cluster did not answer

    async def run(self, *, opened: Collection[str], deleted: Collection[str], adopt: bool) -> Known:
        """`opened` and `deleted` are repositories the change deals with itself; what is known at the end."""
        await self._repositories(opened, deleted, adopt)
        await self._clusters()
        await self._neighbours()
        await self._runtimes()
        return self._report.known.model_copy(update={"renew": self._doors.renew, **self._silent})

    async def _repositories(self, opened: Collection[str], deleted: Collection[str], adopt: bool) -> None:
        report = self._report
        if adopt and report.project_id:
            self._record.show("Declaration repository")
            await self._doors.open_declaration(report.project_id, f"{self._product}/{DECLARATION}")
        for each in report.repositories:
            if each.name not in opened:
                self._record.show(f"Repository {each.name}")
                number = report.known.repositories[each.name]
                await self._doors.open(number, f"{self._product}/{each.name}", each.events)
        for name, number in report.withdrawn.items():
            if name not in deleted:
                self._record.show(f"Repository {name}")
                await self._doors.withdraw(number, f"{self._product}/{name}")
        for access in report.access:
            self._record.show(f"Authorizations of {access.path}")
            await self._doors.agree(access)

    async def _clusters(self) -> None:
        """Clusters know which environments stand on them. One that does not answer stops nothing: it is told later."""
        report = self._report
        told = dict(report.known.clusters)
        runtimes = [each.workflow for each in report.runtimes]
        for cluster, environments in report.uses.items():
            uses = Uses(product=self._product, environments=environments, runtimes=runtimes)
            input = UsesInput(cluster=cluster, uses=uses)
            try:
                await perform(ControlActivities.uses, input, f"Environments on {cluster}", timeout=TIMING.refused_retry)
            except Unavailable:
                told.pop(cluster, None)
                self._silent = {"clusters": told, "pending": True}

    async def _neighbours(self) -> None:
        """Owners of repositories know who uses them."""
        for owner, wanted in self._report.foreign_uses.items():
            access_request = AccessRequest(owner=owner, product=self._product, wanted=wanted)
            await perform(ControlActivities.report_use, access_request, f"What we use of {owner}")

    async def _runtimes(self) -> None:
        """Runtimes start, change or go as the declaration now says."""
        report = self._report
        if report.deployments or report.pipelines or report.removed:
            self._record.show("Runtimes")
            tell = NotifyInput(deployments=report.deployments, pipelines=report.pipelines, removed=report.removed)
            await perform(ControlActivities.notify_runtimes, tell, "Tell the runtimes that changed")
