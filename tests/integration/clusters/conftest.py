"""One world per flavour with nothing in it but a host: what stands there, tests make themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nautes_sandbox.scenario import Scenario
from nautes_sandbox.world import HOST, World
from tests.worlds import flavours, running


@pytest.fixture(scope="session", params=flavours(HOST))
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything runs, the host included; outages are retried every second."""
    directory = tmp_path_factory.mktemp(f"host-{request.param}")
    with running(directory, request.param, clusters=(HOST,), NAUTES_RETRY_MAXIMUM_SECONDS="1") as found:
        yield found


@pytest.fixture(scope="session")
def actions(world: World) -> Iterator[Scenario]:
    """The platform team."""
    found = Scenario(world, say=lambda _: None)
    found.install()
    yield found
    found.close()
