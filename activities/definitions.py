"""What the definition of an activity says: its name, and the type of its answer. Used by workflows/ and worker.py."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter
from temporalio import activity


def name_of(effect: Callable[..., Any]) -> str:
    """The name under which an activity is called."""
    return _definition(effect).name or ""


def answer_of(effect: Callable[..., Any], raw: Any) -> Any:
    """The answer of an activity from the plain JSON that is in the history. Raises pydantic's ValidationError.

    The library would decode it itself, but an answer that does not fit would then stop the whole workflow and not one step.
    """
    return _adapter(effect).validate_python(raw)


@functools.cache
def _adapter(effect: Callable[..., Any]) -> TypeAdapter[Any]:
    answer: Any = _definition(effect).ret_type
    return TypeAdapter(answer)


def _definition(effect: Callable[..., Any]) -> activity._Definition:
    return activity._Definition.must_from_callable(effect)
