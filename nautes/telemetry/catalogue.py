"""Every metric of ours, as data: name, kind, labels and meaning. Pure, so that workflow code may read it.

metrics.py and workflows/metrics.py make them, reference.py writes docs/metrics.md from them. Labels hold names of clusters and
queues and words from fixed lists: never a path, an id, a product or anything that a person has written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Place = Literal["worker", "API", "worker and API"]
CALL_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONVERGENCE_BUCKETS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0)  # as Argo CD's 180 s


@dataclass(frozen=True)
class Metric:
    """`name` as Prometheus scrapes it. `by_workflow`: counted by workflow code, through Temporal's meter."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    place: Place
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    by_workflow: bool = False

    @property
    def stem(self) -> str:
        """The name without the suffix that the libraries add to counters and durations."""
        return self.name.removesuffix("_total").removesuffix("_seconds")


CALLS = Metric(
    "nautes_client_requests_total",
    "counter",
    "Calls to an outside system (`gitlab`, `vault`, `kubernetes`, `git`) by outcome: `ok`, `refused` (4xx; also what was"
    " looked for and is not there), `rate_limited` (429), `failed` (5xx), `unanswered`.",
    "worker and API",
    ("system", "cluster", "outcome"),
)
CALL_SECONDS = Metric(
    "nautes_client_request_duration_seconds",
    "histogram",
    "How long those calls took.",
    "worker and API",
    ("system", "cluster"),
    CALL_BUCKETS,
)
CIRCUIT = Metric(
    "nautes_circuit_open",
    "gauge",
    "1 while a cluster that does not answer is left alone.",
    "worker",
    ("cluster",),
)
BACKLOG = Metric(
    "nautes_queue_backlog",
    "gauge",
    "Tasks that wait in a task queue, approximately, as Temporal says.",
    "worker and API",
    ("queue", "type"),
)
BACKLOG_AGE = Metric(
    "nautes_queue_backlog_age_seconds",
    "gauge",
    "How long the oldest of those tasks has waited.",
    "worker and API",
    ("queue", "type"),
)
POLLERS = Metric(
    "nautes_queue_pollers",
    "gauge",
    "Workers that have polled a task queue within two minutes.",
    "worker and API",
    ("queue", "type"),
)
STOPPED = Metric(
    "nautes_workflows_stopped",
    "gauge",
    "Running workflows with the phase `Error`: a step of theirs stopped because of a bug and waits for `retry`.",
    "worker and API",
)
CREDENTIAL_END = Metric(
    "nautes_credential_expiration_timestamp_seconds",
    "gauge",
    "When the first credential of a kind ends: `products` (deploy keys and access tokens of all products; absent when none ends"
    " within 400 days), `gitlab` (the platform's own token; of the worker only). Less `time()`, over 86400: days left.",
    "worker and API",
    ("credential",),
)
REQUESTS = Metric(
    "nautes_http_requests_total",
    "counter",
    "Requests to the API by route template and status; `route` is `unknown` where no route fits, 499"
    " where the client left before an answer.",
    "API",
    ("method", "route", "status"),
)
REQUEST_SECONDS = Metric(
    "nautes_http_request_duration_seconds",
    "histogram",
    "Time until the end of the answer; long for requests with `wait` and for events.",
    "API",
    ("method", "route"),
    CALL_BUCKETS,
)
IN_FLIGHT = Metric("nautes_http_requests_in_flight", "gauge", "Requests that are being answered.", "API")
WEBHOOKS = Metric(
    "nautes_webhooks_total",
    "counter",
    "Deliveries of GitLab by outcome: `accepted`, `duplicate`, `ignored` (another kind of event), `unsigned`,"
    " `rate_limited`, `malformed`, `unavailable` (Temporal or Vault did not answer), `failed`.",
    "API",
    ("outcome",),
)
BUGS = Metric(
    "nautes_bugs_total",
    "counter",
    "Steps that stopped because of a bug (decision 0025).",
    "worker",
    by_workflow=True,
)
CONVERGENCE = Metric(
    "nautes_convergence_seconds",
    "histogram",
    "From the signal until everything was applied and healthy, by cause: `change` (a commit, a declaration, a person), `drift`.",
    "worker",
    ("cause",),
    CONVERGENCE_BUCKETS,
    by_workflow=True,
)
CONVERGENCES = Metric(
    "nautes_convergences_total",
    "counter",
    "Convergences of deployments that came to an end: `converged`, `degraded` (some objects were refused or failed), `refused`.",
    "worker",
    ("outcome",),
    by_workflow=True,
)
DRIFT = Metric(
    "nautes_drift_corrected_total",
    "counter",
    "Objects that somebody else had changed and that were put back.",
    "worker",
    ("cluster",),
    by_workflow=True,
)
PUSHES = Metric(
    "nautes_pushes_total",
    "counter",
    "Pushes that reached a product, by outcome: `declaration` (of `default.project`), `delivered` (to the runtimes that follow"
    " the repository), `unwatched`, `repeated`.",
    "worker",
    ("outcome",),
    by_workflow=True,
)
CHANGES = Metric(
    "nautes_changes_total",
    "counter",
    "Changes of products that ended, by their state: `done`, `refused`, `cancelled`, `failed`.",
    "worker",
    ("outcome",),
    by_workflow=True,
)
ALL = (
    CALLS,
    CALL_SECONDS,
    CIRCUIT,
    BACKLOG,
    BACKLOG_AGE,
    POLLERS,
    STOPPED,
    CREDENTIAL_END,
    REQUESTS,
    REQUEST_SECONDS,
    IN_FLIGHT,
    WEBHOOKS,
    BUGS,
    CONVERGENCE,
    CONVERGENCES,
    DRIFT,
    PUSHES,
    CHANGES,
)
