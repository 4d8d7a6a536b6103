"""What workflow code counts, through Temporal's meter: nothing is counted again when a history is replayed.

The metrics are described in nautes/telemetry/catalogue.py. Temporal adds the workflow's type and its task queue as labels.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from nautes.telemetry import catalogue
    from nautes.telemetry.catalogue import Metric

Cause = Literal["change", "drift"]


def count(metric: Metric, value: int = 1, **labels: str) -> None:
    """Add to a counter."""
    workflow.metric_meter().create_counter(metric.stem, metric.meaning).add(value, labels)


def converged(cause: Cause, seconds: float) -> None:
    """A deployment is as declared, so long after what asked for it."""
    made = workflow.metric_meter().create_histogram_timedelta(
        catalogue.CONVERGENCE.stem, catalogue.CONVERGENCE.meaning, "duration"
    )
    made.record(timedelta(seconds=max(0.0, seconds)), {"cause": cause})
