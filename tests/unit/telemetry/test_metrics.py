"""Our metrics: what they are called, what a call becomes, and that the reference is theirs."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import pytest
import requests
from prometheus_client.core import REGISTRY

from nautes.clients.circuit import TOLERATED, Circuit, UnansweredError
from nautes.clients.sessions import Sessions
from nautes.messages.errors import Unavailable
from nautes.telemetry import reference
from nautes.telemetry.catalogue import ALL
from nautes.telemetry.metrics import Calls, circuits, outcome_of
from nautes_sandbox.process import free_port

ROOT = Path(__file__).parents[3]
KNOWN_LABELS = {"system", "cluster", "outcome", "queue", "type", "credential", "method", "route", "status", "cause"}


def _value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_the_committed_reference_is_up_to_date() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    assert text == reference.markdown(), "python -m nautes.telemetry.reference > docs/metrics.md"


@pytest.mark.parametrize("metric", ALL, ids=lambda each: each.name)
def test_names_and_labels_follow_the_conventions(metric: object) -> None:
    found = next(each for each in ALL if each is metric)
    assert found.name.startswith("nautes_") and found.name.endswith("_total") is (found.kind == "counter")
    assert found.kind != "histogram" or (found.name.endswith("_seconds") and found.buckets)
    assert set(found.labels) <= KNOWN_LABELS, "labels have few values: no product, no path, no id"


def test_every_metric_of_this_process_is_described() -> None:
    made = {each.name for each in REGISTRY.collect() if each.name.startswith("nautes_")}
    assert made and made <= {each.name.removesuffix("_total") for each in ALL}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "ok"),
        (304, "ok"),
        (404, "refused"),
        (409, "refused"),
        (429, "rate_limited"),
        (500, "failed"),
        (503, "failed"),
    ],
)
def test_an_answer_is_an_outcome(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome


def test_a_call_is_counted_and_timed_by_system_and_cluster() -> None:
    calls, labels = Calls("kubernetes", "one"), {"system": "kubernetes", "cluster": "one"}
    calls.answered(201, time.perf_counter() - 0.2)
    calls.answered(503, time.perf_counter())
    with pytest.raises(OSError, match="no route"), calls.counted():
        raise OSError("no route")
    for outcome in ("ok", "failed", "unanswered"):
        assert _value("nautes_client_requests_total", outcome=outcome, **labels) == 1
    assert _value("nautes_client_request_duration_seconds_count", **labels) == 3
    assert _value("nautes_client_request_duration_seconds_bucket", le="0.1", **labels) == 2


def test_a_server_that_is_not_there_is_counted_as_such() -> None:
    before = _value("nautes_client_requests_total", system="vault", cluster="", outcome="unanswered")
    with Sessions(system="vault").one() as session, pytest.raises(requests.ConnectionError):
        session.get(f"http://127.0.0.1:{free_port()}", timeout=5)
    assert _value("nautes_client_requests_total", system="vault", cluster="", outcome="unanswered") == before + 1


def test_a_cluster_is_left_alone_when_one_of_its_clients_does_so() -> None:
    now = [0.0]
    circuit, fine = Circuit("away", "a", lambda: now[0]), Circuit("away", "b", lambda: now[0])
    for each in (circuit, fine):
        circuits.watch(each, "two clients")
    for _ in range(TOLERATED):
        assert _value("nautes_circuit_open", cluster="two clients") == 0
        with pytest.raises(Unavailable), circuit.call():
            raise UnansweredError(Unavailable("away", "no route"))
    assert _value("nautes_circuit_open", cluster="two clients") == 1
    now[0] = 1.0
    with circuit.call():
        pass
    assert _value("nautes_circuit_open", cluster="two clients") == 0


def test_a_circuit_that_nobody_has_tried_for_long_is_not_reported() -> None:
    now = [0.0]
    circuit = Circuit("away", "a", lambda: now[0])
    circuits.watch(circuit, "forgotten")
    for _ in range(TOLERATED):
        with pytest.raises(Unavailable), circuit.call():
            raise UnansweredError(Unavailable("away", "no route"))
    assert _value("nautes_circuit_open", cluster="forgotten") == 1
    now[0] = 1_000.0
    assert _value("nautes_circuit_open", cluster="forgotten") == 0
    del circuit
    gc.collect()
    assert REGISTRY.get_sample_value("nautes_circuit_open", {"cluster": "forgotten"}) is None
