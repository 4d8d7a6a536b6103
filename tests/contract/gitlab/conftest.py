"""The GitLab under test: the one NAUTES_TEST_GITLAB_URL names (with an administrator's NAUTES_TEST_GITLAB_TOKEN), else the
stand-in as a process of its own. A real one must be on this machine and may call loopback addresses (webhooks).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.contract.gitlab.stand_in import StandIn
from tests.contract.gitlab.support import Api, Maker, Receiver, serve


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """The stand-in, whatever GitLab the other tests run against."""
    with StandIn(tmp_path_factory.mktemp("gitlab")) as server:
        yield server


@pytest.fixture(scope="session")
def root(request: pytest.FixtureRequest) -> Api:
    """The administrator."""
    url = os.environ.get("NAUTES_TEST_GITLAB_URL", "")
    if url:
        return Api(url.rstrip("/"), os.environ["NAUTES_TEST_GITLAB_TOKEN"])
    server: StandIn = request.getfixturevalue("stand_in")
    return server.root


@pytest.fixture(scope="session")
def make(root: Api) -> Maker:
    return Maker(root)


@pytest.fixture(scope="session")
def anonymous(root: Api) -> Api:
    return Api(root.url)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    server = serve(receiver)
    yield receiver
    server.shutdown()
    server.server_close()
