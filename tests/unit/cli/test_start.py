"""How the command starts: quickly, because nothing heavy is loaded before it is needed; its version; completion for shells."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from nautes_sandbox.process import free_port
from tests.unit.cli.fake import FakeApi, Nautes, Reply

ROOT = Path(__file__).resolve().parents[3]
HEAVY = (
    "httpx2",
    "yaml",
    "rich.progress",
    "keyring",
    "nautes.resources.manifest",
    "temporalio",
    "nautes_sandbox",
    "fastapi",
)


def _python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_help_loads_nothing_heavy() -> None:
    code = f"""
import contextlib, sys
sys.argv = ["nautes", "--help"]
from nautes.cli.main import main
with contextlib.suppress(SystemExit):
    main()
print("loaded:", [each for each in {HEAVY!r} if each in sys.modules])
"""
    assert _python(code).splitlines()[-1] == "loaded: []"


@pytest.mark.parametrize("command", [["demo"], *(["sandbox", each] for each in ("up", "down", "status", "reset"))])
def test_without_the_sandbox_its_commands_say_what_to_install(
    command: list[str], nautes: Nautes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nautes_sandbox", None)
    ended = nautes(*command)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "nautes: the embedded servers are not installed: pip install nautes-sandbox\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, nautes: Nautes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_NAUTES_COMPLETE", "")  # is set by the command: forgotten with the test
    ended = nautes("completion", shell)
    assert (ended.code, ended.err) == (0, "")
    assert f"_NAUTES_COMPLETE=complete_{shell}" in ended.out
    checker = shutil.which(shell)
    if checker and shell != "fish":
        subprocess.run([checker, "-n"], input=ended.out, text=True, check=True, timeout=30)


def test_kinds_and_commands_are_completed() -> None:
    code = 'from nautes.cli.main import app; app(prog_name="nautes")'
    for words, expected in (("nautes hist", "history"), ("nautes get dep", "deploymentruntimes")):
        count = str(len(words.split()) - 1)
        found = _python(code, _NAUTES_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=count)
        assert found.split() == [expected]


def test_the_version_of_the_command_and_of_the_api(
    nautes: Nautes, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_TOKEN")
    api.on("GET", "/openapi.json", Reply(json={"openapi": "3.1.0", "info": {"title": "Nautes", "version": "1"}}))
    mine = version("nautes")
    assert nautes("version").out == f"{mine}\nAPI 1 at {api.url}\n"
    found = json.loads(nautes("version", "-o", "json").out)
    assert found == {"client": mine, "server": {"address": api.url, "version": "1"}}
    monkeypatch.delenv("API_SERVER")
    ended = nautes("version")
    assert (ended.code, ended.out, ended.err) == (0, f"{mine}\n", "")


def test_the_version_is_told_although_the_api_is_away(nautes: Nautes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nautes.cli.client.TIMEOUT", 3600.0)
    server = f"http://127.0.0.1:{free_port()}"
    ended = nautes("version", "-s", server)
    assert (ended.code, ended.out) == (0, f"{version('nautes')}\n")
    assert ended.err == f"note: {server} cannot be reached (ConnectError)\n"
