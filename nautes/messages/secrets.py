"""References to secrets. Values never travel: the activity that uses a secret reads it itself."""

from __future__ import annotations

from nautes.resources.payload import Payload


class SecretRef(Payload):
    """A KV v2 secret: mount name of the engine, path below it, version (None = newest)."""

    engine: str
    path: str
    version: int | None = None
