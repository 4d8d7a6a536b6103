"""`nautes login`: checks a GitLab token against the API and keeps it with its server."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from nautes.cli import asking, credentials, options, show
from nautes.cli.client import USAGE, Api, CommandError
from nautes.cli.target import checked

UNKNOWN = 401


def login(
    logout: Annotated[bool, typer.Option("--logout", help="Forget the token that is kept for the server.")] = False,
) -> None:
    """Keep a GitLab token for an API server: from -t, standard input, or typed unseen."""
    server = options.server()
    if logout:
        if not credentials.forget(server):
            raise CommandError(f"no token is kept for {server}")
        show.line(f"the token for {server} is forgotten")
        return
    token = checked(options.token() or _asked(server))
    if not token:
        raise CommandError("no token: use -t, or give it on standard input", USAGE)
    Api(server, token).get("/api/v1/products", limit=1)  # any route refuses an unknown token
    show.line(f"the token for {server} is kept in {credentials.keep(server, token)}")
    for name in ("GIT_TOKEN", "NAUTES_TOKEN_FILE"):
        if os.environ.get(name):
            show.note(f"{name} is set and takes precedence over the token that is kept")


def _asked(server: str) -> str:
    """The first line of a pipe, or what the person types without seeing it."""
    if not asking.terminal():
        return sys.stdin.readline()
    import getpass

    return getpass.getpass(f"GitLab token for {server}: ", sys.stderr)
