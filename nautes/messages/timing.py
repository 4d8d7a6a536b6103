"""How long silence and outages are borne. Set once by worker.py from the settings; read by workflow code and interceptors.

Times are no part of what a replay compares, so changing them breaks no running workflow. `events_kept` is: a workflow that is
between the old and the new limit would end its run elsewhere than its history says. Only tests change it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Timing:
    """Seconds. `heartbeat`: silence after which an activity's worker counts as dead; `retry_maximum`: longest back-off;
    `refused_retry`: until a refused place (namespace taken, cluster not right) is asked for again.

    `events_kept`: events after which a long-lived workflow continues as new even if the server does not ask.
    """

    heartbeat: float = 10.0
    retry_maximum: float = 30.0
    refused_retry: float = 60.0
    events_kept: int = 4_000


TIMING = Timing()
