"""What each kind of step does, and what takes it back. Called by the executor of a change, one method per kind.

The undo of a step is registered before it acts, because it may happen by half.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.claims import ClaimActivities
    from activities.control import ControlActivities
    from activities.gitlab import GitLabActivities
    from activities.repositories import RepositoryActivities
    from nautes.messages import ids
    from nautes.messages.claims import Claim, Reserve, ReserveInput, Uses, UsesInput
    from nautes.messages.common import Requester
    from nautes.messages.control import NotifyInput
    from nautes.messages.declarations import AccessRequest
    from nautes.messages.errors import Forbidden, Unavailable
    from nautes.messages.gitlab import (
        ForeignKeysInput,
        FormerSettings,
        GroupInput,
        RepositoryDeletion,
        RepositoryReady,
        RepositorySetup,
        RepositorySetups,
        WithdrawInput,
    )
    from nautes.planning.repositories import DECLARATION
    from nautes.planning.runtimes import DeploymentSpec, PipelineSpec
    from nautes.planning.steps import Effect, Step
    from workflows import effects
    from workflows.effects import Undo, perform
    from workflows.record import Record
    from workflows.timing import timing

CHECK_TIMEOUT = 5.0  # seconds a cluster or a product may take to answer to a plan
OWNER_TIMEOUT = 60.0  # seconds another product may take to answer a request for access


class Steps:
    """Performs steps of one change of one product. What it learns while doing so is read by the change: ids, and `renew`."""

    def __init__(self, path: str, operation: str, requester: Requester, record: Record, undo: Undo) -> None:
        self._path = path
        self._operation = operation
        self._requester = requester
        self._record = record
        self._undo = undo
        self._together: dict[str, Callable[[list[Step]], Awaitable[None]]] = {
            "repository": self._repositories,
            "runtime": self._runtimes,
        }
        self._kinds: dict[str, Callable[[Step], Awaitable[None]]] = {
            "group": self._group,
            "reserve": self._reserve,
            "access": self._access,
            "withdraw": self._withdraw,
            "foreign-keys": self._foreign_keys,
            "environments": self._environments,
            "report-use": self._report_use,
            "end": self._end,
            "delete-repository": self._delete_repository,
            "delete-group": self._delete_group,
        }
        self.group_id = 0
        self.project_id = 0  # of default.project
        self.repositories: dict[str, int] = {}  # name -> project id
        self.created: list[str] = []  # names of repositories that were not there before
        self.renew = ""  # date on which the first key or token runs out
        self.unanswered: set[str] = set()  # clusters that did not answer

    def handles(self, kind: str) -> bool:
        """Whether a step of this kind is performed here."""
        return kind in self._together or kind in self._kinds

    async def perform(self, steps: list[Step]) -> None:
        """One step, or several of a kind that are performed by one call."""
        self._record.begin(*(each.subject for each in steps))
        try:
            if together := self._together.get(steps[0].kind):
                await together(steps)
            else:
                await self._kinds[steps[0].kind](steps[0])
        finally:
            self._record.end(*(each.subject for each in steps))

    def renew_from(self, date: str) -> None:
        """Remember a date on which a key or token ends, if it is the first."""
        self.renew = min(filter(None, (self.renew, date)), default="")

    # Up to the commit

    async def _group(self, step: Step) -> None:
        input = GroupInput.model_validate({**step.input, "owner": self._requester})
        what = f"group {self._path}"
        if input.new:
            self._undo.before(what, self._undo_group)
        else:
            self._restore_later(f"settings of {what}", step)
        try:
            group = await perform(GitLabActivities.ensure_group, input, step.subject)
        except Forbidden:
            self._undo.forget(f"settings of {what}")
            self._undo.forget(what)  # somebody else has made one of that path meanwhile: it is theirs
            raise
        self.group_id = group.id
        self._record.performed(step.effects, step.effects if group.made != "unchanged" else [], retried=group.retried)

    async def _repositories(self, steps: list[Step]) -> None:
        for step in steps:
            name = str(step.input["path"])
            if step.input["new"]:
                self._undo.before(f"repository {name}", self._undo_repository(name))
            else:
                self._withdraw_later(step)
                self._report_as_before_later(step)
                self._restore_later(f"settings of repository {name}", step)
        more = {"group": self._path, "group_id": self.group_id}
        input = RepositorySetups(
            repositories=[RepositorySetup.model_validate({**each.input, **more}) for each in steps]
        )
        summary = steps[0].subject if len(steps) == 1 else f"{len(steps)} repositories of {self._path}"
        made = await perform(RepositoryActivities.ensure_all, input, summary, within=600)
        for step, setup, ready in zip(steps, input.repositories, made.repositories, strict=True):
            self._record.performed(step.effects, ready.effects, retried=ready.retried)
            self._keep(setup.path, ready)

    def _keep(self, name: str, ready: RepositoryReady) -> None:
        """What a repository that is set up means for the steps that come."""
        if name == DECLARATION:
            self.project_id = ready.id
        else:
            self.repositories[name] = ready.id
            if ready.created:
                self.created.append(name)
        self.renew_from(ready.expires_at)

    async def check(self, steps: Iterable[Step]) -> None:
        """Ask clusters and other products whether they would refuse these steps, and raise that. No answer is no refusal."""
        for step in steps:
            with contextlib.suppress(Unavailable):
                if step.kind == "reserve":
                    input = self._reservation(step, only_check=True)
                    await perform(ClaimActivities.reserve, input, f"Check {step.subject}", timeout=CHECK_TIMEOUT)
                else:
                    request = self._access_request(step).model_copy(update={"only_check": True})
                    await perform(ControlActivities.request_access, request, step.subject, timeout=CHECK_TIMEOUT)

    def _reservation(self, step: Step, *, only_check: bool = False) -> ReserveInput:
        product_id = ids.product_name(self.group_id) if self.group_id else ""
        claims = [
            Claim(
                runtime=ids.runtime(self._path, each["key"]),
                product=self._path,
                product_id=product_id,
                namespaces=each["namespaces"],
                worker_type=each["worker_type"],
            )
            for each in step.input["claims"]
        ]
        reserve = Reserve(
            product=self._path,
            product_id=product_id,
            operation=self._operation,
            claims=claims,
            environments=step.input["environments"],
            only_check=only_check,
        )
        return ReserveInput(cluster=step.input["cluster"], reserve=reserve)

    def _access_request(self, step: Step) -> AccessRequest:
        return AccessRequest.model_validate({**step.input, "product": self._path})

    async def _reserve(self, step: Step) -> None:
        """Clusters give namespaces to the first who asks: asked before the commit, so that no two commits want the same."""
        input = self._reservation(step)

        async def undo() -> bool:
            await perform(ClaimActivities.unreserve, input, f"Undo: reservation in {input.cluster}")
            return False  # nothing a person would see

        self._undo.before(f"reservation in {input.cluster}", undo)
        await perform(ClaimActivities.reserve, input, f"Reserve {step.subject}")

    async def _access(self, step: Step) -> None:
        """Owners of repositories answer whether they are open, and remember who uses them."""
        request = self._access_request(step)
        back = request.model_copy(update={"wanted": request.before})
        self._undo.before(
            f"use of {request.owner}",
            lambda: perform(ControlActivities.report_use, back, f"Undo: use of {back.owner}"),
        )
        await perform(ControlActivities.request_access, request, step.subject, timeout=OWNER_TIMEOUT)

    # What follows from the commit

    async def _withdraw(self, step: Step) -> None:
        input = WithdrawInput(project_id=step.input["project_id"], path=step.input["path"])
        gone = await perform(RepositoryActivities.withdraw, input, f"Withdraw from {input.path}")
        self._record.performed(step.effects, step.effects if gone.removed else [], retried=gone.retried)

    async def _foreign_keys(self, step: Step) -> None:
        """Exactly the keys of other repositories that the declaration wants."""
        input = ForeignKeysInput.model_validate(step.input)
        state = await perform(RepositoryActivities.ensure_foreign_keys, input, f"Who may use {input.path}", within=300)
        if state.retried:
            self._record.did(step.effects)
            return
        for made, titles in (("created", state.added), ("changed", state.changed), ("deleted", state.removed)):
            for title in titles:
                self._record.note("gitlab", made, f"deploy key {title} on {input.path}")

    async def _environments(self, step: Step) -> None:
        """Clusters know which environments stand on them. One that does not answer stops nothing: it is notified later."""
        cluster = str(step.input["cluster"])
        runtimes = [ids.runtime(self._path, each) for each in step.input["runtimes"]]
        uses = Uses(product=self._path, environments=step.input["environments"], runtimes=runtimes)
        input = UsesInput(cluster=cluster, uses=uses)
        try:
            await perform(ClaimActivities.uses, input, step.subject, timeout=timing().refused_retry)
        except Unavailable:
            self.unanswered.add(cluster)

    async def _report_use(self, step: Step) -> None:
        report = AccessRequest.model_validate({**step.input, "product": self._path})
        await perform(ControlActivities.report_use, report, step.subject)

    async def _runtimes(self, steps: list[Step]) -> None:
        """Runtimes start, change or go as the declaration now says."""
        deployments, pipelines, removed = list[DeploymentSpec](), list[PipelineSpec](), list[str]()
        for each in steps:
            key = str(each.input["key"])
            if "spec" not in each.input:
                removed.append(ids.runtime(self._path, key))
            elif key.startswith("DeploymentRuntime/"):
                deployments.append(DeploymentSpec.model_validate(each.input["spec"]))
            else:
                pipelines.append(PipelineSpec.model_validate(each.input["spec"]))
        input = NotifyInput(deployments=deployments, pipelines=pipelines, removed=removed)
        await perform(ControlActivities.notify_runtimes, input, "Notify the runtimes that changed")

    # What is deleted last

    async def _end(self, step: Step) -> None:
        runtime = ids.runtime(self._path, str(step.input["key"]))
        await perform(ControlActivities.ended, runtime, f"End of {runtime}", only_looks=True)
        self._record.did([Effect(system="kubernetes", action="delete", target=runtime)])

    async def _delete_repository(self, step: Step) -> None:
        input = RepositoryDeletion.model_validate(step.input)
        await perform(RepositoryActivities.delete, input, f"Delete repository {input.path}")
        self._record.did(step.effects)

    async def _delete_group(self, step: Step) -> None:
        await perform(GitLabActivities.delete_group, self._path, f"Delete group {self._path}")
        self._record.did(step.effects)

    # Undo

    def _restore_later(self, what: str, step: Step) -> None:
        """Settings of a group or repository that was there before are written back as they were, those that the plan changes."""
        if not step.input.get("former"):
            return
        former = FormerSettings.model_validate(step.input["former"])

        async def undo() -> bool:
            return (await perform(GitLabActivities.restore_settings, former, f"Undo: {what}")).changed

        self._undo.before(what, undo)

    def _withdraw_later(self, step: Step) -> None:
        """A repository that was there before, but of which the platform had nothing, loses what the platform puts there."""
        if step.input.get("equipped", True):
            return
        name = str(step.input["path"])
        input = WithdrawInput(project_id=step.input["project_id"], path=f"{self._path}/{name}")

        async def undo() -> bool:
            gone = await perform(RepositoryActivities.withdraw, input, f"Undo: keys, token and webhook of {name}")
            return gone.removed

        self._undo.before(f"keys, token and webhook of repository {name}", undo)

    def _report_as_before_later(self, step: Step) -> None:
        """A webhook whose events the plan changes reports what it did before."""
        former = step.input.get("former_events")
        if former is None:
            return
        name = str(step.input["path"])
        as_before = {**step.input, "events": former, "settings": False, "group": self._path}
        input = RepositorySetups(repositories=[RepositorySetup.model_validate(as_before)])
        what = f"events of the webhook of {name}"
        self._undo.before(what, lambda: perform(RepositoryActivities.ensure_all, input, f"Undo: {what}"))

    async def _undo_group(self) -> bool:
        return (await perform(GitLabActivities.delete_group, self._path, f"Undo: group {self._path}")).removed

    def _undo_repository(self, name: str) -> effects.Compensation:
        async def undo() -> bool:
            number = self.project_id if name == DECLARATION else self.repositories.get(name, 0)
            input = RepositoryDeletion(path=f"{self._path}/{name}", project_id=number, ours=True)
            return (await perform(RepositoryActivities.delete, input, f"Undo: repository {name}")).removed

        return undo
