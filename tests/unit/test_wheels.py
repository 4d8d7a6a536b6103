"""The three wheels: whole, with names of their own only, of one version; the command alone needs nothing of the server."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement

from tests.unit.cli.fake import TOKEN, FakeApi, Reply
from tests.unit.wheels import FOLDERS, ROOT, build, files, held

CLAIMED = {
    "nautes": {"nautes"},
    "nautes-server": {"workflows", "activities", "api", "worker.py"},
    "nautes-sandbox": {"nautes_sandbox"},
}
# Without the site module nothing of the checkout is on the path; `argv` is: what is unpacked, blocked names, the code.
RUN = """
import json, sys
unpacked, packages, blocked, code = sys.argv[1:5]
class Blocker:
    names = set(json.loads(blocked))
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"{name} is not installed", name=name)
sys.meta_path.insert(0, Blocker())
sys.path[:0] = [unpacked, packages]
sys.argv = ["nautes", *sys.argv[5:]]
exec(code)
"""
COMMAND = "from nautes.cli import client, main; client.TIMEOUT = 0; main.entry()"
LOAD = """
import importlib, pkgutil, nautes
loaded = 0
for each in pkgutil.walk_packages(nautes.__path__, "nautes.", onerror=lambda _: None):
    if not each.name.startswith(("nautes.clients", "nautes.telemetry", "nautes.messages", "nautes.rollout", "nautes.cli.demo")):
        importlib.import_module(each.name)
        loaded += 1
print(loaded)
"""
WHOLE = """
import json, worker, api.app
from activities import components
from nautes_sandbox import scenario, world
print(json.dumps([worker.__file__, str(components.CATALOG), str(scenario.EXAMPLES), components.bundled("bootstrap"),
                  len(components.bundle("tekton-sandbox"))]))
"""


class Installed(NamedTuple):
    """A folder with unpacked wheels, and names that cannot be imported beside them."""

    directory: Path
    blocked: frozenset[str] = frozenset()

    def run(self, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run code there, as in an environment that has these wheels and what they depend on."""
        given = [str(self.directory), sysconfig.get_path("purelib"), json.dumps(sorted(self.blocked)), code]
        command = [sys.executable, "-I", "-S", "-c", RUN, *given, *arguments]
        return subprocess.run(
            command, cwd=self.directory.parent, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("dist")
    return {name: build(ROOT, name, directory) for name in FOLDERS}


@pytest.fixture(scope="module")
def alone(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Only `nautes`: what it does not depend on is not there."""
    directory = tmp_path_factory.mktemp("alone") / "packages"
    _unpack(wheels["nautes"], directory)
    needed = _closure([each for each in _requirements(wheels["nautes"]) if each.marker is None])
    names = importlib.metadata.packages_distributions()
    away = {name for name, owners in names.items() if not {_normal(each) for each in owners} & needed}
    return Installed(directory, frozenset(away - {"nautes"}))


@pytest.fixture(scope="module")
def whole(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """All three."""
    directory = tmp_path_factory.mktemp("whole") / "packages"
    for each in wheels.values():
        _unpack(each, directory)
    return Installed(directory)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi().running() as api:
        yield api


@pytest.mark.parametrize("name", FOLDERS)
def test_a_wheel_holds_its_sources_and_nothing_else(wheels: dict[str, Path], name: str) -> None:
    found = held(wheels[name])
    assert found == files(ROOT, name)
    assert {each.partition("/")[0] for each in found} == CLAIMED[name]


def test_all_are_of_one_version_and_ask_for_each_other_in_that_version(wheels: dict[str, Path]) -> None:
    told = {name: _metadata(wheel) for name, wheel in wheels.items()}
    [version] = {each["Version"] for each in told.values()}
    for other in ("License-Expression", "Requires-Python"):
        assert len({each[other] for each in told.values()}) == 1
    asked = {name: {str(each) for each in _requirements(wheel)} for name, wheel in wheels.items()}
    assert asked["nautes-server"] == {f"nautes[server]=={version}"}
    assert asked["nautes-sandbox"] == {f"nautes-server=={version}", f"nautes[sandbox]=={version}"}


def test_the_command_alone_needs_nothing_of_a_server(alone: Installed) -> None:
    heavy = {"temporalio", "kubernetes", "pygit2", "gitlab", "hvac", "fastapi", "uvicorn", "keyring", "cryptography"}
    assert heavy <= alone.blocked
    done = alone.run(LOAD)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 50
    assert "Usage:" in alone.run(COMMAND, "--help").stdout


def test_the_command_alone_reads_what_an_api_says(alone: Installed, api: FakeApi) -> None:
    api.on("GET", "/api/v1/products", Reply(json={"items": [{"name": "shop"}], "next": None}))
    done = alone.run(COMMAND, "get", "products", "-o", "name", "-s", api.url, "-t", TOKEN)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Product/shop\n", "")


def test_the_command_alone_says_what_is_wrong(alone: Installed) -> None:
    away = ("-s", "http://127.0.0.1:1", "-t", TOKEN)
    for command in (("get", "products"), ("status",)):
        done = alone.run(COMMAND, *command, *away)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "nautes: http://127.0.0.1:1 cannot be reached (ConnectError)\n"
    for command in (("demo",), ("sandbox", "up")):
        done = alone.run(COMMAND, *command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "nautes: the embedded servers are not installed: pip install nautes-sandbox\n"


def test_catalog_and_examples_are_found_in_the_wheels(whole: Installed) -> None:
    done = whole.run(WHOLE)
    assert done.returncode == 0, done.stderr
    worker, catalog, examples, bundled, definitions = json.loads(done.stdout)
    inside = whole.directory
    assert [worker, catalog] == [str(inside / "worker.py"), str(inside / "activities" / "catalog")]
    assert examples == str(inside / "nautes_sandbox" / "examples")
    assert bundled and definitions


def _unpack(wheel: Path, directory: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory)


def _metadata(wheel: Path) -> Any:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def _requirements(wheel: Path) -> list[Requirement]:
    return [Requirement(each) for each in _metadata(wheel).get_all("Requires-Dist") or []]


def _closure(requirements: list[Requirement]) -> set[str]:
    """Names of all distributions that are installed because of these."""
    found: set[str] = set()
    left = list(requirements)
    while left:
        each = left.pop()
        name = _normal(each.name)
        if name not in found and (each.marker is None or each.marker.evaluate({"extra": ""})):
            found.add(name)
            left += [Requirement(more) for more in importlib.metadata.requires(name) or []]
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
