"""One world for all scenarios, with two registered workers and the people of the story."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nautes_sandbox.scenario import Scenario
from nautes_sandbox.world import World
from tests.integration.api.support import Cli
from tests.worlds import best_flavour, in_one_process, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one process, where the world is."""
    in_one_process(items, Path(__file__).parent, "world-scenarios")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything runs; outages and refusals are retried every second."""
    with running(tmp_path_factory.mktemp("scenarios"), best_flavour(), NAUTES_RETRY_MAXIMUM_SECONDS="1") as found:
        yield found


@pytest.fixture(scope="session")
def story(world: World) -> Iterator[Scenario]:
    """`platform` has registered two workers; `team`, `ada` and `ben` may make products; `stranger` knows of none."""
    found = Scenario(world, say=lambda _: None)
    found.install()
    found.register_clusters()
    for name in ("ada", "ben", "stranger"):
        found.people[name] = found.person(name)
    yield found
    found.close()


@pytest.fixture
def cli(story: Scenario, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """The command line, as a person, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return Cli(story, monkeypatch)
