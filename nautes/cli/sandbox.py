"""`nautes sandbox up|down|status|reset|logs`: the embedded world of the current directory.

Only this module and demo.py use the distribution `nautes-sandbox`; without it their error names what to install.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nautes.cli import show
from nautes.cli.client import USAGE, CommandError
from nautes.cli.target import SANDBOX

if TYPE_CHECKING:
    from nautes_sandbox.world import World

sandbox = typer.Typer(no_args_is_help=True)
Directory = Annotated[Path, typer.Option(help="Directory of the sandbox.")]


def require_sandbox() -> None:
    """Raise `CommandError` where the embedded world is not installed."""
    if find_spec("nautes_sandbox") is None:
        raise CommandError("the embedded servers are not installed: pip install nautes-sandbox", USAGE)


def _world(directory: Path, kubernetes: str = "auto") -> World:
    require_sandbox()
    from nautes_sandbox.world import World  # slow to import: only these commands need it

    return World(directory, kubernetes=kubernetes)


@sandbox.command()
def up(
    directory: Directory = SANDBOX,
    kubernetes: Annotated[str, typer.Option(help="auto, real or stand-in.")] = "auto",
) -> None:
    """Start what is not running; a second call changes nothing."""
    world = _world(directory, kubernetes)
    from nautes_sandbox.process import ServiceError

    try:
        world.up(lambda name, state: show.out.print(f"{name}: {state}"))
    except (ServiceError, FileNotFoundError) as error:
        raise CommandError(str(error)) from None
    for name, url in (("API", world.api_url), ("Temporal UI", world.temporal_ui_url), ("GitLab", world.gitlab_url)):
        show.out.print(f"{name:12} {url}")


@sandbox.command()
def down(directory: Directory = SANDBOX) -> None:
    """End all processes; data stays."""
    _world(directory).down()


@sandbox.command()
def status(directory: Directory = SANDBOX) -> None:
    """What runs."""
    found = _world(directory).status()
    for name, pid in found.items():
        show.out.print(f"{name:28} {f'running ({pid})' if pid else 'not running'}")
    if not all(found.values()):
        raise typer.Exit(1)


@sandbox.command()
def reset(directory: Directory = SANDBOX) -> None:
    """End all processes and delete all data."""
    _world(directory).reset()


@sandbox.command()
def logs(name: str, directory: Directory = SANDBOX, lines: int = 50) -> None:
    """The end of one process's log."""
    path = _world(directory).supervisor.log(name)
    if not path.exists():
        raise CommandError(f"there is no log of {name}")
    show.out.print("\n".join(path.read_text(errors="replace").splitlines()[-lines:]), markup=False)
