"""Tokens that are kept: checked first, in the keyring where there is one, else in a file that only its owner reads."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import KeyringLocked, PasswordDeleteError

from tests.unit.cli.fake import TOKEN, Asked, FakeApi, Nautes, Reply, problem
from tests.unit.cli.terminal import on_terminal

FILE = Path("config/nautes/credentials.json")


class Memory(KeyringBackend):
    """A keyring that really keeps what it is given, in memory."""

    priority = 5.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[(service, username)] = password

    def delete_password(self, service: str, username: str) -> None:
        if (service, username) not in self.kept:
            raise PasswordDeleteError("not there")
        del self.kept[(service, username)]


class Locked(Memory):
    """A keyring whose owner does not unlock it."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked("locked")

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("locked")


@pytest.fixture(autouse=True)
def no_keyring() -> Iterator[None]:
    """A system without a keyring, unless the test sets one."""
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(fail.Keyring())


@pytest.fixture
def server(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """An API that knows one token; the environment names neither."""

    def products(asked: Asked) -> Reply:
        if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
            return problem(401, "token-invalid", "GitLab does not know this token")
        return Reply(json={"items": [{"name": "shop"}], "next": None})

    api.on("GET", "/api/v1/products", products)
    monkeypatch.delenv("GIT_TOKEN")
    monkeypatch.delenv("API_SERVER")
    return api


def _kept() -> Any:
    return json.loads(FILE.read_text())


def test_without_a_keyring_it_is_a_file_only_its_owner_reads(nautes: Nautes, server: FakeApi) -> None:
    Path("config/nautes").mkdir(parents=True, mode=0o755)
    ended = nautes("login", "-s", f"{server.url}/", "-t", TOKEN)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"the token for {server.url} is kept in {FILE.resolve()}\n"
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o600
    assert stat.S_IMODE(FILE.parent.stat().st_mode) == 0o700
    assert [each.name for each in FILE.parent.iterdir()] == [FILE.name], "nothing half written is left"
    assert _kept() == {"server": server.url, "servers": {server.url: {"token": TOKEN}}}
    assert nautes("get", "products", "-o", "name").out == "Product/shop\n", "server and token are known from now on"


def test_where_the_keyrings_library_is_not_installed_it_is_the_file(
    nautes: Nautes, server: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    ended = nautes("login", "-s", server.url, "-t", TOKEN)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"the token for {server.url} is kept in {FILE.resolve()}\n"
    assert nautes("get", "products", "-o", "name").out == "Product/shop\n"
    assert nautes("login", "--logout", "-s", server.url).code == 0
    assert _kept()["servers"] == {}


def test_a_keyring_that_keeps_nothing_is_none(nautes: Nautes, server: FakeApi) -> None:
    keyring.set_keyring(null.Keyring())
    assert nautes("login", "-s", server.url, "-t", TOKEN).code == 0
    assert _kept()["servers"] == {server.url: {"token": TOKEN}}


def test_with_a_keyring_no_file_holds_the_token(nautes: Nautes, server: FakeApi) -> None:
    memory = Memory()
    keyring.set_keyring(memory)
    ended = nautes("login", "-s", server.url, stdin=f"{TOKEN}\n")
    assert (ended.code, "is kept in the system keyring" in ended.out) == (0, True)
    assert memory.kept == {("nautes", server.url): TOKEN}
    assert TOKEN not in FILE.read_text()
    assert nautes("get", "products", "-o", "name").out == "Product/shop\n"


def test_a_locked_keyring_is_no_keyring_when_logging_in(nautes: Nautes, server: FakeApi) -> None:
    keyring.set_keyring(Locked())
    assert nautes("login", "-s", server.url, "-t", TOKEN).code == 0
    assert _kept()["servers"] == {server.url: {"token": TOKEN}}


def test_a_keyring_that_was_locked_since_is_reported(nautes: Nautes, server: FakeApi) -> None:
    keyring.set_keyring(Memory())
    nautes("login", "-s", server.url, "-t", TOKEN)
    keyring.set_keyring(Locked())
    ended = nautes("get", "products")
    assert (ended.code, ended.err) == (1, "nautes: the system keyring cannot be read (KeyringLocked)\n")


def test_a_token_that_nobody_knows_is_not_kept(nautes: Nautes, server: FakeApi) -> None:
    ended = nautes("login", "-s", server.url, "-t", "glpat-of-nobody")
    assert (ended.code, ended.out, ended.err) == (1, "", "nautes: GitLab does not know this token\n")
    assert not FILE.exists()


def test_a_token_goes_to_its_own_server_only(nautes: Nautes, server: FakeApi) -> None:
    assert nautes("login", "-s", server.url, "-t", TOKEN).code == 0
    ended = nautes("get", "products", "-s", "http://elsewhere.invalid")
    assert (ended.code, "no token" in ended.err) == (2, True)


@pytest.mark.parametrize("with_keyring", [False, True])
def test_logout_forgets_the_token_and_the_server(with_keyring: bool, nautes: Nautes, server: FakeApi) -> None:
    memory = Memory()
    keyring.set_keyring(memory if with_keyring else fail.Keyring())
    assert nautes("login", "-s", server.url, "-t", TOKEN).code == 0
    assert nautes("login", "--logout").out == f"the token for {server.url} is forgotten\n"
    assert (_kept(), memory.kept) == ({"server": "", "servers": {}}, {})
    assert "no API server" in nautes("get", "products").err
    ended = nautes("login", "--logout", "-s", server.url)
    assert (ended.code, ended.err) == (1, f"nautes: no token is kept for {server.url}\n")


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ('{"server": "http://x", "servers": {}}', 0o644, "may be read by others"),
        ("not json", 0o600, "cannot be read (JSONDecodeError)"),
        ("[]", 0o600, "cannot be read (TypeError)"),
    ],
)
def test_a_file_that_is_not_as_it_was_left_is_not_used(
    text: str, mode: int, says: str, nautes: Nautes, server: FakeApi
) -> None:
    FILE.parent.mkdir(parents=True)
    FILE.write_text(text)
    FILE.chmod(mode)
    ended = nautes("get", "products")
    assert (ended.code, says in ended.err) == (2, True)
    assert nautes("login", "-s", server.url, "-t", TOKEN).code == 0
    assert nautes("get", "products").code == 0


def test_the_environment_comes_first_and_login_says_so(
    nautes: Nautes, server: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TOKEN", "glpat-of-the-environment")
    ended = nautes("login", "-s", server.url, "-t", TOKEN)
    assert ended.err == "note: GIT_TOKEN is set and takes precedence over the token that is kept\n"
    assert nautes("get", "products").code == 1
    assert server.last("GET").headers["Authorization"] == "Bearer glpat-of-the-environment"


def test_on_a_terminal_the_token_is_typed_unseen(server: FakeApi) -> None:
    code, shown = on_terminal("login", "-s", server.url, answers=((f"GitLab token for {server.url}:", TOKEN),))
    assert (code, TOKEN in shown) == (0, False)
    assert _kept()["servers"] == {server.url: {"token": TOKEN}}
