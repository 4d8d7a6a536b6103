"""Where `nautes login` keeps tokens, one per API server: the system's keyring where there is one, else a file.

`credentials.json` (mode 0600 in a folder of mode 0700) always knows the servers; it holds tokens only where no keyring does.
Used by nautes/cli/target.py and nautes/cli/login.py. The keyring library is loaded only for a server whose token it holds.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nautes.cli.client import USAGE, CommandError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "nautes"
REAL = 1  # priority from which keyring itself recommends a backend; "fail" and "null" are below


def path() -> Path:
    """The file, by the XDG convention."""
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "nautes" / "credentials.json"


def keep(server: str, token: str) -> str:
    """Keep a token, and its server as the last one; return the place, for display."""
    keyring = _keyring()
    if keyring is not None and _kept(keyring, server, token):
        _write(server, {})
        return f"the system keyring ({keyring.name})"
    _write(server, {"token": token})
    return str(path())


def recall(server: str) -> str:
    """The token kept for a server, "" when there is none. Raises `CommandError` when it cannot be read."""
    known = _read()["servers"].get(server)
    if known is None:
        return ""
    if "token" in known:
        return str(known["token"])
    keyring = _keyring()
    if keyring is None:
        return ""
    try:
        return keyring.get_password(SERVICE, server) or ""
    except Exception as error:  # backends raise what their system raises
        raise CommandError(f"the system keyring cannot be read ({type(error).__name__})") from None


def forget(server: str) -> bool:
    """Forget a server and its token; return whether there was one."""
    known = _read()
    found = known["servers"].pop(server, None)
    if found is None:
        return False
    keyring = _keyring() if "token" not in found else None
    if keyring is not None:
        with contextlib.suppress(Exception):  # it may be gone already
            keyring.delete_password(SERVICE, server)
    _store({**known, "server": "" if known["server"] == server else known["server"]})
    return True


def last_server() -> str:
    """The server of the last login, "" when there was none."""
    return str(_read()["server"])


def _keyring() -> KeyringBackend | None:
    """The keyring, None where the system has none that keeps secrets, or where its library is not installed."""
    try:
        import keyring
    except ImportError:  # comes with the extra `keyring`
        return None
    found = keyring.get_keyring()
    return found if found.priority >= REAL else None


def _kept(keyring: KeyringBackend, server: str, token: str) -> bool:
    """Whether the keyring stored it: a locked or incomplete one does not."""
    try:
        keyring.set_password(SERVICE, server, token)
        return keyring.get_password(SERVICE, server) == token
    except Exception:
        return False


def _read() -> dict[str, Any]:
    file = path()
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise CommandError(f"{file} may be read by others: chmod 600 it, or log in anew", USAGE)
        known = json.loads(file.read_text())
        return {"server": str(known["server"]), "servers": dict(known["servers"])}
    except FileNotFoundError:
        return {"server": "", "servers": {}}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"{file} cannot be read ({type(error).__name__}): remove it and log in anew", USAGE
        ) from None


def _write(server: str, entry: dict[str, str]) -> None:
    try:
        known = _read()
    except CommandError:  # a file that cannot be read, or that others may have read, is replaced
        known = {"server": "", "servers": {}}
    _store({"server": server, "servers": {**known["servers"], server: entry}})


def _store(known: dict[str, Any]) -> None:
    """Replace the file in one step, readable by its owner only."""
    folder = path().parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    number, name = tempfile.mkstemp(dir=folder)  # of mode 0600
    with os.fdopen(number, "w") as file:
        json.dump(known, file, indent=2)
    Path(name).replace(path())
