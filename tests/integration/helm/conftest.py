"""A world without the platform: its API and its workers are the pods of the chart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nautes_sandbox.world import World
from tests.worlds import in_one_process, running


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the groups, also where this folder is named on the command line
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one process, where the world is."""
    in_one_process(items, Path(__file__).parent, "world-helm")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Temporal, OpenBao and GitLab, and no cluster."""
    with running(tmp_path_factory.mktemp("helm"), "stand-in", clusters=(), platform=False) as found:
        yield found
