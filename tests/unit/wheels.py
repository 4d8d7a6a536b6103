"""The three distributions as their pyproject.toml files describe them, and their wheels. Used by the tests beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"nautes": ".", "nautes-server": "deploy/server", "nautes-sandbox": "sandbox"}


def project(name: str) -> dict[str, Any]:
    """pyproject.toml of a distribution."""
    return tomllib.loads((ROOT / FOLDERS[name] / "pyproject.toml").read_text())


def sources(name: str) -> dict[str, str]:
    """What a wheel holds -> where that lies in the repository; both are files or folders."""
    wheel = project(name)["tool"]["hatch"]["build"]["targets"]["wheel"]
    found = {Path(each).name: each for each in wheel.get("packages", [])}
    found |= {inside: outside for outside, inside in wheel.get("force-include", {}).items()}
    return {inside: os.path.normpath(Path(FOLDERS[name], outside)) for inside, outside in found.items()}


def files(root: Path, name: str) -> set[str]:
    """Paths in a wheel that is built from `root`, its metadata apart."""
    found = set()
    for inside, outside in sources(name).items():
        for path in [root / outside, *(root / outside).rglob("*")]:
            if path.is_file() and "__pycache__" not in path.parts:
                found.add(os.path.normpath(Path(inside, path.relative_to(root / outside))))
    return found


def build(root: Path, name: str, directory: Path) -> Path:
    """The wheel of a distribution, built from a copy of the repository or from itself, as pip does it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=root / FOLDERS[name], check=True, capture_output=True, timeout=60)
    [wheel] = directory.glob(f"{name.replace('-', '_')}-[0-9]*.whl")
    return wheel


def held(wheel: Path) -> set[str]:
    """Paths in a wheel, its metadata apart."""
    with zipfile.ZipFile(wheel) as archive:
        return {each for each in archive.namelist() if ".dist-info/" not in each}
