"""What the chart renders, started: it gets ready, and an upgrade goes over to the new build while the old workers run."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nautes_sandbox.process import Supervisor
from nautes_sandbox.world import World
from tests.integration.helm.pods import Pod
from tests.unit.helm.charts import Object, merged, of_kind, rendered

GROUPS = {"all": None, "light": {"queues": ["workflows", "gitlab"]}, "heavy": {"queues": ["clusters", "observe"]}}
OLD = {"id": "0.0.9", "tag": "0.0.9"}
WITHIN = 120  # seconds


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    found = Supervisor(tmp_path / "run")
    yield found
    for name in found.running():
        found.stop(name)


@pytest.fixture
def values(world: World) -> dict[str, Any]:
    """The addresses of the world; payloads are encrypted."""
    worker, api = (world.environment(role)["NAUTES_VAULT_ROLE_ID"] for role in ("nautes", "nautes-api"))
    return {
        "temporal": {"address": world.temporal_address},
        "gitlab": {"url": world.gitlab_url},
        "vault": {"address": world.vault_url, "worker": {"roleId": worker}, "api": {"roleId": api}},
        "api": {"url": world.api_url},
        "workers": GROUPS,
        "settings": {"sweep_seconds": 2, "heartbeat_seconds": 2},  # both are waited for by a roll-out
    }


@pytest.fixture
def secrets(world: World) -> dict[str, dict[str, str]]:
    """What an operator makes before the installation (docs/install-kubernetes.md)."""
    worker, api = world.environment("nautes"), world.environment("nautes-api")
    return {
        "nautes-gitlab": {"token": Path(worker["NAUTES_GITLAB_TOKEN_FILE"]).read_text()},
        "nautes-vault": {"secret-id": Path(worker["NAUTES_VAULT_SECRET_ID_FILE"]).read_text()},
        "nautes-vault-api": {"secret-id": Path(api["NAUTES_VAULT_SECRET_ID_FILE"]).read_text()},
        "nautes-codec": {"first": base64.b64encode(os.urandom(32)).decode()},
    }


def test_an_installation_gets_ready_and_an_upgrade_drains_the_old_build(
    supervisor: Supervisor, values: dict[str, Any], secrets: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    def pods(found: list[Object], kind: str = "Deployment") -> dict[str, Pod]:
        """One pod of each object that does not run yet."""
        templates = {each["metadata"]["name"]: each["spec"]["template"] for each in of_kind(found, kind)}
        return {
            name: Pod(name, template, tmp_path / "pods", secrets)
            for name, template in templates.items()
            if name not in supervisor.running()
        }

    def rolled_out(found: list[Object], step: str) -> str:
        [template] = [each["spec"]["template"] for each in of_kind(found, "Job")]
        done = Pod(f"rollout-{step}", template, tmp_path / "pods", secrets).run(WITHIN)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    first = rendered(merged(values, {"image": {"tag": OLD["tag"]}}))
    installed = pods(first)
    assert len(installed) == 3
    for each in sorted(installed.values(), key=lambda pod: "light" not in pod.name):
        supervisor.start(each.service())
        assert each.asked("livenessProbe").status_code == 200
    assert "0.0.9 was current already" in rolled_out(first, "first")

    second = rendered(merged(values, {"previousBuilds": [OLD]}))
    added = pods(second)
    assert len(added) == 2 and not set(added) & set(installed), (
        "the old workers are left alone, and the API's name stays"
    )
    for each in added.values():
        supervisor.start(each.service())
    said = rolled_out(second, "second")
    assert "0.1.0 is current, 0.0.9 was before" in said and "all other builds are drained" in said

    third = rendered(merged(values, {"previousBuilds": [{**OLD, "drained": True}]}))
    left = {each["metadata"]["name"] for each in of_kind(third, "Deployment")}
    for name in set(supervisor.running()) - left:
        supervisor.stop(name)
    assert len(supervisor.running()) == 3
    assert all(each.ready() for name, each in {**installed, **added}.items() if name in left)
    assert "0.1.0 was current already" in rolled_out(third, "third")
