"""The catalogue of hooks: named tasks that run before or after a user's pipeline.

The original system ships none (they come as plugins), and neither does this build: an entry here is all that it takes for
manifests to name a hook. Read by the rules about hooks (nautes/rules/pipelines.py) through `World.hooks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

EVENT_SOURCES = frozenset({"gitlab", "calendar"})


@dataclass(frozen=True)
class HookEntry:
    """A hook: whether `preHooks` and `postHooks` may name it, and which types of event sources it accepts."""

    pre: bool = False
    post: bool = False
    event_sources: frozenset[str] = EVENT_SOURCES


HOOKS: Mapping[str, HookEntry] = {}  # by name
