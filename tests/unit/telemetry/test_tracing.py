"""Traces: off unless OpenTelemetry's own variables ask for them, and addresses without what may be secret."""

from __future__ import annotations

import contextvars
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry import context

from nautes.telemetry import tracing

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "nautes"}, False),
        ({"NAUTES_TRACES": "on"}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", **ENDPOINT}, False),
        ({"OTEL_SDK_DISABLED": "true", **ENDPOINT}, False),
        ({"OTEL_SDK_DISABLED": "false", **ENDPOINT}, True),
    ],
)
def test_only_their_own_variables_switch_traces_on(environment: dict[str, str], wanted: bool) -> None:
    assert tracing.wanted(environment) is wanted


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://gitlab/api/v4/projects?private_token=x#y", "http://gitlab/api/v4/projects"),
        ("https://nautes:hunter2@gitlab:8443/a.git", "https://gitlab:8443/a.git"),
        ("/v1/cluster/data/kubernetes/edge?version=3", "/v1/cluster/data/kubernetes/edge"),
        ("", ""),
    ],
)
def test_an_address_is_told_without_query_and_credentials(given: str, kept: str) -> None:
    assert tracing.without_query(given) == kept


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]
)
def test_what_is_not_built_in_is_refused_at_the_start(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, each in {**ENDPOINT, name: value}.items():
        monkeypatch.setenv(key, each)
    with pytest.raises(ValueError, match=f"{name}: {value}"), tracing.recorded("nautes-test"):
        pass


def test_nothing_of_the_sdk_is_loaded_while_traces_are_off() -> None:
    code = "import sys, worker, api.app; print([m for m in sys.modules if m.startswith('opentelemetry.sdk')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_is_kept_while_nothing_is_recorded() -> None:
    assert tracing.trace_id() == ""
    with tracing.span("nothing is recorded", **{"server.address": "gitlab"}):
        assert tracing.trace_id() == "" and tracing.plugins() == [] and tracing.here() is None


def test_a_trace_that_was_kept_is_gone_on_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_on", True)
    outside = tracing.here()
    kept = context.set_value("of the request", 7)
    with tracing.within(kept), tracing.within(None):
        assert tracing.here() is kept
    assert tracing.here() is outside


def test_one_that_is_taken_down_elsewhere_is_left_in_peace(caplog: pytest.LogCaptureFixture) -> None:
    """As a workflow is that is evicted: its generators are closed outside of the task that had begun them."""

    def work() -> Iterator[None]:
        with tracing.within(context.set_value("of the request", 7)):
            yield

    abandoned = work()
    contextvars.copy_context().run(next, abandoned)
    abandoned.close()  # type: ignore[attr-defined]
    assert caplog.records == []
