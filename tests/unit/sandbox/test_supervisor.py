"""Processes of the sandbox: started once, found again, ended by their own id only."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nautes_sandbox.process import Service, ServiceError, Supervisor, free_port, is_listening, minimal_environment
from tests.waiting import until

LISTEN = """
import socket, sys, signal
if "stubborn" in sys.argv: signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("about to listen", flush=True)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True: server.accept()
"""


def listener(port: int, *options: str, name: str = "listener") -> Service:
    command = [sys.executable, "-S", "-c", LISTEN, str(port), *options]
    return Service(name, command, ports=[port], ready=lambda: is_listening(port), ready_within=20)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ends(pid: int) -> bool:
    """Whether a process ends within some seconds; fails when it does not."""
    return until(lambda: not alive(pid), f"process {pid} ends", within=10)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    found = Supervisor(tmp_path / "run")
    yield found
    for name in found.running():
        found.stop(name, kill=True)


def test_what_is_started_twice_is_one_process(supervisor: Supervisor, tmp_path: Path) -> None:
    service = listener(free_port())
    assert supervisor.start(service) is True
    pid = supervisor.pid("listener")
    assert pid is not None and alive(pid)
    assert supervisor.start(service) is False
    another = Supervisor(tmp_path / "run")  # as the next command would
    assert another.start(service) is False
    assert another.running() == {"listener": pid}
    assert "about to listen" in supervisor.log("listener").read_text()


@pytest.mark.parametrize("kill", [False, True])
def test_what_was_ended_can_be_started_again(supervisor: Supervisor, kill: bool) -> None:
    service = listener(free_port())
    supervisor.start(service)
    first = supervisor.pid("listener")
    supervisor.stop("listener", kill=kill)
    assert first is not None and not alive(first)
    assert supervisor.running() == {}
    assert not is_listening(service.ports[0]), "its port is free when stop returns"
    assert supervisor.start(service) is True
    assert supervisor.pid("listener") not in (None, first)


def test_what_was_killed_from_outside_is_noticed_and_started_again(supervisor: Supervisor) -> None:
    service = listener(free_port())
    supervisor.start(service)
    first = supervisor.pid("listener")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    assert supervisor.pid("listener") is None
    assert supervisor.start(service) is True
    assert supervisor.pid("listener") not in (None, first)


def test_what_does_not_listen_to_term_is_killed_after_its_grace(supervisor: Supervisor) -> None:
    supervisor.start(listener(free_port(), "stubborn"))
    pid = supervisor.pid("listener")
    supervisor.stop("listener", grace=0.2)
    assert pid is not None and not alive(pid)


def test_a_taken_port_is_named(supervisor: Supervisor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=rf"port {port}, which listener needs, is taken.*PORT_BASE"):
            supervisor.start(listener(port))
    assert supervisor.running() == {}


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is not the supervisor's, in a session of its own."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("started", ["1", "0", ""])
def test_a_process_that_got_an_old_id_is_left_alone(
    supervisor: Supervisor, tmp_path: Path, stranger: subprocess.Popen[bytes], started: str
) -> None:
    (tmp_path / "run" / "listener.pid").write_text(f"{stranger.pid} {started}")
    assert supervisor.pid("listener") is None
    assert supervisor.running() == {}
    supervisor.stop("listener", kill=True)
    assert stranger.poll() is None, "it is still running"
    assert supervisor.start(listener(free_port())) is True
    assert supervisor.pid("listener") != stranger.pid


@pytest.mark.parametrize("text", ["", "nonsense", "1", "1 2 3", "abc 1", "\u00b2 1", "-1 1"])
def test_a_broken_pid_file_is_nobodys(supervisor: Supervisor, tmp_path: Path, text: str) -> None:
    (tmp_path / "run" / "listener.pid").write_text(text)
    assert supervisor.pid("listener") is None
    supervisor.stop("listener")
    assert not (tmp_path / "run" / "listener.pid").exists()


def test_what_ends_at_once_is_told_with_its_last_words(supervisor: Supervisor) -> None:
    script = 'echo "cannot read the configuration"; exit 3'
    with pytest.raises(ServiceError, match=r"broken ended at once(?s:.*)cannot read the configuration"):
        supervisor.start(Service("broken", ["sh", "-c", script], ready=lambda: False))
    assert supervisor.running() == {}


def test_what_does_not_become_ready_is_told_and_ended(supervisor: Supervisor) -> None:
    seen: set[int | None] = set()

    def ready() -> bool:
        seen.add(supervisor.pid("slow"))
        return False

    with pytest.raises(ServiceError, match="slow was not ready within"):
        supervisor.start(Service("slow", ["sleep", "60"], ready=ready, ready_within=0.3))
    [pid] = seen
    assert pid is not None and not alive(pid)
    assert supervisor.running() == {}


def test_helpers_end_with_the_process_that_started_them(supervisor: Supervisor, tmp_path: Path) -> None:
    mark = tmp_path / "helper"
    command = ["sh", "-c", f"sleep 60 & echo $! > {mark}.part; mv {mark}.part {mark}; wait"]
    supervisor.start(Service("parent", command, ready=mark.exists, ready_within=20))
    helper = int(mark.read_text())
    assert alive(helper)
    supervisor.stop("parent")
    assert ends(helper)


def test_a_process_gets_little_of_our_environment(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "hunter2")
    assert "SOME_TOKEN" not in minimal_environment()
    seen = tmp_path / "environment"
    command = ["sh", "-c", f"env > {seen}.part; mv {seen}.part {seen}; exec sleep 60"]
    supervisor.start(Service("printer", command, env={"GIVEN": "yes"}, ready=seen.exists, ready_within=20))
    assert "hunter2" not in seen.read_text()
    assert "GIVEN=yes" in seen.read_text()
