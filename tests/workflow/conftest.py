"""One Temporal server per test process; one worker, one queue and one set of fakes per test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from temporalio.client import Client

from tests.workflow.platform import Platform, connect, hurried, server, working


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server(tmp_path_factory.mktemp("temporal")) as found:
        yield found


@pytest.fixture(scope="session")
async def client(address: str) -> Client:
    return await connect(address)


@pytest.fixture
async def platform(request: pytest.FixtureRequest, client: Client) -> AsyncIterator[Platform]:
    """A test may say how many runs the worker keeps in its cache; with none, every workflow task replays the history."""
    with hurried(retry_maximum=0.2):
        async with working(client, cached=getattr(request, "param", 1000)) as found:
            yield found
