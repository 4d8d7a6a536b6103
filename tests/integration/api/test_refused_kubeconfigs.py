"""Kubeconfigs the platform does not take: refused with the reason, and Vault keeps nothing of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from nautes_sandbox.process import free_port
from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import Cli, document, nothing_left, problem
from tests.worlds import best_flavour

SECRET = "a-token-nobody-may-read-0123456789"


def _of_world(shop: Scenario, **user: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(shop.world.kubeconfig_to_register("deploy"))
    if user:
        found["users"][0]["user"] = user
    return found


def _not_yaml(shop: Scenario) -> str:
    return f"{{[{SECRET}"


def _runs_a_program(shop: Scenario) -> str:
    command = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh", "args": ["-c", SECRET]}
    return yaml.safe_dump(_of_world(shop, exec=command))


def _reads_a_file(shop: Scenario) -> str:
    return yaml.safe_dump(_of_world(shop, tokenFile="/etc/passwd"))


def _goes_nowhere(shop: Scenario) -> str:
    found = _of_world(shop, token=SECRET)
    found["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_port()}"
    return yaml.safe_dump(found)


def _wrong_token(shop: Scenario) -> str:
    return yaml.safe_dump(_of_world(shop, token=SECRET))


def _without_rights(shop: Scenario) -> str:
    if not shop.kubectl("deploy", "get", "serviceaccounts", "-n", "default", "-l", "api=test")["items"]:
        shop.kubectl("deploy", "create", "serviceaccount", "nobody", "-n", "default")
        shop.kubectl("deploy", "label", "serviceaccount", "nobody", "-n", "default", "api=test")
    issued = shop.kubectl("deploy", "create", "token", "nobody", "-n", "default")
    return yaml.safe_dump(_of_world(shop, token=issued["status"]["token"]))


CASES: dict[str, tuple[Callable[[Scenario], str], str, str]] = {
    "not YAML": (_not_yaml, "kubeconfig-malformed", "kubeconfig"),
    "runs a program": (_runs_a_program, "kubeconfig-exec", "exec"),
    "reads a file": (_reads_a_file, "kubeconfig-file", "tokenFile"),
    "cannot be reached": (_goes_nowhere, "cluster-unreachable", "cannot be reached"),
}
if best_flavour() == "real":  # the stand-in knows one user, who may do everything
    CASES["lacks rights"] = (_without_rights, "cluster-rights", "create namespaces")


def _manifest(kubeconfig: str) -> str:
    try:
        server = yaml.safe_load(kubeconfig)["clusters"][0]["cluster"]["server"]
    except yaml.YAMLError:
        server = "https://127.0.0.1:6443"
    return document(
        "Cluster",
        name="refused",
        apiServer=server,
        clusterKind="kubernetes",
        clusterType="physical",
        usage="worker",
        workerType="deployment",
        kubeconfig=kubeconfig,
    )


@pytest.mark.parametrize("case", CASES)
def test_a_kubeconfig_is_refused_and_forgotten(shop: Scenario, case: str) -> None:
    make, code, says = CASES[case]
    text = _manifest(make(shop))
    with nothing_left(shop):
        answer = shop.api("POST", "/api/v1/apply", "platform", content=text, params={"wait": 60})
        found = problem(answer, 422, code)
    assert says in found["detail"]
    assert found["findings"][0]["pointer"] == "/spec/kubeconfig"
    assert SECRET not in answer.text
    listed = shop.api("GET", "/api/v1/clusters", "platform").json()["items"]
    assert "refused" not in {each["name"] for each in listed}


def test_the_command_line_says_why_a_kubeconfig_is_refused(shop: Scenario, cli: Cli) -> None:
    with nothing_left(shop):
        ended = cli("platform", "apply", "-f", "-", stdin=_manifest(_runs_a_program(shop)))
    assert (ended.code, ended.out) == (1, "")
    assert "kubeconfig-exec" in ended.err
    assert SECRET not in ended.err


def test_a_repeated_registration_leaves_no_staged_kubeconfig(shop: Scenario) -> None:
    text = _manifest(_runs_a_program(shop))
    key = {"Idempotency-Key": "the same registration"}
    with nothing_left(shop):
        answers = [shop.api("POST", "/api/v1/apply", "platform", content=text, headers=key) for _ in range(2)]
        first, second = (problem(each, 422, "kubeconfig-exec") for each in answers)
    assert first["operation"] == second["operation"]


def test_a_plan_for_a_cluster_is_refused_alike_and_keeps_nothing(shop: Scenario) -> None:
    text = _manifest(_runs_a_program(shop))
    with nothing_left(shop):
        answer = shop.api("POST", "/api/v1/plan", "platform", content=text)
    problem(answer, 422, "kubeconfig-exec")
