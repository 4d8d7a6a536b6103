"""PipelineRuns: created from the pipeline file, followed to their end, cancelled, deleted. Called by the run workflow.

Written under the runtime's own account; the object's name is the run's, so that creating it twice is creating it once.
"""

from __future__ import annotations

from typing import Any

from temporalio import activity

from activities.waiting import not_yet
from nautes.blueprints import runtimes
from nautes.clients.git import GitCache
from nautes.clients.kubernetes import Cluster, Clusters, Kind
from nautes.messages.errors import Conflict, NotFound, Refused
from nautes.messages.runtimes import CreateRunInput, RunRef, RunReport
from nautes.messages.vault import Done
from nautes.resources.documents import Malformed, read

RUN = Kind("tekton.dev/v1", "PipelineRun", "pipelineruns", namespaced=True)
TASK_RUN = Kind("tekton.dev/v1", "TaskRun", "taskruns", namespaced=True)
LABEL = "nautes.io/run"
WORKFLOW = "nautes.io/workflow"  # annotation: the workflow that follows the run


class TektonActivities:
    """`git` reads pipeline files at the commit they were resolved to."""

    def __init__(self, clusters: Clusters, git: GitCache) -> None:
        self._clusters = clusters
        self._git = git

    @activity.defn(name="tekton.create_run")
    def create_run(self, input: CreateRunInput) -> Done:
        """Create the PipelineRun. Idempotent: one of this name is left alone. Raises Refused for a file that is none."""
        spec = input.run.spec
        cluster = self._clusters.get(input.run.grant.kubeconfig)
        try:
            cluster.get(RUN, spec.namespace, input.name)
        except NotFound:
            item = pipeline_run(input, self._file(spec.source, input.revision, input.file))
            account = runtimes.account_name(spec.product_id, spec.account)
            try:
                user = f"system:serviceaccount:{spec.namespace}:{account}"
                cluster.create(RUN.path(spec.namespace), item, account=user)
            except Conflict:
                return Done(changed=False)
            return Done(changed=True)
        return Done(changed=False)

    def _file(self, repository: str, commit: str, path: str) -> dict[str, Any]:
        try:
            files = self._git.files(repository, commit, path)
        except NotFound as error:
            raise Refused("pipeline-file", f"{repository} has no file {path} at {commit[:12]}") from error
        try:
            items = [each for file in files for each in read(file.content) if each is not None]
        except Malformed as error:
            raise Refused("pipeline-file", f"{path}: {error}") from error
        if len(items) != 1 or not isinstance(items[0], dict) or items[0].get("kind") != RUN.kind:
            raise Refused("pipeline-file", f"{path} must hold exactly one PipelineRun")
        return dict(items[0])

    @activity.defn(name="tekton.ended")
    def ended(self, ref: RunRef) -> RunReport:
        """How a PipelineRun ended; raises NotYet until it has. Idempotent: it only reads."""
        cluster = self._clusters.get(ref.grant.kubeconfig)
        listing = cluster.list(RUN, namespace=ref.namespace, selector=f"{LABEL}={ref.name}")
        if not listing.items:
            return RunReport(phase="Failed", message="the PipelineRun was deleted", finished="")
        report = self._report(cluster, listing.items[0])
        if not report.finished:
            raise not_yet(report.message or f"PipelineRun {ref.name} runs")
        return report

    def _report(self, cluster: Cluster, item: dict[str, Any]) -> RunReport:
        condition, status = _condition(item), item.get("status") or {}
        phases = {"True": "Succeeded", "False": "Failed"}
        phase = phases.get(str(condition.get("status")), "Running")
        if phase == "Failed" and condition.get("reason") in ("Cancelled", "PipelineRunCancelled"):
            phase = "Cancelled"
        done = phase != "Running"
        return RunReport(
            phase=phase,
            message=str(condition.get("message") or condition.get("reason") or "")[:1000],
            started=str(status.get("startTime") or ""),
            finished=str(status.get("completionTime") or condition.get("lastTransitionTime") or "now") if done else "",
            steps=self._steps(cluster, item) if done else [],
            labels={key: str(value) for key, value in (item["metadata"].get("labels") or {}).items()},
        )

    def _steps(self, cluster: Cluster, item: dict[str, Any]) -> list[str]:
        found = []
        for child in (item.get("status") or {}).get("childReferences") or []:
            try:
                task = cluster.get(TASK_RUN, item["metadata"]["namespace"], child["name"])
            except NotFound:
                continue
            for step in (task.get("status") or {}).get("steps") or []:
                ended = step.get("terminated") or {}
                how = f"{ended.get('reason', 'running')} ({ended.get('exitCode', '-')})"
                found.append(f"{child.get('pipelineTaskName', child['name'])}/{step.get('name', '?')}: {how}")
        return found[:100]

    @activity.defn(name="tekton.cancel_run")
    def cancel_run(self, ref: RunRef) -> Done:
        """Cancel a PipelineRun through Tekton. Idempotent: a run that ended or is not there is left alone."""
        cluster = self._clusters.get(ref.grant.kubeconfig)
        try:
            item = cluster.get(RUN, ref.namespace, ref.name)
            if _condition(item).get("status") in ("True", "False"):
                return Done(changed=False)
            path = RUN.path(ref.namespace, ref.name)
            body = {"spec": {"status": "Cancelled"}}
            cluster.call("PATCH", path, body=body, content_type="application/merge-patch+json")
        except NotFound:
            return Done(changed=False)
        return Done(changed=True)


def pipeline_run(input: CreateRunInput, file: dict[str, Any]) -> dict[str, Any]:
    """The PipelineRun of a run: the file's, named, labelled, under the runtime's account, its first parameter the ref."""
    spec, push = input.run.spec, input.run.push
    body = dict(file.get("spec") or {})
    parameters = [dict(each) for each in body.get("params") or []]
    if parameters:
        parameters[0]["value"] = push.ref
        body["params"] = parameters
    template = dict(body.get("taskRunTemplate") or {})
    template["serviceAccountName"] = runtimes.account_name(spec.product_id, spec.account)
    body["taskRunTemplate"] = template
    pipeline = next(each for each in spec.pipelines if each.name == input.run.trigger.pipeline)
    labels = {**runtimes.MANAGED_BY, LABEL: input.name, runtimes.BELONGS_TO: spec.product_id}
    if pipeline.label:
        labels["branch"] = pipeline.label
    annotations = {
        WORKFLOW: input.workflow,
        "nautes.io/commit": push.after,
        "nautes.io/ref": push.ref,
        "nautes.io/repository": push.repository,
        "nautes.io/pipeline-revision": input.revision,
    }
    return {
        "apiVersion": RUN.api_version,
        "kind": RUN.kind,
        "metadata": {
            "name": input.name,
            "namespace": spec.namespace,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": body,
    }


def _condition(item: dict[str, Any]) -> dict[str, Any]:
    conditions = (item.get("status") or {}).get("conditions") or []
    return next((dict(each) for each in conditions if each.get("type") == "Succeeded"), {})
