"""One cluster for all tests of this directory, a fresh namespace and account for each of them.

The cluster is the one KUBECONFIG names, else a control plane of our own, else the stand-in: tests of what only access control
of Kubernetes itself refuses are chosen where there is such a thing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nautes.clients.git import GitCache
from nautes.clients.kubernetes import Cluster, Clusters
from tests.integration.convergence.control_plane import control_plane, plays_rbac
from tests.integration.convergence.git_server import PASSWORD, USER, GitServer
from tests.integration.convergence.support import REF, Runtime, place

collect_ignore = [] if plays_rbac() else ["test_rights.py"]


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    named = os.environ.get("KUBECONFIG", "")
    if named:
        yield Path(named).read_text()
        return
    with control_plane(tmp_path_factory.mktemp("cluster")) as path:
        yield path.read_text()


@pytest.fixture(scope="session")
def clusters(kubeconfig: str) -> Clusters:
    return Clusters(lambda ref: kubeconfig, allow_loopback=True)


@pytest.fixture(scope="session")
def cluster(clusters: Clusters) -> Cluster:
    return clusters.get(REF)


@pytest.fixture(scope="session")
def git_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with GitServer(tmp_path_factory.mktemp("repositories")).serving() as server:
        yield server


@pytest.fixture
def git(git_server: GitServer, tmp_path: Path) -> GitCache:
    return GitCache(tmp_path / "git", git_server.url, lambda: (USER, PASSWORD))


@pytest.fixture
def runtime(clusters: Clusters, cluster: Cluster) -> Runtime:
    return place(clusters, cluster)
