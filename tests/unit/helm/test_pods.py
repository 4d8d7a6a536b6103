"""The pods of the chart: what they may, what they are given, how their health is asked for, who reaches them."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from nautes.clients.settings import Settings
from nautes.clients.temporal import options
from tests.unit.helm.charts import CASES, CHART, EVERYTHING, environment, named, of_kind, rendered, templates
from tests.unit.helm.restricted import breaches
from tests.unit.wheels import ROOT

SECRETS = {"nautes-gitlab", "nautes-vault", "nautes-vault-api", "nautes-codec", "temporal", "temporal-profile"}


@pytest.mark.parametrize("case", CASES)
def test_every_pod_keeps_to_the_restricted_standard(case: str) -> None:
    for each in templates(rendered(CASES[case])):
        assert breaches(each["spec"]) == []
        [container] = each["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("hostNetwork",), True, "hostNetwork"),
        (("volumes", 0, "hostPath"), {"path": "/"}, "volume state"),
        (("securityContext", "runAsNonRoot"), False, "runAsNonRoot"),
        (("securityContext", "seccompProfile"), {}, "seccompProfile"),
        (("containers", 0, "securityContext", "runAsUser"), 0, "runAsNonRoot"),
        (("containers", 0, "securityContext", "allowPrivilegeEscalation"), True, "allowPrivilegeEscalation"),
        (("containers", 0, "securityContext", "capabilities"), {"drop": ["NET_RAW"]}, "capabilities"),
        (("containers", 0, "ports", 0, "hostPort"), 80, "hostPort"),
    ],
)
def test_a_pod_that_does_not_would_be_found(path: tuple[str | int, ...], value: Any, said: str) -> None:
    spec = copy.deepcopy(templates(rendered({}))[0]["spec"])
    inner = spec
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert any(each.startswith(said) for each in breaches(spec))


@pytest.mark.parametrize("case", CASES)
def test_no_pod_has_a_token_of_its_cluster(case: str) -> None:
    found = rendered(CASES[case])
    accounts = {each["metadata"]["name"]: each for each in of_kind(found, "ServiceAccount")}
    assert all(each["automountServiceAccountToken"] is False for each in accounts.values())
    for each in templates(found):
        assert each["spec"]["serviceAccountName"] in accounts
        assert each["spec"]["automountServiceAccountToken"] is False
        assert each["spec"]["enableServiceLinks"] is False


@pytest.mark.parametrize("case", CASES)
def test_secrets_are_files_of_secrets_that_exist_already(case: str) -> None:
    found = rendered(CASES[case])
    assert of_kind(found, "Secret") == []
    for each in templates(found):
        [container] = each["spec"]["containers"]
        assert "envFrom" not in container and all("value" in one for one in container["env"])
        secret = [one for one in each["spec"]["volumes"] if "secret" in one]
        assert {one["secret"]["secretName"] for one in secret} <= SECRETS
        assert all(one["secret"]["defaultMode"] == 0o440 for one in secret)
        mounts = {one["name"]: one for one in container["volumeMounts"]}
        assert set(mounts) == {one["name"] for one in each["spec"]["volumes"]}
        assert all(one["readOnly"] for name, one in mounts.items() if name not in ("state", "tmp"))


def test_files_that_settings_name_are_mounted() -> None:
    for each in templates(rendered(EVERYTHING)):
        files = set()
        for volume in each["spec"]["volumes"]:
            [mount] = [one for one in each["spec"]["containers"][0]["volumeMounts"] if one["name"] == volume["name"]]
            kind = volume.get("secret") or volume.get("configMap") or {}
            files |= {f"{mount['mountPath']}/{item['path']}" for item in kind.get("items", [])} | {mount["mountPath"]}
        named = {
            value for name, value in environment(each).items() if name.endswith(("_FILE", "_PATH", "_DIR", "_BUNDLE"))
        }
        assert named and named <= files


def test_the_api_has_no_token_of_the_platform_for_gitlab() -> None:
    api = named(rendered({}), "Deployment", "nautes-api")["spec"]["template"]
    assert "NAUTES_GITLAB_TOKEN_FILE" not in environment(api)
    assert {one["secret"]["secretName"] for one in api["spec"]["volumes"] if "secret" in one} == {
        "nautes-vault-api",
        "nautes-codec",
    }


def test_the_connection_to_temporal_is_as_the_values_say() -> None:
    given = environment(templates(rendered({"temporal": {"namespace": "platform", "tls": {"enabled": True}}}))[0])
    found = options({name: value for name, value in given.items() if name.startswith("TEMPORAL_")})
    assert (found.get("target_host"), found.get("namespace")) == ("temporal.example.com:7233", "platform")
    assert found.get("tls")
    plain = options({n: v for n, v in environment(templates(rendered({}))[0]).items() if n.startswith("TEMPORAL_")})
    assert not plain.get("tls")


def test_probes_ask_what_the_operators_guide_says() -> None:
    guide = (ROOT / "docs" / "operate.md").read_text()
    for name, who, port in (("nautes-api", "API", "http"), ("nautes-worker", "worker", "metrics")):
        [asked] = re.findall(rf"^\| readiness of the {who} \| `([^`]+)` \|", guide, re.MULTILINE)
        [container] = named(rendered({}), "Deployment", name)["spec"]["template"]["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"] == {"path": asked, "port": port}
        for probe in ("livenessProbe", "startupProbe"):
            assert container[probe]["httpGet"] == {"path": "/healthz", "port": port}


def test_ports_are_those_that_the_processes_listen_on() -> None:
    for each in templates(rendered({"rollout": {"enabled": False}})):
        given = {name.removeprefix("NAUTES_").lower(): value for name, value in environment(each).items()}
        settings = Settings.model_validate(given)
        ports = {one["name"]: one["containerPort"] for one in each["spec"]["containers"][0]["ports"]}
        if "http" in ports:
            assert ports == {"http": settings.api_port, "metrics": settings.api_metrics_port}
            assert settings.api_host == "0.0.0.0"
        else:
            assert ports == {"metrics": settings.worker_metrics_port}
        assert settings.metrics_host == "0.0.0.0"


def test_a_pod_has_longer_to_end_than_its_worker_needs() -> None:
    [needed] = re.findall(r"graceful_shutdown_timeout=timedelta\(seconds=(\d+)\)", (ROOT / "worker.py").read_text())
    for each in of_kind(rendered({}), "Deployment"):
        assert each["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 2 * int(needed)


def test_replicas_are_spread_over_zones_and_nodes() -> None:
    for each in of_kind(rendered({}), "Deployment"):
        spread = each["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert [one["topologyKey"] for one in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
        assert all(one["labelSelector"] == each["spec"]["selector"] for one in spread)


@pytest.mark.parametrize("case", ["defaults", "everything"])
def test_one_network_policy_holds_for_every_pod(case: str) -> None:
    found = rendered(CASES[case])
    for each in templates(found):
        labels = each["metadata"]["labels"].items()
        policies = [
            one
            for one in of_kind(found, "NetworkPolicy")
            if one["spec"]["podSelector"]["matchLabels"].items() <= labels
        ]
        assert len(policies) == 1
        assert policies[0]["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_only_monitoring_reads_metrics_and_only_the_api_is_called() -> None:
    found = rendered({})
    monitoring = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    metrics = {"ports": [{"port": "metrics", "protocol": "TCP"}], "from": monitoring}
    http = {"ports": [{"port": "http", "protocol": "TCP"}]}
    rules = {
        name: named(found, "NetworkPolicy", f"nautes-{name}")["spec"]["ingress"]
        for name in ("api", "worker", "rollout")
    }
    assert rules == {"api": [http, metrics], "worker": [metrics], "rollout": []}


def test_no_pod_reaches_the_metadata_service_of_a_cloud() -> None:
    for each in of_kind(rendered({}), "NetworkPolicy"):
        [blocks] = [rule["to"] for rule in each["spec"]["egress"] if "to" in rule]
        excepted = {block["ipBlock"]["cidr"]: block["ipBlock"]["except"] for block in blocks if "ipBlock" in block}
        assert "169.254.0.0/16" in excepted["0.0.0.0/0"] and "fd00:ec2::254/128" in excepted["::/0"]


def test_no_value_is_meant_for_a_secret() -> None:
    keys = re.findall(r"^\s*(\w+):", (CHART / "values.yaml").read_text(), re.MULTILINE)
    asked = {each for each in keys if re.search(r"password|token|secret|key|credential", each, re.IGNORECASE)}
    # Names of Secrets, and of entries in them.
    assert asked == {
        "tokenSecret",
        "secretIdSecret",
        "caSecret",
        "clientSecret",
        "tlsSecret",
        "imagePullSecrets",
        "secret",
        "key",
    } | {"topologyKey"}
