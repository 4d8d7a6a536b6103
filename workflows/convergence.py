"""One convergence of a deployment: newest commit -> apply -> healthy. Called by the deployment's loop, cancelled by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.git import GitActivities
    from activities.kubernetes import KubernetesActivities
    from nautes.messages.claims import Grant
    from nautes.messages.convergence import ConvergeReport, HealthInput, HealthReport
    from nautes.messages.git import FetchInput
    from nautes.messages.status import DeploymentStatus
    from nautes.planning.runtimes import DeploymentSpec
    from workflows import effects, inputs
    from workflows.effects import perform


class Change(Protocol):
    """Publishes changed fields of the deployment's status."""

    def __call__(self, **changes: object) -> None: ...


class News:
    """Whether the observer of the cluster has seen something about a runtime's objects that was not looked at yet."""

    there = False


class Convergence:
    """Follows one specification from the head of its revision to healthy objects, publishing each phase."""

    def __init__(self, change: Change, status: Callable[[], DeploymentStatus]) -> None:
        self._change = change
        self._status = status
        self._began = 0.0

    async def apply(
        self, spec: DeploymentSpec, grant: Grant, pinned: str, former: Sequence[str] = ()
    ) -> ConvergeReport:
        """Bring about what the head declares. Raises the refusal of a repository that cannot be read, or of the cluster."""
        self._began = began = workflow.time()
        self._change(started=effects.now(), revision=pinned or spec.revision, cluster=spec.cluster)
        fetch = FetchInput(repository=spec.repository, ref=pinned or spec.revision)
        commit = await perform(GitActivities.fetch, fetch, f"Head of {spec.repository} at {fetch.ref}")
        fetched = workflow.time()
        if commit != self._status().commit:
            self._change(phase="Converging", commit=commit, message="")
        report = await perform(
            KubernetesActivities.converge,
            inputs.convergence(spec, grant, commit, former),
            f"Converge {commit[:12]}",
            within=900,
        )
        self._publish(report, fetch=fetched - began)
        return report

    def _publish(self, report: ConvergeReport, *, fetch: float) -> None:
        if report.commit == self._status().converged_commit and not report.writes and not blame(report):
            # Another look found all as this commit wants it: what the commit changed stays to be read.
            self._change(commit=report.commit, message="")
            return
        self._change(
            commit=report.commit,
            applied=report.applied,
            unchanged=report.unchanged,
            pruned=report.pruned,
            writes=report.writes,
            outcomes=report.outcomes,
            seconds={"fetch": round(fetch, 4), **report.seconds},
            message=blame(report),
        )

    async def until_healthy(self, spec: DeploymentSpec, grant: Grant, report: ConvergeReport, news: News) -> None:
        """Wait for the health of what was applied, and publish how the convergence ended. `news`: see `health`."""
        began = workflow.time()
        await self.health(spec, grant, news)
        refused = [each for each in report.outcomes if each.action in ("refused", "failed")]
        self._change(
            phase="Degraded" if refused else "Converged",
            unhealthy=[],
            converged_commit=self._status().converged_commit if refused else report.commit,
            finished=effects.now(),
            seconds={
                **self._status().seconds,
                "health": round(workflow.time() - began, 4),
                "total": round(workflow.time() - self._began, 4),
            },
        )

    async def health(self, spec: DeploymentSpec, grant: Grant, news: News) -> None:
        """Return when all objects are healthy; until then the status names those that are not.

        When there are `news` about the objects they are looked at again at once. Without news Temporal repeats the look, less
        and less often.
        """
        input = inputs.health(spec, grant)
        news.there = False  # what is known up to here is what the first look sees
        found = await perform(KubernetesActivities.health, input, "Health")
        while not found.healthy:
            self._change(phase="Waiting", unhealthy=found.unhealthy)
            known, changed = input.model_copy(update={"known": found.unhealthy}), list[HealthReport]()
            await effects.unless(self._look(known, changed), lambda: news.there)
            news.there = False
            found = changed[0] if changed else await perform(KubernetesActivities.health, input, "Health, as observed")

    async def _look(self, known: HealthInput, changed: list[HealthReport]) -> None:
        changed.append(
            await perform(KubernetesActivities.health_changed, known, "Health, once it changes", only_looks=True)
        )


def blame(report: ConvergeReport) -> str:
    """One line about what did not go as declared."""
    bad = [each for each in report.outcomes if each.action in ("refused", "failed")]
    if not bad:
        return ""
    first = bad[0]
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    return f"{first.kind}/{first.name} {first.action}: {first.reason}{more}"
