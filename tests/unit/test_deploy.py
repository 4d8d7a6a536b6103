"""What deploy/ holds, carried out where that needs no container engine: OpenBao's first start, Temporal's namespace."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from nautes.messages import search
from nautes_sandbox import openbao, temporal
from nautes_sandbox.process import Service, Supervisor, free_ports, is_listening
from tests.unit.test_compose import DEPLOY, ROOT


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    found = Supervisor(tmp_path / "run")
    yield found
    for name in found.running():
        found.stop(name)


def test_openbao_starts_once_and_lets_both_in_with_what_they_may(supervisor: Supervisor, tmp_path: Path) -> None:
    secrets, port = tmp_path / "secrets", free_ports(2)[0]
    subprocess.run([str(DEPLOY / "secrets.sh"), str(secrets)], check=True, capture_output=True)
    config = (DEPLOY / "openbao" / "openbao.hcl").read_text()
    for place, here in {
        "/run/secrets": str(secrets),
        "/openbao/policies": str(DEPLOY / "openbao" / "policies"),
        "/openbao/file": str(tmp_path / "data"),
        "/openbao/logs": str(tmp_path),
        "0.0.0.0:8200": f"127.0.0.1:{port}",
        "0.0.0.0:8201": f"127.0.0.1:{port + 1}",
        "openbao:8200": f"127.0.0.1:{port}",
        "openbao:8201": f"127.0.0.1:{port + 1}",
    }.items():
        assert place in config
        config = config.replace(place, here)
    (tmp_path / "data").mkdir()
    (tmp_path / "openbao.hcl").write_text(config)
    url = f"http://127.0.0.1:{port}/v1"

    def log_in(role: str, file: str) -> httpx2.Response:
        body = {"role_id": role, "secret_id": (secrets / file).read_text()}
        return httpx2.post(f"{url}/auth/approle/login", json=body, timeout=5)

    def ready() -> bool:
        try:
            return log_in("nautes-api", "vault_api_secret_id").status_code == 200
        except httpx2.HTTPError:
            return False

    command = [openbao.binary(), "server", f"-config={tmp_path / 'openbao.hcl'}"]
    service = Service("openbao", command, ports=(port, port + 1), ready=ready)
    for start in ("the first", "the second"):
        supervisor.start(service)
        for role, file in (("nautes", "vault_secret_id"), ("nautes-api", "vault_api_secret_id")):
            answer = log_in(role, file)
            assert answer.status_code == 200, (start, answer.text)
            assert sorted(answer.json()["auth"]["policies"]) == sorted(["default", role])
            policy = httpx2.get(f"{url}/sys/mounts", headers={"X-Vault-Token": answer.json()["auth"]["client_token"]})
            assert policy.status_code == (200 if role == "nautes" else 403), start
        assert log_in("nautes", "vault_api_secret_id").status_code == 400
        supervisor.stop("openbao")


@pytest.fixture
def address(supervisor: Supervisor, tmp_path: Path) -> str:
    """A Temporal server that knows nothing of us."""
    port, ui = free_ports(2)
    command = [temporal.binary(), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--headless"]
    ready = temporal.service(tmp_path / "unused", port, ui).ready
    supervisor.start(Service("temporal", command, ports=(port,), ready=lambda: is_listening(port) and ready()))
    return f"127.0.0.1:{port}"


def environment(address: str) -> dict[str, str]:
    path = f"{Path(temporal.binary()).parent}:{os.environ['PATH']}"
    return {"PATH": path, "TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": os.devnull, "PYTHONPATH": str(ROOT)}


def test_temporals_namespace_has_what_workflows_need_however_often_it_is_made(address: str) -> None:
    given = environment(address)
    for namespace in ("default", "default", "another"):
        command = [str(DEPLOY / "temporal" / "namespace.sh"), namespace]
        done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        listing = ["temporal", "operator", "search-attribute", "list", "--namespace", namespace, "-o", "json"]
        listed = json.loads(subprocess.run(listing, env=given, capture_output=True, check=True).stdout)
        assert {each.name: "Keyword" for each in search.ALL}.items() <= _attributes(listed).items()
        looked = ["temporal", "operator", "namespace", "describe", "--namespace", namespace, "-o", "json"]
        found = json.loads(subprocess.run(looked, env=given, capture_output=True, check=True).stdout)
        assert found["config"]["workflowExecutionRetentionTtl"] == "2592000s"


def _attributes(listed: object) -> dict[str, str]:
    if isinstance(listed, list):
        return {each["name"]: each["type"] for each in listed}
    assert isinstance(listed, dict)
    custom = listed.get("customAttributes", listed)
    return {name: str(kind).replace("INDEXED_VALUE_TYPE_", "").title() for name, kind in custom.items()}
