"""One world whose payloads are encrypted with data keys of OpenBao, with two products of different people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nautes_sandbox.scenario import Scenario
from nautes_sandbox.world import World
from tests.integration.api.support import product
from tests.worlds import best_flavour, in_one_process, running

RIVAL = "rivals"  # a product that `team` knows nothing of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one process, where the world is."""
    in_one_process(items, Path(__file__).parent, "world-codec")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything runs, and Temporal holds nothing that it could read."""
    with running(tmp_path_factory.mktemp("codec"), best_flavour(), NAUTES_CODEC_TRANSIT="transit/nautes") as found:
        yield found


@pytest.fixture(scope="session")
def shop(world: World) -> Iterator[Scenario]:
    """The main process up to its views; `rival` has a product, too, and `root` administrates GitLab."""
    found = Scenario(world, say=lambda _: None)
    found.install()
    found.register_clusters()
    found.initialize_product()
    found.deploy()
    found.run_pipeline()
    found.break_build()
    found.view()
    found.people["rival"] = found.person("rival")
    answer = found.api("POST", "/api/v1/apply", "rival", content=product(RIVAL))
    assert answer.status_code == 200, answer.text
    yield found
    found.close()
