"""What the chart refuses: unknown values, wrong ones, and combinations that would leave work undone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from helm_python import HelmError, HelmRenderError, HelmValuesError

import worker
from nautes.clients.settings import Settings
from tests.unit.helm.charts import (
    CASES,
    CHART,
    EVERYTHING,
    MINIMUM,
    chart,
    commands,
    environment,
    merged,
    named,
    of_kind,
    rendered,
    templates,
)
from tests.unit.wheels import ROOT

VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
# Objects whose keys are a person's or of Kubernetes, or that name settings of ours, which the schema lists.
OPEN = {"tracing", "nodeSelector", "labels", "annotations", "requests", "limits"}
KNOWN = {f"NAUTES_{field.upper()}" for field in Settings.model_fields}


def places(values: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every object in the values that has a fixed set of keys."""
    yield path
    for key, value in values.items():
        if isinstance(value, dict) and key not in OPEN:
            yield from places(value, (*path, key))


def at(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Values with one thing in them."""
    for key in reversed(path):
        value = {key: value}
    return dict(value)


@pytest.mark.parametrize("path", list(places(VALUES)), ids=".".join)
def test_a_misspelt_value_is_refused_wherever_it_is(path: tuple[str, ...]) -> None:
    with pytest.raises(HelmValuesError, match="mispelt"):
        rendered(at((*path, "mispelt"), "x"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("image.tag", "latest"),
        ("image.digest", "sha256:1"),
        ("build.id", "a b"),
        ("api.replicas", 1),
        ("api.url", "nautes.example.com"),
        ("gitlab.url", "https://user:secret@gitlab.example.com"),
        ("temporal.address", "https://temporal.example.com"),
        ("temporal.tls.enabled", "yes"),
        ("workers.all.queues", ["gitlabs"]),
        ("workers.all.queues", []),
        ("workers.Upper", {"queues": ["gitlab"]}),
        ("previousBuilds", [{"tag": "0.1.0"}]),
        ("previousBuilds", [{"id": "0.1.0", "tag": "latest"}]),
        ("api.ingress", {"enabled": True}),
        ("settings", {"gitlab_token": "secret"}),
        ("settings", {"allow_loopback": True}),
        ("tracing", {"PATH": "x"}),
        ("codec.secret", "Not A Name"),
    ],
)
def test_a_wrong_value_is_refused(path: str, value: Any) -> None:
    with pytest.raises(HelmValuesError, match=path.rpartition(".")[2]):
        rendered(at(tuple(path.split(".")), value))


@pytest.mark.parametrize("path", ["temporal.address", "gitlab.url", "vault.address", "api.url"])
def test_what_has_to_be_given_is_asked_for(path: str) -> None:
    system, key = path.split(".")
    with pytest.raises(HelmValuesError, match=f"/{system}/{key}"):
        chart().render({**MINIMUM, system: {}}, name="nautes", namespace="nautes")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"workers": {"all": {"queues": ["workflows", "gitlab", "clusters"]}}}, "no group serves the queue observe"),
        ({"previousBuilds": [{"id": "0.1.0", "tag": "0.1.0"}]}, "0.1.0 is the build that is rolled out"),
        ({"previousBuilds": [{"id": "0.0.9"}]}, "0.0.9 has neither a tag nor a digest"),
        ({"workerDefaults": {"autoscaling": {"enabled": True}}}, "autoscaling.prometheus"),
    ],
)
def test_what_would_leave_work_undone_is_refused(values: dict[str, Any], why: str) -> None:
    with pytest.raises(HelmRenderError, match=why):
        rendered(values)


def test_a_queue_may_be_served_elsewhere() -> None:
    values = {"workers": {"all": {"queues": ["workflows", "gitlab", "observe"]}}, "queuesElsewhere": ["clusters"]}
    assert worker.arguments(commands(rendered(values))["all"]) == ["", "gitlab", "observe"]


def test_the_schema_describes_the_values_and_no_others() -> None:
    def compared(values: dict[str, Any], schema: dict[str, Any], path: str) -> None:
        described = set(schema.get("properties", {}))
        assert set(values) == described - {"global"}, path
        for key, value in values.items():
            inner = schema["properties"][key]
            if isinstance(value, dict) and key not in OPEN | {"workers", "settings", "resources"}:
                assert inner["additionalProperties"] is False, f"{path}.{key}"
                compared(value, inner, f"{path}.{key}")

    compared(VALUES, SCHEMA, "")


def test_more_settings_are_those_of_ours_that_the_chart_does_not_make_itself() -> None:
    made = {
        name
        for case in CASES.values()
        for each in templates(rendered({**case, "settings": {}}))
        for name in environment(each)
    }
    may = {f"NAUTES_{each.upper()}" for each in SCHEMA["properties"]["settings"]["properties"]}
    assert may == KNOWN - made - {"NAUTES_ALLOW_LOOPBACK", "NAUTES_COMMIT", "NAUTES_BUILD_ID"}, (
        "that is the sandbox's, and the image's"
    )


@pytest.mark.parametrize("case", CASES)
def test_every_variable_is_known(case: str) -> None:
    for each in templates(rendered(CASES[case])):
        names = {name for name in environment(each) if name.startswith("NAUTES_")}
        assert names <= KNOWN
        Settings.model_validate(
            {name.removeprefix("NAUTES_").lower(): value for name, value in environment(each).items()}
        )


def test_settings_reach_api_and_workers() -> None:
    for each in templates(rendered(EVERYTHING)):
        given = environment(each)
        assert (given["NAUTES_SWEEP_SECONDS"], given["NAUTES_GITLAB_SHARE"]) == ("60", "0.5")
        assert given["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4318"


def builds(values: dict[str, Any]) -> dict[str, str]:
    """Build -> image of its workers."""
    found = [
        each for each in of_kind(rendered(values), "Deployment") if "nautes.io/build" in each["metadata"]["labels"]
    ]
    for each in found:
        build = each["metadata"]["labels"]["nautes.io/build"]
        assert environment(each["spec"]["template"])["NAUTES_BUILD_ID"] == build
        assert each["spec"]["selector"]["matchLabels"]["nautes.io/build"] == build
    return {
        each["metadata"]["labels"]["nautes.io/build"]: each["spec"]["template"]["spec"]["containers"][0]["image"]
        for each in found
    }


def test_a_build_is_called_after_its_image_unless_it_is_given() -> None:
    digest = "sha256:" + "ab" * 32
    assert builds({}) == {"0.1.0": "nautes:0.1.0"}
    assert builds({"image": {"tag": "0.2.0-5e37a00c1d2e"}}) == {"0.2.0-5e37a00c1d2e": "nautes:0.2.0-5e37a00c1d2e"}
    assert builds({"image": {"digest": digest}}) == {"abababababab": f"nautes@{digest}"}
    assert builds({"build": {"id": "12e4"}}) == {"12e4": "nautes:0.1.0"}


def test_workers_of_a_build_stay_beside_the_new_ones_until_it_is_drained() -> None:
    old = {"id": "0.1.0-75a62411b0aa", "tag": "0.1.0"}
    before = rendered({"image": {"tag": "0.1.0"}, "build": {"id": old["id"]}})
    beside = {"image": {"tag": "0.2.0"}, "previousBuilds": [old]}
    assert builds(beside) == {"0.2.0": "nautes:0.2.0", old["id"]: "nautes:0.1.0"}
    name = next(
        each["metadata"]["name"] for each in of_kind(before, "Deployment") if "worker" in each["metadata"]["name"]
    )
    assert named(before, "Deployment", name) == named(rendered(beside), "Deployment", name), "no pod of it is replaced"
    assert builds({**beside, "previousBuilds": [{**old, "drained": True}]}) == {"0.2.0": "nautes:0.2.0"}


def test_the_roll_out_runs_in_the_new_image_after_the_workers_are_there() -> None:
    job = named(rendered(EVERYTHING), "Job", "nautes-rollout")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "post-install,post-upgrade"
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["nautes-rollout", "--timeout", "240", "--rate", "20"]
    assert container["image"] == "nautes@" + EVERYTHING["image"]["digest"]
    assert environment(job["spec"]["template"])["NAUTES_BUILD_ID"] == "0123456789ab"
    [rule] = job["spec"]["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [1])
    assert of_kind(rendered({"rollout": {"enabled": False}}), "Job") == []


def test_the_values_in_the_documents_are_accepted() -> None:
    text = (ROOT / "docs" / "install-kubernetes.md").read_text()
    blocks = re.findall(r"```yaml\n# values[^\n]*\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        try:
            assert chart().render(merged(MINIMUM, yaml.safe_load(block)), name="nautes", namespace="nautes")
        except HelmError as error:
            raise AssertionError(block) from error
