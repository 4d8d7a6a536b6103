"""A world of its own for the comparison of plans with logs: nobody else writes there while a change is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nautes_sandbox.scenario import Scenario
from nautes_sandbox.world import World
from tests.integration.plans.logs import Logs
from tests.worlds import best_flavour, in_one_process, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one process, where the world is."""
    in_one_process(items, Path(__file__).parent, "world-plans")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything runs; refusals are looked at again every second."""
    with running(tmp_path_factory.mktemp("plans"), best_flavour(), NAUTES_RETRY_MAXIMUM_SECONDS="1") as found:
        yield found


@pytest.fixture(scope="session")
def story(world: World) -> Iterator[Scenario]:
    """`platform` has registered two workers; `team` makes products."""
    found = Scenario(world, say=lambda _: None, timeout=40.0)
    found.install()
    found.register_clusters()
    yield found
    found.close()


@pytest.fixture(scope="session")
def logs(story: Scenario) -> Logs:
    """The systems' own logs, from the beginning of the world."""
    return Logs(story.world.directory)
