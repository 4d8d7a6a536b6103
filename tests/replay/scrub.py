"""What a recorded history keeps: nothing that tells of the machine it was recorded on."""

from __future__ import annotations

from typing import Any

DROPPED = {
    "stackTrace",
    "sdkMetadata",
    "workerVersion",
    "binaryChecksum",
    "workerInstanceKey",
    "workerControlTaskQueue",
}
REPLACED = {"identity": "recorder"}


def clean(value: Any) -> Any:
    """The history (as parsed JSON) without stack traces, builds and processes."""
    if isinstance(value, dict):
        kept = {key: clean(each) for key, each in value.items() if key not in DROPPED or _needed(key, each)}
        return {key: REPLACED.get(key, each) for key, each in kept.items()}
    if isinstance(value, list):
        return [clean(each) for each in value]
    return value


def _needed(key: str, value: Any) -> bool:
    """The SDK's flags say which of its own behaviours a replay must follow."""
    return key == "sdkMetadata" and bool(value.get("langUsedFlags") or value.get("coreUsedFlags"))
