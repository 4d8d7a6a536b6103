"""The clusters the contract holds for: the stand-in, and the real control plane where KUBEBUILDER_ASSETS names one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nautes_sandbox.kubernetes import Cluster, assets, real, standin
from nautes_sandbox.process import Supervisor, free_port
from tests.contract.kubernetes.support import Api, Space, new_space

# Some tests run in several processes: of the real control plane there is to be one.
REAL = pytest.param("real", marks=pytest.mark.xdist_group("kubernetes-real"))
FLAVOURS = ["stand-in", *([REAL] if os.environ.get("KUBEBUILDER_ASSETS") else [])]


@contextmanager
def running(cluster: Cluster, directory: Path) -> Iterator[Supervisor]:
    """The cluster's processes, from here to there."""
    supervisor = Supervisor(directory / "run")
    try:
        for service in cluster.services:
            supervisor.start(service)
        yield supervisor
    finally:
        for name in reversed(list(supervisor.running())):
            supervisor.stop(name)


@pytest.fixture(scope="session", params=FLAVOURS)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("cluster")
    if request.param == "real":
        found = assets.find()
        assert found is not None, "KUBEBUILDER_ASSETS names no binaries"
        made = real.cluster("contract", directory, [free_port() for _ in range(4)], found)
    else:
        made = standin.cluster("contract", directory, free_port())
    with running(made, directory):
        yield made


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Api:
    return Api(cluster.kubeconfig)


@pytest.fixture
def space(api: Api) -> Space:
    return new_space(api)
