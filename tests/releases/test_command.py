"""Command and workers as an operator starts them: processes of two builds, and a tenant that never gets on, without a Vault."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from temporalio.client import Client

from nautes.messages import ids
from nautes_sandbox.process import Service, Supervisor, free_port, minimal_environment
from tests.unit.wheels import ROOT
from tests.workflow.platform import connect, server, until


class Operator:
    """Starts workers of builds, and the command."""

    def __init__(self, address: str, directory: Path) -> None:
        self.address, self._directory = address, directory
        self.supervisor = Supervisor(directory / "run")
        for name in ("gitlab-token", "secret-id"):
            (directory / name).write_text("nothing\n")

    def environment(self, build: str) -> dict[str, str]:
        nowhere = f"http://127.0.0.1:{free_port()}"
        return {
            "PYTHONPATH": f"{ROOT}:{ROOT / 'sandbox'}",
            "TEMPORAL_ADDRESS": self.address,
            "NAUTES_GITLAB_URL": nowhere,
            "NAUTES_GITLAB_TOKEN_FILE": str(self._directory / "gitlab-token"),
            "NAUTES_VAULT_ADDR": nowhere,
            "NAUTES_VAULT_ROLE_ID": "nautes",
            "NAUTES_VAULT_SECRET_ID_FILE": str(self._directory / "secret-id"),
            "NAUTES_STATE_DIR": str(self._directory / "state"),
            "NAUTES_WORKER_METRICS_PORT": "0",  # off: two of them run side by side here
            "NAUTES_BUILD_ID": build,
        }

    async def work(self, build: str) -> None:
        """A worker of this build, which is ready."""
        log = self.supervisor.log(f"worker-{build}")

        def ready() -> bool:
            return log.exists() and f"worker {self.supervisor.pid(f'worker-{build}')} is ready" in log.read_text()

        service = Service(f"worker-{build}", [sys.executable, "-m", "worker"], env=self.environment(build), ready=ready)
        await asyncio.to_thread(self.supervisor.start, service)

    async def roll_out(self, build: str, arguments: Sequence[str] = ()) -> tuple[int, str]:
        """Exit code and output of the command in the image of `build`."""
        command = [sys.executable, "-m", "nautes.rollout", *arguments]
        given = {**minimal_environment(), **self.environment(build)}
        done = await asyncio.to_thread(
            subprocess.run, command, env=given, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False
        )
        return done.returncode, f"{done.stdout}{done.stderr}"

    def close(self) -> None:
        for build in ("0.1.0-a", "0.2.0-b"):
            self.supervisor.stop(f"worker-{build}", kill=True)


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    with server(tmp_path) as address:  # its own: the task queue is that of the product
        found = Operator(address, tmp_path)
        try:
            yield found
        finally:
            found.close()


async def test_an_operator_rolls_out_and_goes_back(operator: Operator) -> None:
    old, new = "0.1.0-a", "0.2.0-b"
    client = await connect(operator.address)
    assert await operator.roll_out(old, ["status"]) == (0, "no worker has ever run\n")
    await operator.work(old)
    assert await _tenant(client, old), "the first worker's build is current without anybody's doing"
    await operator.work(new)
    assert await _tenant(client, old), "and stays so"

    code, text = await operator.roll_out(new)
    assert (code, "all other builds are drained" in text) == (0, True), text
    assert f"{new} is current, {old} was before" in text and "long-lived workflows woken: 1" in text
    assert await _tenant(client, new)
    code, text = await operator.roll_out(new)
    assert (code, f"{new} was current already" in text) == (0, True), text
    code, text = await operator.roll_out(old, ["status"])
    assert code == 0
    assert [each.split()[:2] for each in text.splitlines()] == [[old, "drained"], [new, "current"]]
    assert f"{new}  current" in text and "workflows: 1" in text

    code, text = await operator.roll_out(new, ["--to", old])
    assert (code, f"{old} is current, {new} was before" in text) == (0, True), text
    assert await _tenant(client, old)


async def test_what_does_not_go_over_is_named(operator: Operator) -> None:
    """A worker that does not run any more: what was begun on its build waits there for it."""
    old, new = "0.1.0-a", "0.2.0-b"
    client = await connect(operator.address)
    await operator.work(old)
    await _tenant(client, old)
    await operator.work(new)
    operator.supervisor.stop(f"worker-{old}", kill=True)
    code, text = await operator.roll_out(new, ["--timeout", "3"])
    assert code == 1
    assert f"on {old}: 1 Tenant" in text and "  tenant  Installing  since 2" in text
    code, text = await operator.roll_out(new, ["status"])
    assert f"on {old}: 1 Tenant" in text
    await operator.work(old)
    code, text = await operator.roll_out(new)
    assert code == 0, text


async def _tenant(client: Client, build: str) -> bool:
    """Wait until the tenant's workflow is on this build."""

    async def is_there() -> bool:
        found = await client.get_workflow_handle(ids.TENANT).describe()
        return found.raw_description.workflow_execution_info.versioning_info.deployment_version.build_id == build

    return bool(await until(is_there, f"the tenant on {build}"))
