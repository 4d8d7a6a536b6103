"""The chart rendered by Helm with several values: valid for Kubernetes, complete, and without a copy that can drift."""

from __future__ import annotations

import json
import re
from pathlib import Path

import helm_python
import kubernetes_validate
import promql_parser
import pytest
import yaml

import worker
from nautes.messages import queues
from nautes.telemetry import catalogue
from tests.unit.helm.charts import (
    CASES,
    CHART,
    EVERYTHING,
    MINIMUM,
    Object,
    chart,
    commands,
    merged,
    named,
    objects,
    of_kind,
    rendered,
    templates,
)
from tests.unit.wheels import ROOT

OLDEST, NEWEST = "1.27", "1.37"
CUSTOM = {
    "ScaledObject",
    "PodMonitor",
    "PrometheusRule",
}  # of KEDA and the Prometheus operator: no schema of Kubernetes


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("case", CASES)
def test_every_object_is_valid_for_kubernetes(case: str, version: str) -> None:
    found = rendered(CASES[case])
    assert found
    for each in found:
        if each["kind"] not in CUSTOM:
            kubernetes_validate.validate(each, version, strict=True)


def test_what_is_not_valid_would_be_found() -> None:
    deployment = named(rendered({}), "Deployment", "nautes-api")
    deployment["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, NEWEST, strict=True)


def test_the_oldest_version_is_the_one_that_the_chart_names() -> None:
    assert chart().metadata["kubeVersion"] == f">={OLDEST}.0-0"


@pytest.mark.parametrize("case", CASES)
def test_helm_finds_nothing_to_say(case: str) -> None:
    report = helm_python.lint(CHART, merged(MINIMUM, CASES[case]), strict=True)
    messages = [each for each in report["messages"] if each["error"] != "icon is recommended"]
    assert (messages, report["errors"]) == ([], [])


@pytest.mark.parametrize("case", CASES)
def test_no_two_objects_have_one_name_and_none_has_a_namespace_of_its_own(case: str) -> None:
    found = rendered(CASES[case])
    keys = [(each["kind"], each["metadata"]["name"]) for each in found]
    assert len(set(keys)) == len(keys)
    assert not any("namespace" in each["metadata"] for each in found)


def test_all_that_was_asked_for_is_there() -> None:
    kinds = {each["kind"] for each in rendered(EVERYTHING)}
    assert kinds == CUSTOM | {
        "ConfigMap",
        "Deployment",
        "Ingress",
        "Job",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    }
    assert {each["kind"] for each in rendered(CASES["little"])} == {"Deployment", "Service", "ServiceAccount"}


def test_two_releases_in_one_namespace_share_nothing() -> None:
    one, other = rendered({}, release="nautes"), rendered({}, release="second")
    assert not {each["metadata"]["name"] for each in one} & {each["metadata"]["name"] for each in other}
    [selector] = [each["spec"]["selector"]["matchLabels"] for each in of_kind(one, "Deployment") if "api" in str(each)][
        :1
    ]
    assert not any(selector.items() <= each["metadata"]["labels"].items() for each in templates(other))


def test_alerts_and_dashboard_are_those_of_the_repository() -> None:
    for name, original in (("alerts.yaml", "prometheus/alerts.yaml"), ("dashboard.json", "grafana/nautes.json")):
        copy = (CHART / "files" / name).read_bytes()
        assert copy == (ROOT / "deploy" / original).read_bytes(), "make chart copies it"
    found = rendered(EVERYTHING)
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())
    assert named(found, "PrometheusRule", "nautes")["spec"] == alerts
    dashboard = named(found, "ConfigMap", "nautes-dashboard")["data"]["nautes.json"]
    assert json.loads(dashboard) == json.loads((ROOT / "deploy/grafana/nautes.json").read_text())


def test_a_packaged_chart_renders_the_same(tmp_path: Path) -> None:
    archive = helm_python.Chart.load_archive(Path(chart().save(tmp_path)).read_bytes())
    values = merged(MINIMUM, EVERYTHING)
    assert objects(archive.render(values, name="nautes", namespace="nautes")) == rendered(EVERYTHING)


def test_the_chart_has_the_version_of_the_platform() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version and chart().metadata["version"] == chart().metadata["appVersion"] == version[1]


@pytest.mark.parametrize("case", CASES)
def test_the_groups_of_workers_serve_every_queue(case: str) -> None:
    served = [queue for each in commands(rendered(CASES[case])).values() for queue in worker.arguments(each)]
    assert sorted(served) == sorted(worker.arguments([]))


def queries_of(found: list[Object]) -> list[str]:
    """What KEDA asks Prometheus."""
    scaled = of_kind(found, "ScaledObject")
    return [one["metadata"]["query"] for each in scaled for one in each["spec"]["triggers"]]


def test_metrics_of_api_and_workers_are_scraped_under_the_names_that_the_dashboard_expects() -> None:
    found = rendered(EVERYTHING)
    for name in ("nautes-api", "nautes-worker"):
        monitor = named(found, "PodMonitor", name)["spec"]
        [endpoint] = monitor["podMetricsEndpoints"]
        assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": name}]
        chosen = [
            each
            for each in templates(found)
            if monitor["selector"]["matchLabels"].items() <= each["metadata"]["labels"].items()
        ]
        assert chosen
        for each in chosen:
            assert endpoint["port"] in {port["name"] for port in each["spec"]["containers"][0]["ports"]}


def test_autoscaling_asks_for_the_queues_that_the_group_serves() -> None:
    found = rendered(EVERYTHING)
    for query in queries_of(found):
        promql_parser.parse(query)
        assert catalogue.BACKLOG.name in query
    assert {each for query in queries_of(found) for each in re.findall(r'queue="([^"]+)"', query)} == set(queues.ALL)
    guide = (ROOT / "docs" / "install-kubernetes.md").read_text()
    assert re.findall(r"metricsQuery: (.+)", guide) == [each for each in queries_of(found) if "nautes/gitlab" in each]
    external = of_kind(rendered(CASES["adapter"]), "HorizontalPodAutoscaler")[0]["spec"]["metrics"]
    assert {each["external"]["metric"]["name"] for each in external} == {
        f"nautes_queue_backlog_{each}" for each in ("workflows", "gitlab", "clusters", "observe")
    }


@pytest.mark.parametrize("case", ["everything", "adapter"])
def test_an_autoscaled_deployment_leaves_its_replicas_to_the_autoscaler(case: str) -> None:
    found = rendered(CASES[case])
    scaled = {
        each["spec"]["scaleTargetRef"]["name"]
        for kind in ("ScaledObject", "HorizontalPodAutoscaler")
        for each in of_kind(found, kind)
    }
    without = {each["metadata"]["name"] for each in of_kind(found, "Deployment") if "replicas" not in each["spec"]}
    assert scaled == without and scaled


@pytest.mark.parametrize("case", ["defaults", "everything", "split queues"])
def test_every_deployment_has_its_disruption_budget(case: str) -> None:
    found = rendered(CASES[case])
    budgets = {each["metadata"]["name"]: each["spec"] for each in of_kind(found, "PodDisruptionBudget")}
    deployments = {each["metadata"]["name"]: each["spec"] for each in of_kind(found, "Deployment")}
    assert set(budgets) == set(deployments)
    for name, budget in budgets.items():
        assert budget["selector"] == deployments[name]["selector"]
        assert (budget["maxUnavailable"], deployments[name].get("replicas", 2) >= 2) == (1, True)
