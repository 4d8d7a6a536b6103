"""Ports of a sandbox: chosen once; a cluster that is added later gets ports of its own and changes no others."""

from __future__ import annotations

from pathlib import Path

from nautes_sandbox.world import CLUSTERS, HOST, PORTS, World


def test_a_sandbox_that_gets_a_host_keeps_every_port_it_had(tmp_path: Path) -> None:
    before = World(tmp_path, free_ports=True).ports
    assert set(before) == set(PORTS)
    after = World(tmp_path, free_ports=True, clusters=(*CLUSTERS, HOST)).ports
    assert before.items() <= after.items()
    assert set(after) - set(before) == {f"{HOST}-{number}" for number in range(4)}
    assert len(set(after.values())) == len(after)
    assert World(tmp_path, free_ports=True).ports == World(tmp_path, clusters=(HOST,)).ports == after


def test_ports_that_are_not_free_ones_follow_each_other(tmp_path: Path) -> None:
    found = World(tmp_path, clusters=(*CLUSTERS, HOST)).ports
    numbers = sorted(found.values())
    assert numbers == list(range(numbers[0], numbers[0] + len(PORTS) + 4))


def test_only_who_asks_for_a_host_gets_one(tmp_path: Path) -> None:
    assert not any(HOST in each for each in World(tmp_path, kubernetes="stand-in", free_ports=True).status())
    asked = World(tmp_path, kubernetes="stand-in", free_ports=True, clusters=(HOST,)).status()
    assert {f"{HOST}-apiserver", f"{HOST}-node", f"{HOST}-virtual"} <= asked.keys()
