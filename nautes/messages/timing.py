"""Timeouts and intervals of retries. Set once by worker.py from the settings; read by workflow code and interceptors.

A replay does not compare times, so changing them breaks no running workflow. It does compare where a run ends, so `events_kept`
must not change under running workflows: only tests change it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Timing:
    """Seconds. `heartbeat`: silence after which an activity's worker counts as dead; `retry_maximum`: longest back-off;
    `refused_retry`: until a refused claim (namespace taken, wrong kind of cluster) is retried.

    `events_kept`: events after which a long-lived workflow continues as new even if the server does not ask.
    """

    heartbeat: float = 10.0
    retry_maximum: float = 30.0
    refused_retry: float = 60.0
    events_kept: int = 4_000


TIMING = Timing()
