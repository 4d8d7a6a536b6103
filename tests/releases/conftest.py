"""One Temporal server per test process; a deployment of its own per test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from temporalio.client import Client

from tests.releases.builds import Fleet, fleet
from tests.workflow.platform import connect, hurried, server


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server(tmp_path_factory.mktemp("temporal")) as found:
        yield found


@pytest.fixture(scope="session")
async def client(address: str) -> Client:
    return await connect(address)


@pytest.fixture(name="fleet")
async def _fleet(client: Client) -> AsyncIterator[Fleet]:
    with hurried(retry_maximum=0.2):
        async with fleet(client) as found:
            yield found
