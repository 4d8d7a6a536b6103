"""Options that commands share, and the two that every command takes before its name and behind it.

Users of the original write `nautes apply -f x -t TOKEN -s URL`; others write them first.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_type_hints

import typer

from nautes.cli import kinds
from nautes.cli.client import Api
from nautes.cli.target import address, connect

Server = Annotated[str, typer.Option("-s", "--api-server", help="Address of the API (env: API_SERVER).")]
Token = Annotated[str, typer.Option("-t", "--token", help="GitLab token (env: GIT_TOKEN).")]
Files = Annotated[list[str], typer.Option("-f", "--file", help="File, directory, glob, or - for standard input.")]
Product = Annotated[str, typer.Option("-p", "--product", envvar="PRODUCT", help="Product (path of its group).")]
Form = Literal["wide", "json", "yaml"]
Output = Annotated[Form, typer.Option("-o", "--output", help="Format of the output.")]
Wait = Annotated[int, typer.Option(min=0, help="Seconds to wait for the end; 0 only queues.")]
Insecure = Annotated[bool, typer.Option("-i", "--insecure", help="Skip the rules (recorded with your name).")]
Confirmed = Annotated[
    int | None, typer.Option("--confirm-deletions", min=0, metavar="N", help="Number of deletions, as confirmation.")
]
Plans = Annotated[
    list[str] | None, typer.Option("--plan", metavar="ID", help="Do only what this plan shows; may be repeated.")
]
Kind = Annotated[
    str, typer.Argument(help="Kind, plural or short name; or runs.", autocompletion=lambda: list(kinds.KINDS))
]
_target = {"server": "", "token": ""}


def remember(server: str, token: str, *, anew: bool = False) -> None:
    """Store the flags; a flag behind the command takes precedence over one before it."""
    if anew:
        _target.update(server="", token="")
    _target.update({name: value for name, value in (("server", server), ("token", token)) if value})


def api() -> Api:
    """The API this command talks to."""
    return connect(_target["server"], _target["token"])


def server() -> str:
    """The address alone, for commands that need no token."""
    return address(_target["server"])


def token() -> str:
    """The token of the flag, "" when there is none."""
    return _target["token"]


def reaching(command: Callable[..., None]) -> Callable[..., None]:
    """The command with `-s` and `-t` behind its name as well."""

    @functools.wraps(command)
    def run(*arguments: Any, api_server: str, token: str, **named: Any) -> None:
        remember(api_server, token)
        command(*arguments, **named)

    hints = {**get_type_hints(command, include_extras=True), "api_server": Server, "token": Token}
    own = inspect.signature(command, eval_str=True)
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default="", annotation=hints[name])
        for name in ("api_server", "token")
    ]
    run.__annotations__ = hints
    run.__signature__ = own.replace(parameters=[*own.parameters.values(), *more])  # type: ignore[attr-defined]
    return run
