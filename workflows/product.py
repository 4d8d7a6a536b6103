"""A product: the queue before it, what its declaration holds, and the delivery of pushes to those who follow its repositories.

Commands (`submit`) come from the API and run as `Change`, one at a time; pushes come from webhooks and the sweep; a push
to `default.project` by plain Git is a change like any other and is read here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from temporalio import workflow
from temporalio.exceptions import ApplicationError, ChildWorkflowError

with workflow.unsafe.imports_passed_through():
    from activities.products import ProductActivities
    from nautes.messages import ids
    from nautes.messages.common import Requester
    from nautes.messages.declarations import AccessRequest
    from nautes.messages.errors import NautesError, Refused, Unavailable
    from nautes.messages.gitlab import Push
    from nautes.messages.operations import Accepted, ChangeRequest, require_bounded
    from nautes.messages.products import (
        ChangeInput,
        ChangeReport,
        HeadInput,
        HeadReport,
        OpenedInput,
        Watch,
    )
    from nautes.messages.status import ProductStatus
    from nautes.planning.known import Known
    from nautes.telemetry import catalogue, tracing
    from workflows import effects, metrics, progress, releases
    from workflows.change import ChangeWorkflow
    from workflows.effects import perform
    from workflows.endings import report_of
    from workflows.outbox import Outbox
    from workflows.product_state import ProductStart, ProductState
    from workflows.timing import timing

PUSHED = "pushed"  # signal of every workflow that follows a repository
FROM_GIT = "git-"  # begins the operations that a push asked for
WATCHERS_AT_ONCE = 200  # signals under way; Temporal takes 2,000 of one workflow
UNCLAIMED_KEPT = 200  # pushes kept until it is known who watches their repository
CARRIED = 200  # deliveries that a fresh run takes over; with more, the run delivers some of them first


@workflow.defn(name="Product")
class ProductWorkflow(releases.LongLived):
    """Sole writer of the product's group, declaration, repositories, keys and hooks."""

    @workflow.init
    def __init__(self, input: ProductStart) -> None:
        self._path = input.path
        self._state = input.state or ProductState()
        self._queue = list(self._state.queue)
        self._handled = list(self._state.handled)
        self._due = self._state.due
        self._unclaimed = list(self._state.unclaimed)
        self._outbox = Outbox(self._state.undelivered)
        self._ending = False  # the run is over when what is being delivered is
        self._reading = False
        self._running = ""
        self._exists = True
        self._renew = self._state.renew
        self._granting = 0
        self._traces: dict[str, tracing.Trace | None] = {}  # by operation; an operation that is carried over has none
        self._failed = False  # the last observation failed: it is repeated after a while

    @workflow.update
    async def submit(self, request: ChangeRequest) -> Accepted:
        """Queue a change; the same operation twice is queued once."""
        if effects.remember(self._handled, request.operation):
            self._queue.append(request)
            self._traces[request.operation] = tracing.here()
        return Accepted(operation=ids.change(self._path, request.operation))

    @submit.validator
    def _check_request(self, request: ChangeRequest) -> None:
        if request.product != self._path:
            raise effects.as_failure(Refused("product-mismatch", f"this is product {self._path}"))
        effects.require(require_bounded, request)

    @workflow.signal
    def pushed(self, push: Push) -> None:
        """A repository of the product moved: notify the workflows that follow it, even while a change runs."""
        if not effects.remember(self._handled, push.event):
            metrics.count(catalogue.PUSHES, outcome="repeated")
            return
        metrics.count(catalogue.PUSHES, outcome=self._meaning(push))
        if push.project_id == self._state.project_id or not self._state.project_id:
            self._due = self._due or push.after != self._state.commit
        if (
            self._due or self._reading or self._running
        ):  # watchers may be about to change: the new ones are notified later
            self._unclaimed = [*self._unclaimed, push][-UNCLAIMED_KEPT:]
        self._pass_on(self._state.watches, [push])

    def _meaning(self, push: Push) -> str:
        if push.project_id == self._state.project_id:
            return "declaration"
        watched = any(each.project_id == push.project_id for each in self._state.watches)
        return "delivered" if watched else "unwatched"

    @workflow.signal
    def renew(self) -> None:
        """Keys or tokens run out soon: look after all of them."""
        self._due = self._renew = True

    @workflow.update
    async def request_access(self, request: AccessRequest) -> Accepted:
        """Another product is about to declare that it uses repositories of ours: are they open to it? Remembered if so."""
        busy = Unavailable("owner-busy", f"{self._path} is being changed")  # who asks asks again
        if self._running or releases.due():  # what the change brings is not known yet
            raise effects.as_failure(busy)
        self._granting += 1
        try:
            if not await effects.unless(self._look_whether_open(request), releases.due):
                raise busy
        except NautesError as error:
            raise effects.as_failure(error) from error
        finally:
            self._granting -= 1
        if not request.only_check:
            self._remember_use(request)
        return Accepted(operation="")

    async def _look_whether_open(self, request: AccessRequest) -> None:
        input = OpenedInput(product=self._path, uses=request.wanted)
        await perform(ProductActivities.opened, input, f"Is what {request.product} wants to use open to it?")

    @workflow.signal
    def use_reported(self, request: AccessRequest) -> None:
        """Another product says what it uses of ours, all of it."""
        self._remember_use(request)
        self._due = True

    def _remember_use(self, request: AccessRequest) -> None:
        others = [each for each in self._state.known.foreign_uses if each.product != request.product]
        known = self._state.known.model_copy(update={"foreign_uses": [*others, *request.wanted]})
        self._state = self._state.model_copy(update={"known": known})

    def _pass_on(self, watches: Sequence[Watch], pushes: Sequence[Push]) -> None:
        """Put these pushes in the outbox for the workflows that follow their repositories."""
        for push in pushes:
            self._outbox.add(watches, push)

    async def _deliver(self) -> None:
        """Empty the outbox as long as this run lives, many watchers at a time, each in its order (0020)."""
        while True:
            await workflow.wait_condition(lambda: bool(self._outbox) or self._ending)
            if self._ending and len(self._outbox) <= CARRIED:
                return
            due = self._outbox.next(WATCHERS_AT_ONCE)
            await asyncio.gather(*(self._notify(*each) for each in due.items()))
            self._outbox.delivered(due)

    async def _notify(self, workflow_id: str, push: Push) -> None:
        try:
            await workflow.get_external_workflow_handle(workflow_id).signal(PUSHED, push)
        except ApplicationError:
            workflow.logger.warning("%s does not exist: it is not notified of a push", workflow_id)

    @workflow.query
    def status(self) -> ProductStatus:
        """The product as it is known here."""
        state = self._state
        return ProductStatus(
            path=self._path,
            id=state.id,
            phase="Changing" if self._running else "Idle",
            commit=state.commit,
            operation=self._running,
            queued=[key for each in self._queue if (key := ids.change(self._path, each.operation)) != self._running],
            environments=state.environments,
            runtimes=state.runtimes,
            findings=state.findings,
            message=state.message,
        )

    @workflow.run
    async def run(self, input: ProductStart) -> None:
        delivery = asyncio.create_task(self._deliver())
        while self._exists or self._queue or self._due:
            self._show()
            if self._queue and not releases.due():
                await self._change(self._queue[0])
                self._queue.pop(0)
            elif effects.should_continue_as_new():
                delivery = await self._begin_afresh(delivery)
            elif self._due:
                await self._read()
            else:
                await self._rest()
        await workflow.wait_condition(lambda: workflow.all_handlers_finished() and not self._outbox)

    async def _begin_afresh(self, delivery: asyncio.Task[None]) -> asyncio.Task[None]:
        """Continue as new between two deliveries; not if something began meanwhile. Gives the delivery that goes on."""
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._ending = True
        await delivery
        if (releases.due() or not self._queue) and workflow.all_handlers_finished():
            releases.continue_as_new(ProductStart(path=self._path, state=self._carried()))
        self._ending = False
        return asyncio.create_task(self._deliver())

    async def _rest(self) -> None:
        """Until a message comes; what was refused or failed is observed again after a while."""
        waits = self._failed or self._state.known.pending or bool(self._state.known.held)
        try:
            await workflow.wait_condition(
                lambda: bool(self._queue) or self._due or effects.should_continue_as_new(),
                timeout=timing().refused_retry if waits else None,
            )
        except TimeoutError:
            self._due = True

    async def _change(self, request: ChangeRequest, head: HeadReport | None = None) -> None:
        await workflow.wait_condition(lambda: not self._granting)
        self._running = ids.change(self._path, request.operation)
        self._show()
        what = f"{request.action} {len(request.manifests)} resources for {request.requester.username}"
        renew, self._failed = self._renew and request.action == "push", False
        report: ChangeReport | None
        try:
            with tracing.within(self._traces.pop(request.operation, None)):
                report = await workflow.execute_child_workflow(
                    ChangeWorkflow.run,
                    ChangeInput(request=request, known=self._state.known, renew=renew, head=head),
                    id=self._running,
                    static_summary=f"{what}{' (plan only)' if request.dry_run else ''}",
                    priority=effects.fairness(self._path, waiting=True),
                )
        except ChildWorkflowError as error:
            report = await report_of(error, ChangeReport)
            if report is None:
                self._state = self._state.model_copy(update={"message": f"{self._running} failed: {error.cause}"})
                self._failed = request.action == "push"
                self._due = not self._failed
        finally:
            self._running = ""
        metrics.count(catalogue.CHANGES, outcome=report.state if report else "failed")
        if report is not None:
            self._renew = self._renew and not renew
            await self._carried_out(request, report)

    async def _carried_out(self, request: ChangeRequest, report: ChangeReport) -> None:
        if report.head:
            await self._absorb(report.head)
        elif request.action == "push":  # another system refuses what it needs: shown, and retried after a while
            self._failed = True
            self._state = self._state.model_copy(update={"message": report.message})
        elif not self._state.id or report.commit != self._state.commit:
            self._due = True  # nothing known yet, or a commit that has not been carried out

    async def _read(self) -> None:
        """Look at the declaration's head; what is news there is carried out as a change like any other."""
        self._due, self._reading = False, True
        found = list[HeadReport]()
        try:
            self._due = not await effects.unless(self._look(found), releases.due) or self._due
        except NautesError as error:
            self._state = self._state.model_copy(update={"message": error.message})
            self._failed = True
        finally:
            self._reading = False
        for report in found:
            if report.exists and self._news(report):
                await self._change(_pushed(self._path, report), report)
            else:
                await self._absorb(report)

    async def _look(self, found: list[HeadReport]) -> None:
        input = HeadInput(product=self._path, known=self._state.known, renew=self._renew)
        found.append(await perform(ProductActivities.read, input, "Declaration at its head"))

    def _news(self, report: HeadReport) -> bool:
        """Whether there is anything to do, or anything to be said about the commit."""
        said = report.known.held != self._state.known.held or bool(
            report.refused and report.commit != self._state.commit
        )
        return bool(report.steps) or said or bool(report.outcomes and report.commit != self._state.commit)

    async def _absorb(self, report: HeadReport) -> None:
        self._exists, self._failed = report.exists, False
        # A runtime that cannot be resolved now is still notified of pushes.
        watches = [*report.watches, *(each for each in self._state.watches if each.workflow in report.kept)]
        new = [each for each in watches if each not in self._state.watches]
        known = report.known if report.exists else Known()
        self._state = self._state.model_copy(
            update={
                "id": report.id,
                "project_id": report.project_id,
                "commit": report.commit,
                # What others say they use of ours may have changed since the report was asked for.
                "known": known.model_copy(update={"foreign_uses": self._state.known.foreign_uses}),
                "watches": watches,
                "environments": report.environments,
                "runtimes": report.runtimes,
                "findings": report.findings,
                "message": "",
            }
        )
        progress.renew(known.renew)
        pushes, self._unclaimed = self._unclaimed, []
        self._pass_on(new, pushes)  # a watcher drops a push that it has handled

    def _carried(self) -> ProductState:
        return self._state.model_copy(
            update={
                "queue": self._queue,
                "handled": self._handled,
                "due": self._due,
                "unclaimed": self._unclaimed,
                "undelivered": self._outbox.left(),
                "renew": self._renew,
            }
        )

    def _show(self) -> None:
        phase = "Changing" if self._running else "Idle"
        lines = [f"- {each.kind} {each.name} in {each.environment}" for each in self._state.runtimes]
        details = "\n".join(filter(None, [self._running, self._state.message, *lines]))
        progress.describe("Product", phase, product=self._path, revision=self._state.commit, details=details)


def _pushed(path: str, report: HeadReport) -> ChangeRequest:
    """What somebody committed by plain Git, as a request in the name of the commit's author."""
    author = Requester(id=0, username=report.author.name, name=report.author.name, email=report.author.email)
    return ChangeRequest(
        operation=f"{FROM_GIT}{report.commit[:12]}", product=path, action="push", manifests=[], requester=author
    )
