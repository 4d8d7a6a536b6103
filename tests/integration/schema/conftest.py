"""One world for the tests of the API's own description, with a product that holds one of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nautes_sandbox.scenario import Scenario
from tests.worlds import in_one_process, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one process, where the world is."""
    in_one_process(items, Path(__file__).parent, "world-schema")


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """The product `shop` of `team`; the stand-in is enough: nothing here is about clusters."""
    with running(tmp_path_factory.mktemp("schema"), "stand-in") as world:
        found = Scenario(world, say=lambda _: None)
        found.install()
        found.register_clusters()
        found.initialize_product()
        yield found
        found.close()
