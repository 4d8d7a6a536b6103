"""Describes, starts, finds and ends the processes of the sandbox, by process id and never by name.

Used by sandbox/nautes_sandbox/world.py; every server module gives a `Service`.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

GRACE = 10.0  # seconds between TERM and KILL
LOG_LIMIT = 10 << 20  # bytes of a log before it is rotated at the next start
QUIET_PORTS = (15_000, 30_000)
NODE_PORTS = (30_000, 32_768)  # what a Service of a cluster may ask for
POLL_EVERY = 0.02  # seconds between two checks whether a process is ready


class ServiceError(Exception):
    """A process could not be started; the message names it and the reason."""


@dataclass(frozen=True)
class Service:
    """One process. `env` is added to a minimal environment; `ready` returns False, and never raises, until it serves."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ports: Sequence[int] = ()
    ready: Callable[[], bool] = lambda: True
    ready_within: float = 60.0  # seconds
    grace: float = GRACE


class Supervisor:
    """Keeps <name>.pid (process id and start time) and <name>.log in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def start(self, service: Service) -> bool:
        """Start it and wait until it is ready. False when it was running already. Raises `ServiceError`."""
        if self.pid(service.name) is not None:
            self._wait(service, None)
            return False
        for port in service.ports:
            _require_free(port, service.name)
        process = self._spawn(service)
        self._wait(service, process)
        return True

    def stop(self, name: str, *, kill: bool = False, grace: float = GRACE) -> None:
        """End it by its process id, if that id is still the process we started."""
        pid = self.pid(name)
        if pid is not None:
            _signal(pid, signal.SIGKILL if kill else signal.SIGTERM)
            if not _gone_within(pid, grace):
                _signal(pid, signal.SIGKILL)
                _gone_within(pid, grace)
        self._pid_file(name).unlink(missing_ok=True)

    def adopt(self, name: str, pid: int) -> None:
        """Take over a process that another supervisor started, under this name."""
        self._pid_file(name).write_text(f"{pid} {_start_time(pid)}")

    def pid(self, name: str) -> int | None:
        """Process id if it runs and is ours; a reused id is not."""
        try:
            number, started = self._pid_file(name).read_text().split()
            pid = int(number)
        except (OSError, ValueError):
            return None
        return pid if _start_time(pid) == started else None

    def running(self) -> dict[str, int]:
        """Name -> process id of everything of ours that runs."""
        names = [each.stem for each in self.directory.glob("*.pid")]
        found = {name: self.pid(name) for name in names}
        return {name: pid for name, pid in found.items() if pid is not None}

    def log(self, name: str) -> Path:
        """Where a process writes."""
        return self.directory / f"{name}.log"

    def _pid_file(self, name: str) -> Path:
        return self.directory / f"{name}.pid"

    def _spawn(self, service: Service) -> subprocess.Popen[bytes]:
        log = self.log(service.name)
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            process = subprocess.Popen(
                list(service.command),
                env={**minimal_environment(), **service.env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.adopt(service.name, process.pid)
        return process

    def _wait(self, service: Service, process: subprocess.Popen[bytes] | None) -> None:
        deadline = time.monotonic() + service.ready_within
        while not service.ready():
            ended = process is not None and process.poll() is not None
            if ended or time.monotonic() > deadline:
                tail = self._tail(service.name)
                self.stop(service.name, kill=True)
                why = "ended at once" if ended else f"was not ready within {service.ready_within:.0f} s"
                raise ServiceError(f"{service.name} {why}; its log ends with:\n{tail}")
            time.sleep(POLL_EVERY)

    def _tail(self, name: str) -> str:
        try:
            return "\n".join(self.log(name).read_text(errors="replace").splitlines()[-20:])
        except OSError:
            return "(no log)"


def minimal_environment() -> dict[str, str]:
    """What a process of the sandbox gets of our environment."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ}


def is_listening(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def free_port() -> int:
    """A loopback port that is free now."""
    return free_ports(1)[0]


def free_ports(count: int, within: tuple[int, int] = QUIET_PORTS) -> list[int]:
    """Neighbouring loopback ports that are free now, out of the range the system gives to outgoing connections."""
    chance = random.SystemRandom()
    while True:
        first = chance.randrange(*within)
        ports = list(range(first, first + count))
        if all(_is_free(port) for port in ports):
            return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _require_free(port: int, name: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServiceError(
                f"port {port}, which {name} needs, is taken by another process; "
                "end that, or choose others with NAUTES_SANDBOX_PORT_BASE"
            ) from error


def _start_time(pid: int) -> str:
    """When the process started: field 22 of /proc/<pid>/stat, or what ps says; "" when there is no such process."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] == "Z" else fields[19]
    if Path("/proc/self").exists():
        return ""
    done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip().replace(" ", "_")


def _dying(pid: int) -> bool:
    """Whether threads of a killed process are still going: they hold its ports until they are gone."""
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except OSError:
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)  # the process leads its own session: helpers it started end with it
    except ProcessLookupError:
        return


def _gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):  # not our child: its own parent reaps it
            os.waitpid(pid, os.WNOHANG)
        if not _start_time(pid) and not _dying(pid):
            return True
        time.sleep(POLL_EVERY)
    return False
