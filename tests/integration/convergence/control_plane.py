"""A cluster of our own for tests and measurements: kube-apiserver and etcd where there are binaries, else the stand-in."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nautes_sandbox.kubernetes import assets, real, standin
from nautes_sandbox.process import Supervisor, free_ports


@functools.cache
def binaries() -> assets.Assets | None:
    """Those of a real control plane, if they can be had."""
    return assets.find(say=print)


def plays_rbac() -> bool:
    """Whether the cluster of the tests has access control of its own: every real one, not the stand-in."""
    return bool(os.environ.get("KUBECONFIG")) or binaries() is not None


@contextmanager
def control_plane(directory: Path) -> Iterator[Path]:
    """Started when entered, stopped when left; gives the path of an administrator's kubeconfig.

    Without a controller manager: nothing here needs one, and it would take a share of the processor that is measured.
    """
    found, ports = binaries(), free_ports(4)
    if found is None:
        cluster = standin.cluster("test", directory, ports[0])
    else:
        cluster = real.cluster("test", directory, ports, replace(found, controller_manager=None))
    supervisor = Supervisor(directory / "processes")
    try:
        for service in cluster.services:
            supervisor.start(service)
        yield cluster.kubeconfig
    finally:
        for name in reversed(list(supervisor.running())):
            supervisor.stop(name)
