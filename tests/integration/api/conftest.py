"""One world for all tests of the API, with a product that is deployed and people who may more and less."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nautes_sandbox.scenario import Scenario
from nautes_sandbox.world import World
from tests.integration.api.support import Cli, joined
from tests.worlds import best_flavour, in_one_process, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one process, where the world is."""
    in_one_process(items, Path(__file__).parent, "world-api")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything runs; outages are retried every second."""
    with running(tmp_path_factory.mktemp("api"), best_flavour(), NAUTES_RETRY_MAXIMUM_SECONDS="1") as found:
        yield found


@pytest.fixture(scope="session")
def shop(world: World) -> Iterator[Scenario]:
    """The product `shop` of `team`, deployed; `reporter` may read it, `stranger` knows nothing of it."""
    found = Scenario(world, say=lambda _: None)
    found.install()
    found.register_clusters()
    found.initialize_product()
    found.deploy()
    for name in ("reporter", "stranger"):
        found.people[name] = found.person(name)
    joined(found, "reporter", found.product, 20)
    yield found
    found.close()


@pytest.fixture
def cli(shop: Scenario, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """The command line, as a person, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return Cli(shop, monkeypatch)
