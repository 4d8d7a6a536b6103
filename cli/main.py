"""`nautes`: the command line. Talks to the API only; exit codes 0, 1 (refused or failed), 2 (usage)."""

from __future__ import annotations

import os
import sys
import time
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli import files, show
from cli.client import SANDBOX, USAGE, Api, CommandError, connect
from cli.sandbox import sandbox

app = typer.Typer(no_args_is_help=True, add_completion=True, help="Nautes on Temporal", pretty_exceptions_enable=False)
app.add_typer(sandbox, name="sandbox", help="The embedded world on this machine.")

Files = Annotated[list[str], typer.Option("-f", "--file", help="File, directory, glob, or - for standard input.")]
Product = Annotated[str, typer.Option("-p", "--product", envvar="PRODUCT", help="Product (path of its group).")]
Output = Annotated[Literal["wide", "json", "yaml"], typer.Option("-o", "--output", help="How to print it.")]
Wait = Annotated[int, typer.Option(min=0, help="Seconds to wait for the end; 0 only queues.")]
KINDS = {
    "clusters": ("cluster", "cls"),
    "products": ("product", "prod", "prods"),
    "environments": ("environment", "env", "envs"),
    "projects": ("project", "pro", "pros", "proj"),
    "coderepos": ("coderepo", "cr", "crs"),
    "coderepobindings": ("coderepobinding", "crb", "crbs"),
    "projectpipelineruntimes": ("projectpipelineruntime", "ppr", "pprs"),
    "deploymentruntimes": ("deploymentruntime", "dr", "drs"),
    "runs": ("run",),
}
POLL = 30  # seconds one request may wait for an end
_target: dict[str, str] = {"server": "", "token": ""}


@app.callback()
def common(
    server: Annotated[str, typer.Option("-s", "--api-server", help="Address of the API [env: API_SERVER].")] = "",
    token: Annotated[str, typer.Option("-t", "--token", help="GitLab token [env: GIT_TOKEN].")] = "",
) -> None:
    """Flags of every command."""
    _target.update(server=server, token=token)


def _api() -> Api:
    return connect(_target["server"], _target["token"])


@app.command()
def apply(
    file: Files,
    wait: Wait = 600,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, change nothing.")] = False,
    insecure: Annotated[
        bool, typer.Option("-i", "--insecure", help="Skip the rules (recorded with your name).")
    ] = False,
) -> None:
    """Apply manifests as one change."""
    _change("apply", file, wait, dry_run, insecure)


@app.command()
def remove(
    file: Files,
    wait: Wait = 600,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, change nothing.")] = False,
    insecure: Annotated[
        bool, typer.Option("-i", "--insecure", help="Skip the rules (recorded with your name).")
    ] = False,
) -> None:
    """Remove what manifests name, in reverse order."""
    _change("remove", file, wait, dry_run, insecure)


def _change(action: str, names: list[str], wait: int, dry_run: bool, insecure: bool) -> None:
    parts = files.read(names)
    files.check(parts)
    flags: dict[str, Any] = {"dry_run": dry_run, "insecure_skip_check": insecure}
    api, deadline = _api(), time.monotonic() + wait
    with _busy(f"{action} {len(parts)} files"):
        first = min(wait, POLL)
        answer = api.post(f"/api/v1/{action}", files.whole(parts), first, wait=first, **flags)
        answer["operations"] = [_followed(api, each, deadline) for each in answer["operations"]]
    running = [_standing(each) for each in answer["operations"] if each["state"] == "running"]
    if dry_run and not running:
        show.plan(answer)
    else:
        show.operations(answer)
    if wait and running:
        raise CommandError(f"not at its end after {wait} s: {', '.join(running)}")


def _standing(operation: dict[str, Any]) -> str:
    """Where an operation is that has not ended, and what it waits for."""
    retry = operation.get("retry")
    what = f", {retry['step']} failed {retry['attempt'] - 1} times, last: {retry['error']}" if retry else ""
    return f"{operation['operation']} ({operation.get('step') or 'queued'}{what})"


def _followed(api: Api, operation: dict[str, Any], deadline: float) -> dict[str, Any]:
    """The operation at its end, or as it is at the deadline. Raises `CommandError` when it was refused."""
    found = operation
    while found["state"] == "running" and (left := deadline - time.monotonic()) > 0:
        wait = min(left, POLL)
        found = {**operation, **api.get(f"/api/v1/operations/{quote(operation['operation'])}", wait, wait=wait)}
    if found["state"] not in ("running", "done"):
        undone = f"; undone: {', '.join(found['undone'])}" if found["undone"] else ""
        raise CommandError(f"{found['message']}{undone}", findings=found["findings"])
    return found


@app.command()
def get(
    kind: Annotated[str, typer.Argument(help="Kind, plural or short name; or runs.")],
    names: Annotated[list[str] | None, typer.Argument(help="Only these.")] = None,
    product: Product = "",
    output: Output = "wide",
) -> None:
    """List resources, or runs."""
    plural = next((each for each, others in KINDS.items() if kind.lower() in (each, *others)), None)
    if plural is None:
        raise CommandError(f"unknown kind {kind}; known: {', '.join(KINDS)}", USAGE)
    if plural not in ("clusters", "products") and not product:
        raise CommandError(f"{plural} belong to a product: use -p", USAGE)
    base = "/api/v1" if plural in ("clusters", "products") else f"/api/v1/products/{_quoted(product)}"
    answer = _api().get(f"{base}/{plural}")
    items = answer if isinstance(answer, list) else answer["items"]
    if plural == "runs":
        items = [{"run": _run_id(each), **each} for each in items]
    if names:
        items = [each for each in items if each.get("name") in names or each.get("run") in names]
        missing = sorted({*names} - {each.get("name") for each in items} - {each.get("run") for each in items})
        if missing:
            raise CommandError(f"there is no {plural} {', '.join(missing)}")
    if output == "wide":
        show.table(plural, items)
    else:
        show.data({"items": items}, output)


@app.command()
def describe(what: Annotated[str, typer.Argument(help="run/<id>")], output: Output = "yaml") -> None:
    """Everything about one run."""
    if not what.startswith("run/"):
        raise CommandError("describe knows run/<id>", USAGE)
    show.data(_api().get(f"/api/v1/runs/{quote(what)}"), "json" if output == "json" else "yaml")


@app.command()
def status(
    product: Annotated[str, typer.Argument()] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also what is as declared.")] = False,
    output: Output = "wide",
) -> None:
    """The tree of a product: environments, runtimes, objects; only what is not healthy unless --all."""
    api = _api()
    named = [product] if product else [each["name"] for each in api.get("/api/v1/products")["items"]]
    trees = []
    for each in named:
        try:
            trees.append(api.get(f"/api/v1/products/{_quoted(each)}/status"))
        except CommandError as error:
            if product:
                raise
            show.err.print(show.plain(f"{each}: {error}"), markup=False)  # one must not hide the others
    if output != "wide":
        show.data(trees[0] if product else trees, output)
        return
    for tree in trees:
        show.product_tree(tree, everything=everything)
        if tree["ui"]:
            show.out.print(f"Temporal UI: {tree['ui']}")


@app.command()
def explain(what: Annotated[str, typer.Argument(help="deployment/<product>/<name>")], product: Product = "") -> None:
    """Why is it not ready: one line."""
    kind, path, name = _runtime(what, product)
    show.line(_api().get(f"/api/v1/explain/{kind}/{_quoted(path)}/{_quoted(name)}")["line"])


@app.command()
def wait(
    what: Annotated[str, typer.Argument(help="deployment/<name> or pipeline/<name>")],
    product: Product = "",
    condition: Annotated[str, typer.Option("--for", help="converged or ready.")] = "converged",
    timeout: Annotated[float, typer.Option(help="Seconds.")] = 300.0,
) -> None:
    """Wait until a runtime is as declared."""
    if condition not in ("converged", "ready"):
        raise CommandError("--for is converged or ready", USAGE)
    kind, path, name = _runtime(what, product)
    api, deadline = _api(), time.monotonic() + timeout
    with _busy(f"waiting for {what}"):
        while True:
            found = api.get(f"/api/v1/explain/{kind}/{_quoted(path)}/{_quoted(name)}")
            if found["ready"]:
                break
            if time.monotonic() > deadline:
                raise CommandError(found["line"])
            time.sleep(0.3)
    show.line(found["line"])


@app.command()
def cancel(operation: Annotated[str, typer.Argument(help="change/... or registration/...")]) -> None:
    """Cancel an operation: what it did is undone."""
    show.line(_api().post(f"/api/v1/operations/{quote(operation)}/cancel")["state"])


def _command(name: str, what: str, product: str, **query: Any) -> None:
    kind, path, runtime = _runtime(what, product)
    if kind != "deployment":
        raise CommandError(f"{name} is for deployments", USAGE)
    path = f"/api/v1/products/{_quoted(path)}/deploymentruntimes/{_quoted(runtime)}/{name}"
    show.line(f"{runtime} is {_api().post(path, **query)['phase']}")


@app.command()
def pause(what: str, product: Product = "") -> None:
    """Stop correcting a deployment; it goes on watching."""
    _command("pause", what, product)


@app.command()
def resume(what: str, product: Product = "") -> None:
    """Correct again, and follow the revision again."""
    _command("resume", what, product)


@app.command()
def sync(what: str, product: Product = "") -> None:
    """Look now."""
    _command("sync", what, product)


@app.command()
def rollback(what: str, commit: str, product: Product = "") -> None:
    """Pin an earlier commit until `resume`."""
    _command("rollback", what, product, commit=commit)


@app.command()
def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running at the end, product included.")
    ] = False,
    directory: Annotated[Path, typer.Option(help="Where the sandbox lives.")] = SANDBOX,
) -> None:
    """Carry out the main process on embedded servers and say how it went."""
    from cli.demo import play  # brings the servers' modules, which no other command needs

    raise typer.Exit(play(directory, keep=keep))


@app.command()
def version() -> None:
    """The version of this command."""
    show.out.print(installed("nautes"))


def _runtime(what: str, product: str) -> tuple[str, str, str]:
    """(kind, product, name) of deployment/<product>/<name>, deployment/<name> or <name>."""
    kind, _, rest = (
        what.partition("/") if what.partition("/")[0] in ("deployment", "pipeline") else ("deployment", "", what)
    )
    path, _, name = rest.rpartition("/")
    path = path or product
    if not path or not name:
        raise CommandError("name it as deployment/<product>/<name>, or use -p", USAGE)
    return kind, path, name


def _run_id(run: dict[str, Any]) -> str:
    return f"run/{run['product']}/{run['runtime']}/{run['event']}-{run['trigger']}-{run['pipeline']}"


def _quoted(path: str) -> str:
    return quote(path, safe="")


def _busy(what: str) -> Progress:
    """A spinner with the time on a terminal, nothing in a pipe."""
    progress = Progress(
        SpinnerColumn(),
        TextColumn(what),
        TimeElapsedColumn(),
        console=show.err,
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    progress.add_task(what, total=None)
    return progress


def main() -> None:
    """Run a command; errors go to standard error. Ends with `SystemExit`."""
    try:
        app()
    except CommandError as error:
        show.findings(error.findings)
        show.err.print(show.plain(f"nautes: {error}"), markup=False)
        sys.exit(error.exit_code)


def entry() -> None:
    """The command `nautes`: `main` in a process of its own."""
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    if (
        "temporalio" in sys.modules
    ):  # the sandbox's commands: Temporal's core may abort while the interpreter is taken down
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    entry()
