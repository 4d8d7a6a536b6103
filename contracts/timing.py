"""How long silence and outages are borne. Set once by worker.py from the settings; read by workflow code and interceptors.

Timeouts and back-off are no part of what a replay compares, so changing them breaks no running workflow.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Timing:
    """Seconds. `heartbeat`: silence after which an activity's worker counts as dead; `retry_maximum`: longest back-off."""

    heartbeat: float = 10.0
    retry_maximum: float = 30.0


TIMING = Timing()
