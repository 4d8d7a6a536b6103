"""The chart of deploy/helm on a cluster: applied by our engine, admitted by the API server, upgraded by Helm."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import helm_python
import pytest

from nautes.clients.kubernetes import Cluster
from nautes.messages.errors import NotFound
from tests.integration.convergence.support import Runtime, told
from tests.unit.helm.charts import CASES, CHART, EVERYTHING, MINIMUM, Object, merged, of_kind, rendered, templates

# Kinds of operators, and what API servers before 1.21 and 1.23 do not have.
MAY_LACK = {"ScaledObject", "PodMonitor", "PrometheusRule", "PodDisruptionBudget", "HorizontalPodAutoscaler"}
HOOK = "helm.sh/hook"


def served(cluster: Cluster, found: list[Object]) -> list[Object]:
    """What this API server knows, without hooks: those are Helm's."""
    known = [each for each in found if cluster.kind(each["apiVersion"], each["kind"])]
    assert {each["kind"] for each in found if each not in known} <= MAY_LACK
    return [each for each in known if HOOK not in each["metadata"].get("annotations", {})]


@pytest.mark.parametrize("case", CASES)
def test_our_engine_applies_the_chart_and_a_second_time_writes_nothing(
    runtime: Runtime, cluster: Cluster, case: str
) -> None:
    found = served(cluster, rendered(CASES[case], namespace=runtime.namespace))
    report = runtime.converge(found)
    assert (report.applied, report.refused, report.failed) == (len(found), 0, 0), report.outcomes
    report, writes = runtime.writes(found)
    assert (report.unchanged, report.writes, writes) == (len(found), 0, 0), report.outcomes


def test_our_engine_keeps_a_build_and_takes_it_away_when_it_is_drained(runtime: Runtime, cluster: Cluster) -> None:
    old = {"id": "0.0.9", "tag": "0.0.9"}
    steps: list[dict[str, Any]] = [
        {"image": {"tag": "0.0.9"}},
        {"previousBuilds": [old]},
        {"previousBuilds": [{**old, "drained": True}]},
    ]
    before, beside, after = ({"podDisruptionBudgets": False, **each} for each in steps)
    runtime.converge(served(cluster, rendered(before)))
    uid = runtime.get("Deployment", worker_of("0.0.9"), "apps/v1")["metadata"]["uid"]
    assert runtime.converge(served(cluster, rendered(beside))).pruned == 0
    assert runtime.get("Deployment", worker_of("0.0.9"), "apps/v1")["metadata"]["uid"] == uid
    assert told(runtime.converge(served(cluster, rendered(after)))) == {worker_of("0.0.9"): "pruned"}


def worker_of(build: str) -> str:
    """Name of the Deployment of a build's workers."""
    [found] = [
        each["metadata"]["name"]
        for each in of_kind(rendered({"image": {"tag": build}}), "Deployment")
        if "worker" in each["metadata"]["name"]
    ]
    return str(found)


def test_the_api_server_admits_every_pod_where_only_restricted_ones_may_be(runtime: Runtime, cluster: Cluster) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.call(
        "PATCH",
        f"/api/v1/namespaces/{runtime.namespace}",
        body={"metadata": {"labels": labels}},
        content_type="application/merge-patch+json",
    )
    runtime.converge(of_kind(rendered(EVERYTHING), "ServiceAccount"))
    [job] = of_kind(rendered(EVERYTHING), "Job")
    cluster.call("POST", f"/apis/batch/v1/namespaces/{runtime.namespace}/jobs?dryRun=All", body=job)
    pods = f"/api/v1/namespaces/{runtime.namespace}/pods"
    for number, each in enumerate(templates(rendered(merged(EVERYTHING, {"priorityClassName": ""})))):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**each["metadata"], "name": f"p{number}"},
            "spec": each["spec"],
        }
        answer = cluster.call("POST", f"{pods}?dryRun=All", body=pod)
        assert answer["spec"]["securityContext"]["runAsNonRoot"] is True
        assert not any("kube-api-access" in one["name"] for one in answer["spec"].get("volumes", []))
        with pytest.raises(NotFound):
            runtime.get("Pod", f"p{number}")


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """The chart without its demand for a version of Kubernetes: API servers of tests may be older, and have no nodes."""
    copy = shutil.copytree(CHART, tmp_path / "nautes")
    lines = (copy / "Chart.yaml").read_text().splitlines(keepends=True)
    (copy / "Chart.yaml").write_text("".join(each for each in lines if not each.startswith("kubeVersion")))
    return copy


@pytest.fixture
def helm(kubeconfig: str, runtime: Runtime) -> helm_python.Config:
    return helm_python.Config(kubeconfig_content=kubeconfig, namespace=runtime.namespace, storage_driver="memory")


def values(**more: Any) -> dict[str, Any]:
    """Values without what needs controllers, or newer API servers than there may be here."""
    return merged(MINIMUM, {"rollout": {"enabled": False}, "podDisruptionBudgets": False, **more})


def test_helm_refuses_an_upgrade_that_forgets_a_build_and_says_what_to_add(
    runtime: Runtime, helm: helm_python.Config, chart: Path
) -> None:
    helm.install(chart, "nautes", values(image={"tag": "0.0.9"}))
    assert runtime.get("Deployment", worker_of("0.0.9"), "apps/v1")
    with pytest.raises(
        helm_python.HelmError, match=r"build 0\.0\.9 has workers here \(image nautes:0\.0\.9\).*previousBuilds"
    ):
        helm.upgrade(chart, "nautes", values())
    old = {"id": "0.0.9", "tag": "0.0.9"}
    helm.upgrade(chart, "nautes", values(previousBuilds=[old]))
    assert runtime.get("Deployment", worker_of("0.0.9"), "apps/v1")
    assert runtime.get("Deployment", worker_of("0.1.0"), "apps/v1")
    helm.upgrade(chart, "nautes", values(previousBuilds=[{**old, "drained": True}]))
    with pytest.raises(NotFound):
        runtime.get("Deployment", worker_of("0.0.9"), "apps/v1")
    helm.upgrade(chart, "nautes", values())
    helm.uninstall("nautes")
    with pytest.raises(NotFound):
        runtime.get("Deployment", worker_of("0.1.0"), "apps/v1")
