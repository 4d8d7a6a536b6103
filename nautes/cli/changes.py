"""`nautes apply|remove|plan|diff|delete`: the commands that change something, or show what would change.

Manifests are sent as one change set; findings are shown with file, line and column.
"""

from __future__ import annotations

import shlex
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nautes.cli import asking, follow, kinds, options, plans, show
from nautes.cli.busy import Busy
from nautes.cli.client import NOT_FOUND, USAGE, CommandError

if TYPE_CHECKING:
    from nautes.cli.files import Part

UNCONFIRMED = "deletions-unconfirmed"  # the rule that requires the number of deletions
DIFFERENT = 1  # exit code of `diff` when there is a difference, as kubectl has it
TROUBLE = 2  # exit code of `diff` after an error
DETAILED = 2  # exit code of `plan --detailed-exitcode` when something would be done, as Terraform has it
SOON = 1  # seconds the first request waits where a person watches the steps
Action = Literal["apply", "remove"]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, change nothing.")]
Removing = Annotated[bool, typer.Option("--remove", help="Plan the removal of what the manifests name.")]


def apply(
    file: options.Files,
    wait: options.Wait = 600,
    dry_run: DryRun = False,
    insecure: options.Insecure = False,
    plan: options.Plans = None,
    confirm_deletions: options.Confirmed = None,
) -> None:
    """Apply manifests as one change."""
    _change("apply", file, wait, _flags(dry_run, insecure, plan, confirm_deletions))


def remove(
    file: options.Files,
    wait: options.Wait = 600,
    dry_run: DryRun = False,
    insecure: options.Insecure = False,
    plan: options.Plans = None,
    confirm_deletions: options.Confirmed = None,
) -> None:
    """Remove what manifests name, in reverse order."""
    _change("remove", file, wait, _flags(dry_run, insecure, plan, confirm_deletions))


def plan(
    file: options.Files,
    removing: Removing = False,
    insecure: options.Insecure = False,
    output: options.Output = "wide",
    detailed: Annotated[
        bool, typer.Option("--detailed-exitcode", help="End with 0: nothing to do, 1: error, 2: something to do.")
    ] = False,
) -> None:
    """Show what apply would do, per resource and field and per system; changes nothing."""
    action: Action = "remove" if removing else "apply"
    answer = _planned(action, file, insecure)
    operations = answer["operations"]
    if output == "wide":
        plans.plan(operations)
        plans.count(operations)
        _how_to_execute(action, file, insecure, operations)
    else:
        show.data(answer, output)
    if detailed and plans.differs(operations):
        raise typer.Exit(DETAILED)


def diff(
    file: options.Files,
    removing: Removing = False,
    insecure: options.Insecure = False,
    output: options.Output = "wide",
) -> None:
    """Show what apply would change, field by field; ends with 1 when there is a difference, as kubectl diff."""
    try:
        answer = _planned("remove" if removing else "apply", file, insecure)
    except CommandError as error:
        error.exit_code = TROUBLE
        raise
    if output == "wide":
        plans.diff(answer["operations"])
    else:
        show.data(answer, output)
    if plans.differs(answer["operations"]):
        raise typer.Exit(DIFFERENT)


def delete(
    kind: options.Kind,
    names: Annotated[list[str], typer.Argument(help="Names of the resources to delete.")],
    product: options.Product = "",
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
    wait: options.Wait = 600,
    insecure: options.Insecure = False,
    confirm_deletions: options.Confirmed = None,
) -> None:
    """Remove resources by name; asks for each one on a terminal."""
    plural = kinds.plural(kind)
    if plural not in kinds.NAMES:
        raise CommandError(f"{plural} cannot be deleted", USAGE)
    routes = {name: kinds.route(plural, product, name) for name in names}
    if not yes:
        routes = {name: routes[name] for name in asking.chosen(kinds.NAMES[plural], names)}
    numbers = dict.fromkeys(routes, confirm_deletions)
    if len(routes) > 1:
        numbers = _confirmed(kinds.NAMES[plural], routes, insecure, confirm_deletions)
    failed: list[CommandError] = []
    for name, route in routes.items():
        try:
            _delete(f"{kinds.NAMES[plural]}/{name}", route, wait, _flags(False, insecure, None, numbers[name]))
        except CommandError as error:  # a refused one must not stop the others
            failed.append(error)
    if failed:
        findings = [finding for each in failed for finding in each.findings]
        raise CommandError("\n".join(map(str, failed)), max(each.exit_code for each in failed), findings)


def _confirmed(kind: str, routes: dict[str, str], insecure: bool, confirmed: int | None) -> dict[str, int | None]:
    """The number of deletions for each name, where all of them together are confirmed by their sum.

    Raises `CommandError` when one of them has to be confirmed and the sum is not what was confirmed.
    """
    planned = {name: _planned_deletion(route, insecure) for name, route in routes.items()}
    total = sum(each.get("deletions", 0) for each in planned.values())
    reasons = [f"{kind}/{name}: {each['confirm']}" for name, each in planned.items() if each.get("confirm")]
    if confirmed is None and not reasons:
        return dict.fromkeys(routes)
    if confirmed != total:
        why = f"{confirmed} were confirmed" if confirmed is not None else "this has to be confirmed"
        finding = {"rule": UNCONFIRMED, "message": "; ".join([f"{total} resources would be deleted", *reasons])}
        finding |= {"resource": "", "hint": f"confirm with --confirm-deletions {total}"}
        typed = asking.deletions([finding]) if confirmed is None else None
        if typed != total:
            raise CommandError(f"{total} resources would be deleted; {why}", findings=[finding])
    return {name: each.get("deletions", 0) for name, each in planned.items()}


def _planned_deletion(route: str, insecure: bool) -> dict[str, Any]:
    """The plan of one deletion; one that is refused, or of what is not there, is told when it is carried out."""
    try:
        answer = options.api().delete(route, follow.POLL, wait=follow.POLL, **_flags(True, insecure, None, None))
    except CommandError:
        return {}
    return dict(answer["operations"][0]) if answer["operations"] else {}


def _flags(dry_run: bool, insecure: bool, plan: list[str] | None, confirmed: int | None) -> dict[str, Any]:
    """The query of a change; flags that are not set are not sent."""
    wishes = {"dry_run": dry_run, "insecure_skip_check": insecure, "plan": plan, "confirm_deletions": confirmed}
    return {name: value for name, value in wishes.items() if value is not None and value is not False and value != []}


def _read(names: list[str]) -> list[Part]:
    """The manifests. Raises `CommandError` with every finding of the schema."""
    from nautes.cli import files  # imports the models of the kinds, which most commands do not need

    parts = files.read(names)
    files.check(parts)
    return parts


def _change(action: Action, names: list[str], wait: int, flags: dict[str, Any]) -> None:
    parts = _read(names)
    try:
        _send(action, parts, wait, flags)
    except CommandError as error:
        number = asking.deletions(error.findings) if _unconfirmed(error) else None
        if number is None:
            raise
        _send(action, parts, wait, {**flags, "confirm_deletions": number})


def _send(action: Action, parts: list[Part], wait: int, flags: dict[str, Any]) -> None:
    from nautes.cli import files

    api, deadline = options.api(), time.monotonic() + wait
    first = min(wait, _first_wait(parts))
    try:
        with Busy(f"{action} {len(parts)} files") as busy:
            answer = api.post(f"/api/v1/{action}", files.whole(parts), first, wait=first, **flags)
            found = follow.ends(api, answer["operations"], deadline, busy)
        _print_results(found, wait, planned="dry_run" in flags)
    except CommandError as error:
        error.findings = files.located(parts, error.findings)
        raise


def _first_wait(parts: list[Part]) -> int:
    """Seconds the first request may take.

    It is short where a person watches, because the steps are shown after it. With clusters it is long: what depends on
    them begins when they are done, or when the request ends.
    """
    clusters = any("Cluster" in part.text for part in parts)
    return SOON if sys.stderr.isatty() and not clusters else follow.POLL


def _print_results(found: list[dict[str, Any]], wait: int, *, planned: bool) -> None:
    """Print what succeeded or is running, then raise for what was refused or has not ended in time."""
    running = [follow.standing(each) for each in found if each["state"] == "running"]
    shown = [each for each in found if each["state"] in ("done", "planned", "running")]
    if planned and not running:
        plans.plan(shown)
        plans.count(shown)
    else:
        show.outcomes(shown)
    follow.require(found)
    if wait and running:
        raise CommandError(f"still running after {wait} s: {', '.join(running)}")


def _delete(key: str, route: str, wait: int, flags: dict[str, Any]) -> None:
    api, deadline = options.api(), time.monotonic() + wait
    first = min(wait, SOON if sys.stderr.isatty() else follow.POLL)
    try:
        with Busy(f"delete {key}") as busy:
            answer = api.delete(route, first, wait=first, **flags)
            found = follow.ends(api, answer["operations"], deadline, busy)
    except CommandError as error:
        if error.status == NOT_FOUND:
            raise CommandError(f"{key}: {error}", findings=error.findings) from None
        number = asking.deletions(error.findings) if _unconfirmed(error) else None
        if number is None:
            raise
        _delete(key, route, wait, {**flags, "confirm_deletions": number})
        return
    _print_results(found, wait, planned=False)


def _unconfirmed(error: CommandError) -> bool:
    return any(each["rule"] == UNCONFIRMED for each in error.findings)


def _planned(action: Action, names: list[str], insecure: bool) -> dict[str, Any]:
    """What would be done. Raises `CommandError` when it would be refused."""
    from nautes.cli import files

    parts = _read(names)
    api, flags = options.api(), _flags(False, insecure, None, None)
    try:
        with Busy(f"plan {len(parts)} files"):
            answer: dict[str, Any] = api.post("/api/v1/plan", files.whole(parts), follow.POLL, action=action, **flags)
        follow.require(answer["operations"])
        running = [follow.standing(each) for each in answer["operations"] if each["state"] == "running"]
        if running:
            raise CommandError(f"the plan is not ready after {follow.POLL} s: {', '.join(running)}")
    except CommandError as error:
        error.findings = files.located(parts, error.findings)
        raise
    return answer


def _how_to_execute(action: Action, names: list[str], insecure: bool, operations: list[dict[str, Any]]) -> None:
    """Print the plans' ids and the command that executes exactly these plans, or nothing."""
    ids = [each["plan"] for each in operations if each.get("plan")]
    if not ids or not plans.differs(operations):
        return
    words = ["nautes", action, *(part for each in names for part in ("-f", each)), *(["-i"] if insecure else [])]
    words += [part for each in ids for part in ("--plan", each)]
    numbers = {each["deletions"] for each in operations if each.get("confirm")}
    if len(numbers) == 1:  # several products with different numbers are confirmed one after the other
        words += ["--confirm-deletions", str(numbers.pop())]
    show.line(f"to execute exactly this plan: {shlex.join(words)}")
