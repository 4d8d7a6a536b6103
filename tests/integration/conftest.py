"""One world per flavour for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nautes_sandbox.world import World
from tests.worlds import flavours, running


@pytest.fixture(scope="session", params=flavours())
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything runs: servers, worker, API."""
    with running(tmp_path_factory.mktemp(f"world-{request.param}"), request.param) as found:
        yield found
