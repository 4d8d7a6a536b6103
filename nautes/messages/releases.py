"""What a roll-out and the long-lived workflows know of each other: who is woken, by which signal."""

from __future__ import annotations

UPGRADE = "upgrade"  # signal
LONG_LIVED = (
    "Tenant",
    "Cluster",
    "Observer",
    "Product",
    "Deployment",
    "Pipeline",
)  # types of the workflows it is sent to
