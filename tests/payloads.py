"""Every payload and every failure within a message of Temporal's API, at any depth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, SearchAttributes
from temporalio.api.failure.v1 import Failure

ENCODED = "Encoded failure"  # what the SDK writes in place of a message that it has moved into a payload


def payloads(message: Message) -> Iterator[Payload]:
    """All of them but search attributes, which Temporal has to read."""
    yield from (each for each in _within(message) if isinstance(each, Payload))


def plain(messages: Iterable[Message]) -> list[str]:
    """What anybody can read: payloads that are not encrypted, and messages and stack traces of failures that we made."""
    found = []
    for message in messages:
        found += [str(each) for each in payloads(message) if each.metadata["encoding"] != b"binary/encrypted"]
        failures = [each for each in _within(message) if isinstance(each, Failure) and each.source]
        found += [str(each) for each in failures if each.message != ENCODED or each.stack_trace]
    return found


def _within(message: Message) -> Iterator[Message]:
    if isinstance(message, SearchAttributes):
        return
    yield message
    for field, value in message.ListFields():
        for each in _values(field, value):
            if isinstance(each, Message):
                yield from _within(each)


def _values(field: Any, value: Any) -> Iterable[Any]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return list(value.values())
    return list(value) if field.is_repeated else [value]
