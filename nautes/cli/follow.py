"""Follows operations to their end: by server-sent events where the API has them, else by polling.

Used by every command that changes something, by `wait` and by `events`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from nautes.cli import show
from nautes.cli.busy import Busy
from nautes.cli.client import NOT_FOUND, Api, CommandError

POLL = 30  # seconds one request may wait for an end
GLANCE = 1  # seconds it waits where a person watches the steps
POLL_EVERY = 0.2  # seconds between two requests, at least
LISTEN = 15.0  # seconds that must be left for a stream: the interval of its keep-alives
Operation = dict[str, Any]


def ends(api: Api, operations: list[Operation], deadline: float, busy: Busy) -> list[Operation]:
    """The operations at their end, or at the deadline (seconds of the monotonic clock)."""
    found = list(operations)
    try:
        for index, each in enumerate(found):
            for step in steps(api, each, deadline):
                found[index] = step
                if step["state"] == "running":
                    busy.step(standing(step))
    except KeyboardInterrupt:
        for each in found:
            if each["state"] == "running":
                show.note(f"it goes on; `nautes cancel {each['operation']}` undoes it")
        raise
    return found


def steps(api: Api, operation: Operation, deadline: float) -> Iterator[Operation]:
    """Every state of an operation until it has ended, the last one at the deadline."""
    found, listens = operation, True
    while found["state"] == "running" and (left := deadline - time.monotonic()) > 0:
        if listens and left > LISTEN:
            try:
                for found in _events(api, operation, deadline - LISTEN):
                    yield found
            except CommandError as error:
                listens = error.status != NOT_FOUND  # an API without events; after any other error polling goes on
            if found["state"] != "running":
                return
        wait = min(left, GLANCE if sys.stderr.isatty() else POLL)
        path = f"/api/v1/operations/{quote(operation['operation'])}"
        asked = time.monotonic()
        found = {"operation": operation["operation"], **api.get(path, wait, wait=wait)}
        yield found
        if found["state"] == "running":  # a queued operation is answered at once
            time.sleep(max(0.0, min(POLL_EVERY - (time.monotonic() - asked), deadline - time.monotonic())))


def require(operations: list[Operation]) -> None:
    """Raise `CommandError` with everything that was refused, cancelled or failed."""
    bad = [each for each in operations if each["state"] not in ("running", "done", "planned")]
    if not bad:
        return
    texts = []
    for each in bad:
        undone = f"; undone: {', '.join(each['undone'])}" if each.get("undone") else ""
        texts.append(f"{each.get('message') or each['state']}{undone}")
    raise CommandError("\n".join(texts), findings=[finding for each in bad for finding in each.get("findings", [])])


def standing(operation: Operation) -> str:
    """The step of an operation that has not ended, and what it waits for."""
    retry = operation.get("retry")
    what = f", {retry['step']} failed {retry['attempt'] - 1} times, last: {retry['error']}" if retry else ""
    return f"{operation['operation']} ({operation.get('step') or 'queued'}{what})"


def _events(api: Api, operation: Operation, deadline: float) -> Iterator[Operation]:
    """States from the API's stream; ends with the operation, with the stream or at the deadline."""
    for name, data in api.events(f"/api/v1/operations/{quote(operation['operation'])}/events"):
        if name == "end":
            yield data
            return
        if name == "step":
            yield {**data, "state": "running"}
        if time.monotonic() > deadline:
            return
