"""`nautes wait|events|cancel|retry|pause|resume|sync|rollback`: follow operations, and commands to deployments."""

from __future__ import annotations

import itertools
import json
import sys
import time
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from nautes.cli import follow, kinds, options, show
from nautes.cli.busy import Busy
from nautes.cli.client import USAGE, CommandError
from nautes.cli.reading import timeline

OPERATIONS = ("change/", "registration/")
FOREVER = 7 * 24 * 3600.0  # seconds `events` follows an operation
POLL_EVERY = 0.3  # seconds between two reads of a runtime's status


def wait(
    what: Annotated[str, typer.Argument(help="deployment/<name>, pipeline/<name>, or an operation.")],
    product: options.Product = "",
    condition: Annotated[str, typer.Option("--for", help="converged or ready; an operation: its end.")] = "converged",
    timeout: Annotated[float, typer.Option(help="Seconds.")] = 300.0,
) -> None:
    """Wait until a runtime is as declared, or an operation has ended."""
    deadline = time.monotonic() + timeout
    if what.startswith(OPERATIONS):
        _wait_for_operation(what, deadline, timeout)
        return
    if condition not in ("converged", "ready"):
        raise CommandError("--for is converged or ready", USAGE)
    kind, path, name = kinds.runtime(what, product)
    api = options.api()
    with Busy(f"waiting for {what}"):
        while True:
            found = api.get(f"/api/v1/explain/{kind}/{kinds.quoted(path)}/{kinds.quoted(name)}")
            if found["ready"]:
                break
            if time.monotonic() > deadline:
                raise CommandError(found["line"])
            time.sleep(POLL_EVERY)
    show.line(found["line"])


def _wait_for_operation(operation: str, deadline: float, timeout: float) -> None:
    api = options.api()
    with Busy(f"waiting for {operation}") as busy:
        first = api.get(f"/api/v1/operations/{quote(operation)}")
        (found,) = follow.ends(api, [first], deadline, busy)
    follow.require([found])
    if found["state"] == "running":
        raise CommandError(f"still running after {timeout:g} s: {follow.standing(found)}")
    show.outcomes([found])


def events(
    operation: Annotated[str, typer.Argument(help="change/... or registration/...; without: the newest one.")] = "",
    product: options.Product = "",
    output: Annotated[
        Literal["lines", "json"], typer.Option("-o", "--output", help="json: one object a line.")
    ] = "lines",
) -> None:
    """Follow an operation step by step until it ends."""
    api = options.api()
    if not operation:
        newest = api.items(timeline("", product), 1)
        if not newest:
            raise CommandError(f"nothing has happened to {product} yet")
        operation = newest[0]["operation"]
    last, shown = api.get(f"/api/v1/operations/{quote(operation)}"), ""
    for found in itertools.chain([last], follow.steps(api, last, time.monotonic() + FOREVER)):
        last, text = found, _step(found, output)
        if text != shown:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
        shown = text
    if output == "lines" and last["state"] == "done":
        show.outcomes([last])
    follow.require([last])


def _step(operation: dict[str, Any], output: str) -> str:
    """One line for the state of an operation."""
    if output == "json":
        return json.dumps(show.veiled(operation))
    running = operation["state"] == "running"
    return show.plain(follow.standing(operation) if running else f"{operation['operation']} {operation['state']}")


def cancel(operation: Annotated[str, typer.Argument(help="change/... or registration/...")]) -> None:
    """Cancel an operation and undo what it did."""
    show.line(options.api().post(f"/api/v1/operations/{quote(operation)}/cancel")["state"])


def retry(
    workflow: Annotated[str, typer.Argument(help="as Temporal UI names it: deployment/shop/web, change/...")],
) -> None:
    """Try again what a bug has stopped (phase `Error`)."""
    show.line(options.api().post(f"/api/v1/retry/{quote(workflow)}")["state"])


def pause(what: str, product: options.Product = "") -> None:
    """Stop correcting a deployment; it is still observed."""
    _command("pause", what, product)


def resume(what: str, product: options.Product = "") -> None:
    """Correct again, and follow the revision again."""
    _command("resume", what, product)


def sync(what: str, product: options.Product = "") -> None:
    """Observe and converge now."""
    _command("sync", what, product)


def rollback(what: str, commit: str, product: options.Product = "") -> None:
    """Pin an earlier commit until `resume`."""
    _command("rollback", what, product, commit=commit)


def _command(name: str, what: str, product: str, **query: Any) -> None:
    kind, path, runtime = kinds.runtime(what, product)
    if kind != "deployment":
        raise CommandError(f"{name} is for deployments", USAGE)
    path = f"/api/v1/products/{kinds.quoted(path)}/deploymentruntimes/{kinds.quoted(runtime)}/{name}"
    show.line(f"{runtime} is {options.api().post(path, **query)['phase']}")
