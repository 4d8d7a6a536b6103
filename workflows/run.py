"""One pipeline run: from an event to a commit status that says how it ended.

pipeline file at its revision -> PipelineRun in the runtime's namespace under its account -> followed to its end -> commit
status on the pushed commit. Cancelling the workflow cancels the PipelineRun.
"""

from __future__ import annotations

import pydantic
from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.git import GitActivities
    from activities.gitlab import GitLabActivities
    from activities.tekton import TektonActivities
    from nautes.messages.errors import NautesError
    from nautes.messages.git import FetchInput
    from nautes.messages.gitlab import StatusInput
    from nautes.messages.runtimes import CreateRunInput, RunInput, RunRef, RunReport
    from nautes.messages.status import RunStatus
    from workflows import effects, progress
    from workflows.effects import perform

STATES = {
    "Pending": "pending",
    "Running": "running",
    "Succeeded": "success",
    "Failed": "failed",
    "Cancelled": "canceled",
}
FAILED_RUN = "PipelineFailed"  # type of the failure of a run that did not succeed


@workflow.defn(name="PipelineRun", failure_exception_types=[pydantic.ValidationError])  # of its own input
class PipelineRunWorkflow:
    """Ends with the run's outcome; a run that could not be made is a failed run that says why."""

    @workflow.init
    def __init__(self, input: RunInput) -> None:
        spec, push = input.spec, input.push
        self._input = input
        self._name = run_name(input)
        self._observed = False  # something about the PipelineRun is new
        self._status = RunStatus(
            product=spec.product,
            runtime=spec.runtime,
            event=push.event,
            trigger=input.trigger.event_source,
            pipeline=input.trigger.pipeline,
            ref=push.ref,
            commit=push.after,
            phase="Pending",
            name=self._name,
            namespace=spec.namespace,
        )

    @workflow.signal
    def observed(self) -> None:
        """The observer of the cluster has seen something about the PipelineRun: look at it."""
        self._observed = True

    @workflow.query
    def status(self) -> RunStatus:
        """How the run stands."""
        return self._status

    @workflow.run
    async def run(self, input: RunInput) -> RunStatus:
        try:
            report = await self._follow()
        except BaseException as error:
            if isinstance(error, NautesError):
                report = RunReport(phase="Failed", message=error.message, finished=effects.now())
            elif effects.cancelled(error):
                await effects.shielded(self._publish(await effects.shielded(self._cancelled())))
                raise  # what it came to is in the memo and in the status
            else:
                raise
        await effects.shielded(self._publish(report))
        if report.phase != "Succeeded":
            raise ApplicationError(self._status.message or report.phase, type=FAILED_RUN, non_retryable=True)
        return self._status

    async def _follow(self) -> RunReport:
        await self._publish(RunReport(phase="Pending"))
        spec, trigger = self._input.spec, self._input.trigger
        revision = trigger.revision or self._input.push.ref
        fetch = FetchInput(repository=spec.source, ref=revision)
        commit = await perform(GitActivities.fetch, fetch, f"Pipeline file of {spec.source} at {revision}")
        file = next(each.path for each in spec.pipelines if each.name == trigger.pipeline)
        input = CreateRunInput(
            run=self._input, name=self._name, file=file, revision=commit, workflow=workflow.info().workflow_id
        )
        await perform(TektonActivities.create_run, input, f"PipelineRun {self._name}")
        await self._publish(RunReport(phase="Running", started=effects.now()))
        return await self._ended()

    async def _ended(self) -> RunReport:
        """How the PipelineRun ended. Looked at when something about it was observed, and now and then without news."""
        ended = list[RunReport]()

        async def look() -> None:
            ended.append(await perform(TektonActivities.ended, self._ref(), "End of the PipelineRun", only_looks=True))

        while not ended:
            self._observed = False
            await effects.unless(look(), lambda: self._observed)
        return ended[0]

    async def _cancelled(self) -> RunReport:
        """A cluster that refuses to cancel the PipelineRun keeps the workflow from nothing."""
        try:
            return await self._cancel()
        except NautesError as refusal:
            text = f"cancelled, but the PipelineRun may go on: {refusal.message}"
            return RunReport(phase="Cancelled", message=text, finished=effects.now())

    async def _cancel(self) -> RunReport:
        await perform(TektonActivities.cancel_run, self._ref(), "Cancel the PipelineRun")
        return RunReport(phase="Cancelled", message="cancelled", finished=effects.now())

    def _ref(self) -> RunRef:
        return RunRef(grant=self._input.grant, namespace=self._input.spec.namespace, name=self._name)

    async def _publish(self, report: RunReport) -> None:
        """Say the same thing to Temporal UI, to our own status and to GitLab."""
        known = {name: value for name, value in report.model_dump(exclude={"labels"}).items() if value}
        self._status = self._status.model_copy(update=known)
        spec, push = self._input.spec, self._input.push
        details = "\n".join([report.message, *(f"- {each}" for each in report.steps)]).strip()
        progress.describe(
            "PipelineRun",
            report.phase,
            product=spec.product,
            product_id=spec.product_id,
            cluster=spec.cluster,
            revision=push.after,
            details=details,
        )
        progress.listed(self._status.listed())
        status = StatusInput.model_validate(
            {
                "project_id": push.project_id,
                "commit": push.after,
                "name": f"nautes/{spec.runtime}/{self._input.trigger.pipeline}",
                "state": STATES[report.phase],
                "description": (report.message or report.phase)[:140],
                "ref": push.ref.removeprefix("refs/heads/").removeprefix("refs/tags/"),
            }
        )
        try:
            await perform(GitLabActivities.set_commit_status, status, f"Commit status: {report.phase}")
        except NautesError as refusal:  # the commit or the project is gone: the run goes on, and its status names it
            text = f"{self._status.message} (no commit status: {refusal.message})".strip()
            self._status = self._status.model_copy(update={"message": text})


def run_name(input: RunInput) -> str:
    """Name of the PipelineRun: stable for the event and trigger, so that creating it twice is creating it once."""
    return f"{input.spec.runtime}-{input.trigger.pipeline}-{input.push.event}"[:63].rstrip("-.")
