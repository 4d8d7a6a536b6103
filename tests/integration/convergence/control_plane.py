"""A kube-apiserver and etcd of our own for tests and measurements, from the binaries that KUBEBUILDER_ASSETS names."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sandbox.kubernetes import assets, real
from sandbox.process import Supervisor


@contextmanager
def control_plane(directory: Path) -> Iterator[Path]:
    """Started when entered, stopped when left; gives the path of an administrator's kubeconfig.

    Without a controller manager: nothing here needs one, and it would take a share of the processor that is measured.
    """
    complaints: list[str] = []
    found = assets.find(say=complaints.append)
    if found is None:
        raise RuntimeError(f"set KUBEBUILDER_ASSETS, or KUBECONFIG to a cluster: {'; '.join(complaints)}")
    cluster = real.cluster("test", directory, _free_ports(4), replace(found, controller_manager=None))
    supervisor = Supervisor(directory / "processes")
    try:
        for service in cluster.services:
            supervisor.start(service)
        yield cluster.kubeconfig
    finally:
        for name in reversed(list(supervisor.running())):
            supervisor.stop(name)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
