"""`nautes`: the command line. Talks to the API only; exit codes 0, 1 (refused or failed), 2 (usage).

Commands that use the API take `-s` and `-t` before and behind their name. Slow imports are made when needed: `--help` is quick.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from nautes.cli import changes, login, operations, options, reading, show
from nautes.cli.client import USAGE, Api, CommandError
from nautes.cli.sandbox import require_sandbox, sandbox
from nautes.cli.target import SANDBOX

app = typer.Typer(no_args_is_help=True, add_completion=True, help="Nautes on Temporal", pretty_exceptions_enable=False)
REACHING = (
    *(changes.apply, changes.remove, changes.plan, changes.diff, changes.delete),
    *(reading.get, reading.describe, reading.status, reading.explain, reading.history),
    *(operations.wait, operations.events, operations.cancel, operations.retry),
    *(operations.pause, operations.resume, operations.sync, operations.rollback),
    login.login,
)
for command in REACHING:
    app.command()(options.reaching(command))
app.add_typer(sandbox, name="sandbox", help="The embedded world on this machine.")


@app.callback()
def common(api_server: options.Server = "", token: options.Token = "") -> None:
    """Flags of every command."""
    options.remember(api_server, token, anew=True)


@app.command()
def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running at the end, product included.")
    ] = False,
    directory: Annotated[Path, typer.Option(help="Directory of the sandbox.")] = SANDBOX,
) -> None:
    """Carry out the main process on embedded servers and report each step."""
    require_sandbox()
    from nautes.cli.demo import play  # imports the servers' modules, which no other command needs

    raise typer.Exit(play(directory, keep=keep))


@app.command()
def completion(shell: Literal["bash", "zsh", "fish"]) -> None:
    """Print the completion script of a shell: `source <(nautes completion bash)`."""
    os.environ["_NAUTES_COMPLETE"] = f"source_{shell}"  # the shells use the same call
    app([], prog_name="nautes")


def version(output: options.Output = "wide") -> None:
    """The version of this command, and of the API when one can be reached."""
    from importlib.metadata import version as installed

    found: dict[str, Any] = {"client": installed("nautes")}
    try:
        server = options.server()
        described = Api(server, "", timeout=0).get("/openapi.json")
        found["server"] = {"address": server, "version": str(described.get("info", {}).get("version", "unknown"))}
    except CommandError as error:
        if error.exit_code != USAGE:
            show.note(str(error))
    if output == "wide":
        show.line(found["client"])
        if "server" in found:
            show.line(f"API {found['server']['version']} at {found['server']['address']}")
    else:
        show.data(found, output)


app.command()(options.reaching(version))


def main() -> None:
    """Run a command; errors go to standard error. Ends with `SystemExit`."""
    try:
        app()
    except CommandError as error:
        show.findings(error.findings)
        show.err.print(show.plain(f"nautes: {error}"), markup=False)
        sys.exit(error.exit_code)


def entry() -> None:
    """The entry point of the command `nautes`."""
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
