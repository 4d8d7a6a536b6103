"""What differs between two manifests, field by field. Used by plans; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nautes.resources.documents import pointer_of

Difference = tuple[str, Any, Any]  # JSON pointer, before, after; None where it is not there


def differences(before: Any, after: Any, pointer: str = "") -> Iterator[Difference]:
    """Every field that differs, as deep as possible; lists are compared element by element."""
    if before == after and type(before) is type(after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from differences(before.get(key), after.get(key), pointer + pointer_of(str(key)))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            yield from differences(_at(before, index), _at(after, index), f"{pointer}/{index}")
    else:
        yield pointer, before, after


def _at(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else None
