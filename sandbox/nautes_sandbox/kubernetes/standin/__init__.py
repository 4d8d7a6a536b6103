"""A stand-in for a Kubernetes API server, for machines where no real one can be had. Used by sandbox/nautes_sandbox/world.py.

It keeps objects, versions, field managers, watches, finalizers, owners, namespaces, accounts and their tokens as the real one
does. It plays no RBAC, no admission webhooks, no quotas and no validation of
unknown fields, and reads no protobuf; what it does not implement answers 501 and names it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from nautes_sandbox.kubernetes import Cluster
from nautes_sandbox.process import Service


def cluster(name: str, directory: Path, port: int) -> Cluster:
    """The stand-in as a cluster of the sandbox: one process; state, certificates and kubeconfig in `directory`."""
    from nautes_sandbox.kubernetes import (  # not loaded by the server process: it starts in half the time
        certificates,
        real,
    )

    server = f"https://127.0.0.1:{port}"
    kubeconfig = certificates.ensure(directory, server, name)
    command = [sys.executable, "-m", "nautes_sandbox.kubernetes.standin", "--directory", str(directory)]
    command += ["--port", str(port), "--issuer", real.ISSUER]
    service = Service(
        f"{name}-apiserver",
        command,
        ports=[port],
        ready=lambda: real.answers(kubeconfig, "/readyz"),
    )
    return Cluster(name, "stand-in", [service], kubeconfig, server)
