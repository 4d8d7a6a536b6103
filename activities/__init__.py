"""Effects: one module per outside system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def collect(*instances: object) -> list[Callable[..., Any]]:
    """The activities of these instances: every bound method that is an activity definition."""
    found = []
    for instance in instances:
        for name in dir(type(instance)):
            if hasattr(getattr(type(instance), name), "__temporal_activity_definition"):
                found.append(getattr(instance, name))
    return found
