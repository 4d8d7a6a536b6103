"""Writes docs/metrics.md: `python -m nautes.telemetry.reference > docs/metrics.md`. A test compares them."""

from __future__ import annotations

from collections.abc import Iterator

from nautes.telemetry.catalogue import ALL, Metric

HEAD = """# Metrics

Made from `nautes/telemetry/catalogue.py` by `python -m nautes.telemetry.reference`; how to use them: `docs/operate.md`.

The worker serves them at `NAUTES_METRICS_HOST`:`NAUTES_WORKER_METRICS_PORT` (127.0.0.1:9464), the API at
`NAUTES_METRICS_HOST`:`NAUTES_API_METRICS_PORT` (127.0.0.1:9465), each at `/metrics`; port 0 switches them off.
Labels hold names of clusters and queues, and words from fixed lists: no path, no id, no product, no text of a person.

## Ours

| Name | Kind | Labels | Of | Meaning |
|---|---|---|---|---|
"""
TAIL = """
Those of workflow code (`workflow` above) carry `namespace`, `task_queue` and `workflow_type` besides. A counter with labels
appears with its first event.

## Of the libraries

| Names | Of | Meaning |
|---|---|---|
| `temporal_…` | worker and API | Temporal's SDK: slots, pollers, latencies and failures by task queue, requests to Temporal |
| `process_…`, `python_…` | worker and API | memory, processor time, open files, garbage collection |

Those of the SDK that tell most: `temporal_worker_task_slots_available` and `_used`, `temporal_num_pollers`,
`temporal_workflow_task_execution_failed_total` (by `failure_reason`), `temporal_activity_execution_failed_total`,
`temporal_activity_schedule_to_start_latency_seconds`, `temporal_workflow_task_schedule_to_start_latency_seconds`,
`temporal_request_failure_total`.
"""


def markdown() -> str:
    """The whole document."""
    return HEAD + "".join(_rows()) + TAIL


def _rows() -> Iterator[str]:
    for each in sorted(ALL, key=lambda metric: metric.name):
        labels = ", ".join(f"`{name}`" for name in each.labels) or "–"
        yield f"| `{each.name}` | {each.kind} | {labels} | {_place(each)} | {each.meaning} |\n"


def _place(metric: Metric) -> str:
    return f"{metric.place} (workflow)" if metric.by_workflow else metric.place


if __name__ == "__main__":
    print(markdown(), end="")
