"""Which embedded worlds the tests run in: with real API servers where there are binaries, and with the stand-in everywhere.

Fixtures keep a world for a group of tests (mark xdist_group); tests/conftest.py ends it when the group has ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nautes_sandbox.kubernetes import assets
from nautes_sandbox.world import CLUSTERS, World


def flavours(group: str = "world") -> list[Any]:
    """Parameters of a fixture, one per flavour; all tests of one group and flavour run in one process, where its world is."""
    names = ["real", "stand-in"] if assets.find() else ["stand-in"]
    return [pytest.param(name, marks=pytest.mark.xdist_group(f"{group}-{name}")) for name in names]


def best_flavour() -> str:
    """Real where there are binaries."""
    return "real" if assets.find() else "stand-in"


def in_one_process(items: list[pytest.Item], folder: Path, group: str) -> None:
    """For a conftest.py: all tests of its folder run where their world is."""
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.xdist_group(group))


_up: list[World] = []


@contextmanager
def running(
    directory: Path, flavour: str, *, clusters: Sequence[str] = CLUSTERS, platform: bool = True, **settings: str
) -> Iterator[World]:
    """A world on free ports, ended and forgotten at the end; `settings` are the platform's (NAUTES_*).

    Without the `platform`, worker and API are left to the test.
    """
    world = World(directory, kubernetes=flavour, free_ports=True, environment=settings, clusters=clusters)
    _up.append(world)
    try:
        world.up(platform=platform)
        yield world
    finally:
        world.reset()


def end_all() -> None:
    """End and forget every world of this process. Its fixture's own end finds nothing left to do."""
    while _up:
        _up.pop().reset()
