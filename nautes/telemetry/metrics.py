"""The metrics of this process, in Prometheus' own library; what workflow code counts is in workflows/metrics.py.

Clients measure their calls with `Calls`, the API its requests; gauges are read when somebody scrapes, so that nothing runs for
them meanwhile and nothing stays that is gone.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol
from weakref import WeakKeyDictionary

from prometheus_client import Counter, Gauge, Histogram, Metric, disable_created_metrics
from prometheus_client.core import REGISTRY, GaugeMetricFamily

from nautes.telemetry import catalogue
from nautes.telemetry.catalogue import Metric as Described

disable_created_metrics()  # a second time series per counter that nothing here reads


def _counter(described: Described) -> Counter:
    return Counter(described.name, described.meaning, described.labels)


def _histogram(described: Described) -> Histogram:
    return Histogram(described.name, described.meaning, described.labels, buckets=described.buckets)


_calls, _call_seconds = _counter(catalogue.CALLS), _histogram(catalogue.CALL_SECONDS)
requests, request_seconds = _counter(catalogue.REQUESTS), _histogram(catalogue.REQUEST_SECONDS)
in_flight = Gauge(catalogue.IN_FLIGHT.name, catalogue.IN_FLIGHT.meaning)
webhooks = _counter(catalogue.WEBHOOKS)


class Calls:
    """The calls to one system, or to one cluster. Times are of `time.perf_counter`; safe for many threads."""

    def __init__(self, system: str, cluster: str = "") -> None:
        self._labels = (system, cluster)
        self._seconds = _call_seconds.labels(system, cluster)
        self._outcomes: dict[str, Counter] = {}

    def answered(self, status: int, began: float) -> None:
        """The server answered with this HTTP status."""
        self.ended(outcome_of(status), began)

    def unanswered(self, began: float) -> None:
        """The server could not be reached, or did not answer in time."""
        self.ended("unanswered", began)

    def ended(self, outcome: str, began: float) -> None:
        """A call that has no HTTP status; see the catalogue for outcomes."""
        self._seconds.observe(time.perf_counter() - began)
        found = self._outcomes.get(outcome)
        if found is None:
            found = self._outcomes[outcome] = _calls.labels(*self._labels, outcome)
        found.inc()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Around a call of which only an exception says that there was no answer."""
        began = time.perf_counter()
        try:
            yield
        except BaseException:
            self.unanswered(began)
            raise


def outcome_of(status: int) -> str:
    """The outcome of a call that was answered with this HTTP status."""
    if status < 400:
        return "ok"
    if status == 429:
        return "rate_limited"
    return "refused" if status < 500 else "failed"


class Opens(Protocol):
    """A circuit: whether its server is left alone now."""

    @property
    def open(self) -> bool: ...


class _Circuits:
    """A collector: which clusters are left alone. A cluster may have several clients, old and new."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Opens, str] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def watch(self, circuit: Opens, cluster: str) -> None:
        """Report a circuit for as long as its client lives."""
        with self._lock:
            self._known[circuit] = cluster

    def collect(self) -> Iterable[Metric]:
        """Called for each scrape."""
        found: defaultdict[str, bool] = defaultdict(bool)
        with self._lock:
            for circuit, cluster in self._known.items():
                found[cluster] |= circuit.open
        family = GaugeMetricFamily(catalogue.CIRCUIT.name, catalogue.CIRCUIT.meaning, labels=catalogue.CIRCUIT.labels)
        for cluster, is_open in found.items():
            family.add_metric([cluster], float(is_open))
        yield family


circuits = _Circuits()
REGISTRY.register(circuits)
