"""The metrics of Temporal's SDK: slots, pollers, latencies, and what workflow code counts through its meter.

The SDK serves them itself, from a port of its own on loopback that nobody else has to know: operations.py reads them there and
puts them beside ours, so that a process has one address to scrape.
"""

from __future__ import annotations

import logging
import socket

import httpx2
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from nautes.telemetry import catalogue

ATTEMPTS = 5  # to find a free port: another process may take it in between
WITHIN = 2.0  # seconds


class SdkMetrics:
    """The default runtime of this process from now on. To be made before the first connection to Temporal."""

    def __init__(self) -> None:
        port, runtime = _started()
        Runtime.set_default(runtime, error_if_already_set=False)
        self._url = f"http://127.0.0.1:{port}/metrics"

    async def text(self) -> str:
        """What Prometheus would scrape. Raises httpx2.HTTPError."""
        async with httpx2.AsyncClient(timeout=WITHIN, trust_env=False) as client:
            return (await client.get(self._url)).text


def _started() -> tuple[int, Runtime]:
    for _ in range(ATTEMPTS - 1):
        port = _free_port()
        try:
            return port, _runtime(port)
        except ValueError:  # the port is taken
            continue
    port = _free_port()
    return port, _runtime(port)


def _runtime(port: int) -> Runtime:
    metrics = PrometheusConfig(
        bind_address=f"127.0.0.1:{port}",
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides={
            each.stem: each.buckets for each in catalogue.ALL if each.by_workflow and each.buckets
        },
    )
    # Core's own log goes where ours goes, in the same form.
    forwarding = LogForwardingConfig(logging.getLogger("temporalio.core"), append_log_fields_to_message=False)
    logs = LoggingConfig(TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding)
    return Runtime(telemetry=TelemetryConfig(logging=logs, metrics=metrics, attach_service_name=False))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
