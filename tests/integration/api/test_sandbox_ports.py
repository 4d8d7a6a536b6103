"""A sandbox whose port is taken: the message names the port and what needs it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from nautes_sandbox.process import free_ports
from nautes_sandbox.world import PORTS, World
from tests.integration.api.support import Cli


def test_a_port_that_is_taken_is_named_with_what_needs_it(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = free_ports(len(PORTS))[0]
    port = base + PORTS.index("gitlab")
    monkeypatch.setenv("NAUTES_SANDBOX_PORT_BASE", str(base))
    world = World(tmp_path / "sandbox", kubernetes="stand-in")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        try:
            ended = cli("team", "sandbox", "up", "--directory", "sandbox", "--kubernetes", "stand-in")
            assert ended.code == 1
            assert f"port {port}, which gitlab needs, is taken by another process" in ended.err
            assert "NAUTES_SANDBOX_PORT_BASE" in ended.err
            assert not {"gitlab", "worker", "api"} & world.supervisor.running().keys()
        finally:
            world.reset()
