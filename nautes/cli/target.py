"""Address and token of the API: from flags, then the environment, then the sandbox of the current directory, then `nautes login`.

A kept token is sent only to the server it was kept for, the sandbox's token only to the sandbox.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from nautes.cli import credentials, show
from nautes.cli.client import USAGE, Api, CommandError

SANDBOX = Path(".sandbox")


def connect(server: str, token: str) -> Api:
    """The API named by flags, environment, the sandbox here or a login. Raises `CommandError` when nothing names one."""
    server = address(server)
    named = token or os.environ.get("GIT_TOKEN", "") or _file_token()
    token = checked(named or _sandbox_token(server) or credentials.recall(server))
    if not token:
        raise CommandError("no token: use -t, GIT_TOKEN, NAUTES_TOKEN_FILE or nautes login", USAGE)
    return Api(server, token)


def address(server: str) -> str:
    """The address of the API, without a slash at its end. Raises `CommandError` when nothing names one."""
    server = server or os.environ.get("API_SERVER", "") or _sandbox_server() or credentials.last_server()
    if not server:
        raise CommandError("no API server: use -s, API_SERVER, nautes login, or start a sandbox here", USAGE)
    return server.rstrip("/")


def checked(token: str) -> str:
    """The token without white space around it, hidden in all output from now on. Raises `CommandError`."""
    token = token.strip()
    if not (token.isascii() and token.isprintable()):
        raise CommandError("the token holds characters that no token has", USAGE)
    show.hide(token)
    return token


def _sandbox_server() -> str:
    ports = SANDBOX / "ports.json"
    return f"http://127.0.0.1:{json.loads(ports.read_text())['api']}" if ports.exists() else ""


def _sandbox_token(server: str) -> str:
    path = SANDBOX / "secrets" / "gitlab-root"
    return _read(path) if server == _sandbox_server() and path.exists() else ""


def _file_token() -> str:
    named = os.environ.get("NAUTES_TOKEN_FILE")
    return _read(Path(named)) if named else ""


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"the token file {path} cannot be read ({type(error).__name__})", USAGE) from None
