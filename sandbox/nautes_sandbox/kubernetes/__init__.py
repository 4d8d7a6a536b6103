"""Kubernetes clusters of the sandbox: a real API server where there are binaries, else a stand-in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nautes_sandbox.process import Service


@dataclass(frozen=True)
class Cluster:
    """One cluster: what flavour it is, the processes to start in order, and how an administrator reaches it."""

    name: str
    flavour: str  # real | stand-in
    services: list[Service]
    kubeconfig: Path
    server: str
