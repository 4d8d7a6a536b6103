"""One world for all tests of operating: JSON logs, traces to a collector of ours. Its API starts before any worker does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nautes_sandbox.scenario import Scenario
from nautes_sandbox.world import World
from tests.integration.operating.collector import Collector, collecting
from tests.worlds import best_flavour, in_one_process, running


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the groups, also where this folder is named on the command line
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one process, where the world is."""
    in_one_process(items, Path(__file__).parent, "world-operating")


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where both processes send their spans."""
    with collecting() as found:
        yield found


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[World]:
    """Everything but a worker runs."""
    settings = {
        "NAUTES_LOG_FORMAT": "json",
        "NAUTES_RETRY_MAXIMUM_SECONDS": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",  # milliseconds
    }
    with running(tmp_path_factory.mktemp("operating"), best_flavour(), platform=False, **settings) as found:
        found.restart("api")
        yield found


@pytest.fixture(scope="session")
def scenario(world: World) -> Iterator[Scenario]:
    """The people and what they do."""
    found = Scenario(world, say=lambda _: None)
    yield found
    found.close()
