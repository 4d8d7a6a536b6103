"""Traces from the HTTP request through workflow and activity to the outside call, by OpenTelemetry.

Switched on by OpenTelemetry's own variables and nothing else: an endpoint (`OTEL_EXPORTER_OTLP_ENDPOINT`) or an exporter
(`OTEL_TRACES_EXPORTER`). Without them nothing but its API is imported. Spans hold no headers, no bodies and no queries.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from opentelemetry import context, trace
from opentelemetry.context import Context

if TYPE_CHECKING:
    from fastapi import FastAPI
    from opentelemetry.sdk.trace.export import SpanExporter
    from temporalio.client import Plugin

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
UNTRACED = "healthz,readyz"  # asked for every few seconds by those who watch
_QUERY = ("http.url", "http.target", "url.full", "url.query")

Trace: TypeAlias = Context  # where in which trace something happens

context.get_current()  # finds its implementation now: within the sandbox of workflow code it could not read a file
_tracer = trace.get_tracer("nautes")
_on = False


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the environment asks for traces."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or _exporters(environment) == ["none"]:
        return False
    return bool(_exporters(environment) or any(environment.get(each) for each in ENDPOINTS))


def _exporters(environment: Mapping[str, str]) -> list[str]:
    named = environment.get("OTEL_TRACES_EXPORTER", "")
    return [each.strip() for each in named.split(",") if each.strip()]


@contextmanager
def recorded(service: str) -> Iterator[None]:
    """Record and export spans within this block, where the environment asks for it. `service`: our name, unless it has one."""
    if not wanted(os.environ):
        yield
        return
    provider = _provider(service)
    try:
        yield
    finally:
        provider.shutdown()  # sends what has not been sent


def _provider(service: str) -> Any:
    from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from temporalio.contrib.opentelemetry import create_tracer_provider

    global _on
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: service}
    provider = create_tracer_provider(resource=Resource.create(named), shutdown_on_exit=False)
    for each in _exporters(os.environ) or ["otlp"]:
        provider.add_span_processor(BatchSpanProcessor(_exporter(each)))
    trace.set_tracer_provider(provider)
    # Below `requests` as well: the calls to GitLab, Vault and every cluster.
    URLLib3Instrumentor().instrument(tracer_provider=provider, url_filter=without_query)
    _on = True
    return provider


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    if name != "otlp":
        raise ValueError(f"OTEL_TRACES_EXPORTER: {name} is not of otlp, console, none")
    if (protocol := os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")) != "http/protobuf":
        raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL: {protocol} is not http/protobuf")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def plugins() -> list[Plugin]:
    """For the connection to Temporal; workers that use it inherit them."""
    if not _on:
        return []
    from temporalio.contrib.opentelemetry import OpenTelemetryPlugin

    return [OpenTelemetryPlugin(add_temporal_spans=True)]


def instrument(app: FastAPI) -> None:
    """Spans for the requests to an API."""
    if _on:
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

        FastAPIInstrumentor.instrument_app(
            app, excluded_urls=UNTRACED, server_request_hook=_strip, exclude_spans=["receive", "send"]
        )


def _strip(span: trace.Span, scope: Mapping[str, Any]) -> None:
    """A query may hold what people search for."""
    found: Mapping[str, Any] = getattr(span, "attributes", None) or {}
    for name in _QUERY:
        if name in found:
            span.set_attribute(name, "" if name == "url.query" else without_query(str(found[name])))


def without_query(url: str) -> str:
    """A URL without query, fragment and credentials."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def span(name: str, **attributes: str) -> AbstractContextManager[trace.Span]:
    """A span around an outside call that no library records. Costs some microseconds when nothing is recorded."""
    return _tracer.start_as_current_span(name, kind=trace.SpanKind.CLIENT, attributes=attributes)


def trace_id() -> str:
    """The trace that is being recorded here, "" when none is."""
    found = trace.get_current_span().get_span_context()
    return format(found.trace_id, "032x") if found.is_valid else ""


# What waits in a queue goes on in the trace in which it was asked for.


def here() -> Trace | None:
    """The trace at this place, to go on in it later. None while none is recorded."""
    return context.get_current() if _on else None


@contextmanager
def within(found: Trace | None) -> Iterator[None]:
    """Go on in a trace; None is the one there is."""
    if found is None:
        yield
        return
    token = context.attach(found)
    try:
        yield
    finally:
        # Not `detach`, which complains: an evicted workflow is taken down anywhere, and there is nothing to reset.
        with suppress(ValueError):
            token.var.reset(token)
