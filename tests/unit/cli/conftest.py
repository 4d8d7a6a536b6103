"""The command line without any real server: a fake API, an empty directory, no login."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator

import pytest

from nautes.cli import client, show
from nautes.cli.main import main
from tests.unit.cli.fake import TOKEN, Ended, FakeApi, Nautes


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """No server, no token, no login, an empty directory, and no timeout."""
    for name in ("API_SERVER", "GIT_TOKEN", "NAUTES_TOKEN_FILE", "PRODUCT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", f"{tmp_path}/config")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setattr(client, "TIMEOUT", 0.0)
    monkeypatch.setattr(show, "_secrets", set())


@pytest.fixture
def nautes(monkeypatch: pytest.MonkeyPatch) -> Nautes:
    """`nautes ...` in this process, in a pipe; nothing it prints may hold the token."""

    def run(*arguments: str, stdin: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["nautes", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        out, err, code = io.StringIO(), io.StringIO(), 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as ended:
                code = int(ended.code or 0)
        assert TOKEN not in out.getvalue() + err.getvalue()
        return Ended(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """The fake API, named by the environment."""
    with FakeApi().running() as found:
        monkeypatch.setenv("API_SERVER", found.url)
        monkeypatch.setenv("GIT_TOKEN", TOKEN)
        yield found
