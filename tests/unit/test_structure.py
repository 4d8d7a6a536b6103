"""How the house is built: what no single package's tests can see, and what the import rules cannot say."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.unit.wheels import FOLDERS, ROOT, sources

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")
UNPACKAGED = {"tests", "bench", "deploy", "docs", "examples"}  # no code of a wheel
MACHINE = re.compile(r"(?<![\w.$}/~-])/(?:home|Users|root|work|mnt|media|private)/[\w.-]+")
HOST = re.compile(r"https?://([A-Za-z0-9.-]+\.[A-Za-z]{2,})")
# Addresses may be of the project's own documents, of made-up places and of what a name is defined by; a registry never.
FOREIGN = re.compile(r"pypi|pythonhosted|artifactory|nexus|index-url|devpi|mirror", re.IGNORECASE)


@functools.cache
def tracked() -> list[Path]:
    """Every text file that is in Git, or will be with the next commit."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def imported(path: Path) -> set[str]:
    """Top-level names of the modules a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name.split(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@functools.cache
def packages() -> set[str]:
    """Top-level packages: directories with Python in them that are meant to be installed."""
    found = {each.relative_to(ROOT).parts[0] for each in tracked() if each.suffix == ".py"}
    return found - UNPACKAGED - {"worker.py"}


def targets() -> dict[str, bool]:
    """Targets of the Makefile people call -> whether `make help` shows them."""
    lines = re.findall(r"^([a-z]+):([^=].*)?$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {name: "##" in rest for name, rest in lines}


def test_nothing_installed_imports_the_composition_root() -> None:
    guilty = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in packages() and "worker" in imported(path)
    ]
    assert guilty == []


def test_nothing_installed_imports_tests_or_measurements() -> None:
    for path in tracked():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in packages() | {"worker.py"}:
            assert not imported(path) & UNPACKAGED, path


def test_every_package_is_in_one_wheel_and_typed_and_layered() -> None:
    shipped = [each for name in FOLDERS for each in sources(name).values()]
    assert len(set(shipped)) == len(shipped), "nothing is in two of them"
    assert all((ROOT / each).exists() for each in shipped), "nothing is listed that is not there"
    assert "worker.py" in shipped and packages() <= {each.partition("/")[0] for each in shipped}
    code = {Path(each).name for each in shipped if any((ROOT / each).rglob("*.py"))} - {"examples"}
    assert code == set(PROJECT["tool"]["mypy"]["packages"])
    assert code == set(PROJECT["tool"]["importlinter"]["root_packages"])


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_versions_and_hashes_and_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text and "--index" not in text and "--find-links" not in text and " @ " not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    for entry in (each for each in entries if not each.startswith("#")):
        name, *hashes = entry.split(" \\\n    ")
        assert re.match(r"^[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==[\w.+!-]+( ; .+)?$", name), name
        assert hashes and all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each.strip()) for each in hashes), name


def test_the_locks_have_every_dependency_and_what_only_developers_need_is_not_in_the_image() -> None:
    project = PROJECT["project"]
    extra = {name: _names(each) for name, each in project["optional-dependencies"].items()}
    runtime, build = _names(project["dependencies"]) | extra["server"], _names(PROJECT["dependency-groups"]["build"])
    extras = set().union(*extra.values())
    locked = {lock: set(_locked(lock)) for lock in LOCKS}
    assert runtime <= locked["requirements.lock"]
    assert build <= locked["requirements-build.lock"]
    assert runtime | build | extras <= locked["requirements-dev.lock"] | {"nautes"}
    away = extra["sandbox"] | extra["keyring"] | build | {"pytest", "mypy", "ruff", "schemathesis"}
    assert not locked["requirements.lock"] & away


def test_all_locks_agree_on_versions() -> None:
    developers = _locked("requirements-dev.lock")
    for lock in LOCKS:
        assert _locked(lock).items() <= developers.items(), lock


def test_no_file_names_a_path_of_somebodys_machine_or_a_package_host() -> None:
    guilty = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if path == Path(__file__).resolve():
            continue
        found = [match[0] for match in MACHINE.finditer(text)]
        found += [match[0] for match in HOST.finditer(text) if FOREIGN.search(match[1])]
        guilty += [f"{path.relative_to(ROOT)}: {each}" for each in found]
    assert guilty == []


@pytest.mark.parametrize("target", targets())
def test_everyday_commands_are_written_down(target: str) -> None:
    assert targets()[target] or f"make {target}" in (ROOT / "README.md").read_text()


def test_commands_that_are_written_down_exist() -> None:
    texts = [(ROOT / name).read_text() for name in ("README.md", "deploy/README.md")]
    named = {name for text in texts for name in re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)}
    assert named <= set(targets())
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony and set(phony[1].split()) == set(targets())


def test_what_the_makefile_runs_is_there() -> None:
    named = re.findall(r"[\w/]+\.py\b", (ROOT / "Makefile").read_text())
    assert {f"bench/{name}.py" for name in ("converge", "push")} <= set(named)
    for script in named:
        assert (ROOT / script).is_file(), script


def test_folders_the_readme_explains_exist_and_every_package_is_explained() -> None:
    named = set(re.findall(r"^\| `([\w/.]+?)/?` \|", (ROOT / "README.md").read_text(), re.MULTILINE))
    named = {each.rstrip("/") for each in named}
    assert all((ROOT / each).exists() for each in named)
    row = (ROOT / "README.md").read_text()
    assert all(f"`{each}/`" in row for each in packages())


def test_modules_open_with_their_story() -> None:
    for path in tracked():
        if path.suffix == ".py" and path.name != "__init__.py" and "examples" not in path.parts:
            assert ast.get_docstring(ast.parse(path.read_text())), path


def test_every_activity_is_called_by_a_workflow() -> None:
    code = {path: path.read_text() for path in tracked() if path.suffix == ".py"}
    workflows = "".join(text for path, text in code.items() if path.is_relative_to(ROOT / "workflows"))
    defined = {
        node.name
        for path, text in code.items()
        if path.is_relative_to(ROOT / "activities")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if any("activity.defn" in ast.unparse(each) for each in node.decorator_list)
    }
    assert defined
    assert [each for each in sorted(defined) if not re.search(rf"Activities\.{each}\b", workflows)] == []


def _names(requirements: list[str]) -> set[str]:
    return {_normal(re.split(r"[\[<>=~! ]", each)[0]) for each in requirements}


def _locked(lock: str) -> dict[str, str]:
    """Versions by name."""
    lines = (line for line in (ROOT / lock).read_text().splitlines() if "==" in line)
    return {_normal(re.split(r"[\[=]", line)[0]): line.split("==")[1].split(" ")[0] for line in lines}


def _normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
