"""What a roll-out and the long-lived workflows know of each other: who is woken, by which signal."""

from __future__ import annotations

UPGRADE = "upgrade"  # signal
LONG_LIVED = (
    "Tenant",
    "Cluster",
    "NamespaceClaims",
    "Observer",
    "Product",
    "Deployment",
    "Pipeline",
)  # types it is sent to
