"""What all distributions of this repository have in common: version, licence and Python, from the root's pyproject.toml.

A metadata hook of hatchling, for deploy/server/pyproject.toml and sandbox/pyproject.toml. `needs` names distributions of
ours that have to be of the very same version.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

ROOT = Path(__file__).resolve().parents[1]


class Release(MetadataHookInterface):
    """Fills in the fields that the distribution's own file declares as dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Called by hatchling with the metadata as the file has it."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        metadata.update({name: project[name] for name in ("version", "license", "requires-python")})
        metadata["dependencies"] = [f"{each}=={project['version']}" for each in self.config["needs"]]
