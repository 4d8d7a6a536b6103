"""One stand-in of GitLab and one OpenBao for all tests of this directory; every test uses names of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from activities.git import GitActivities
from activities.gitlab import GitLabActivities
from activities.products import ProductActivities
from activities.repositories import RepositoryActivities
from activities.vault import VaultActivities
from nautes.clients.declarations import Declarations
from nautes.clients.git import GitCache
from nautes.clients.gitlab import GitLab
from nautes.clients.kubernetes import Clusters
from nautes.rules.deletions import Limits
from tests.contract.gitlab.stand_in import StandIn
from tests.contract.gitlab.support import Maker, Receiver, serve, unique
from tests.integration.activities.failing_proxy import FailingProxy
from tests.integration.activities.support import Bao, Systems, requester

HOOKS_URL = "http://127.0.0.1:9/hooks"


@pytest.fixture(scope="session")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systems]:
    directory = tmp_path_factory.mktemp("systems")
    with StandIn(directory / "gitlab") as stand_in, Bao(directory / "vault") as bao:
        proxy = FailingProxy(bao.url)
        make = Maker(stand_in.root)
        gitlab = GitLab(stand_in.url, stand_in.platform.token)
        vault = bao.vault(url=proxy.url)
        vault.alive()  # logged in: what is counted and failed are the calls themselves
        yield Systems(stand_in, bao, gitlab, vault, proxy, make, requester(make))
        proxy.stop()


@pytest.fixture(scope="session")
def tenant() -> str:
    return unique("tenant")


@pytest.fixture(scope="session")
def vault_activities(systems: Systems) -> VaultActivities:
    found = VaultActivities(systems.vault, Clusters(systems.vault.kubeconfig, allow_loopback=True))
    found.ensure_tenant("nautes")
    return found


@pytest.fixture(scope="session")
def gitlab_activities(systems: Systems, tenant: str) -> GitLabActivities:
    return GitLabActivities(systems.gitlab, tenant)


@pytest.fixture(scope="session")
def repositories(systems: Systems, vault_activities: VaultActivities) -> RepositoryActivities:
    return RepositoryActivities(systems.gitlab, systems.vault, HOOKS_URL)


@pytest.fixture(scope="session")
def cache(systems: Systems, tmp_path_factory: pytest.TempPathFactory) -> GitCache:
    token = systems.stand_in.platform.token
    return GitCache(tmp_path_factory.mktemp("git"), systems.stand_in.url, lambda: ("nautes", token))


@pytest.fixture(scope="session")
def git_activities(cache: GitCache) -> GitActivities:
    return GitActivities(cache)


@pytest.fixture(scope="session")
def products(systems: Systems, cache: GitCache, tenant: str) -> ProductActivities:
    return ProductActivities(Declarations(systems.gitlab, cache, tenant), systems.gitlab, Limits())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    server = serve(receiver)
    yield receiver
    server.shutdown()
    server.server_close()
