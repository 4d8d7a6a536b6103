"""Tries the wheels of a folder in empty environments, in a directory that is not the checkout. Run by `make trial`.

First the command alone: it starts quickly, and says what it lacks. Then all three distributions: the demonstration runs
through, on stand-in API servers. Ends with 1 at the first thing that is not so.
"""

from __future__ import annotations

import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STARTS = 10
QUICK = 0.4  # seconds of the processor that `nautes --help` may take; by the clock it is no more on a machine that is not busy
INSTALL, DEMO, COMMAND = 600, 300, 60  # seconds each may take at most
PORTS = 20  # the sandbox takes that many, one after the other


class TrialError(Exception):
    """Something is not as it should be."""


def main() -> int:
    """`trial.py FOLDER`: the exit code is 0 when everything succeeded."""
    wheels = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="nautes-trial-") as work:
        try:
            alone(Path(work), wheels)
            together(Path(work), wheels)
        except (TrialError, subprocess.TimeoutExpired) as error:
            print(f"FAILED: {error}")
            return 1
    return 0


def alone(work: Path, wheels: Path) -> None:
    """Only `nautes`: what works, and the errors of what does not."""
    home = environment(work, "alone", wheels, "nautes")
    starts = [timed(home, work, "--help") for _ in range(STARTS)]
    seconds, busy = (statistics.median(each) for each in zip(*starts, strict=True))
    print(f"nautes --help: {seconds:.3f} s, of the processor {busy:.3f} s (medians of {STARTS})")
    if busy > QUICK:
        raise TrialError(f"nautes --help takes {busy:.3f} s of the processor, more than {QUICK} s")
    server = ("-s", "http://nautes.invalid", "-t", "none")
    expect(home, work, 1, "cannot be reached", "get", "products", *server)
    expect(home, work, 1, "cannot be reached", "status", *server)
    expect(home, work, 2, "pip install nautes-sandbox", "demo")
    expect(home, work, 2, "pip install nautes-sandbox", "sandbox", "up")


def together(work: Path, wheels: Path) -> None:
    """All three: the main process, as a person who installed them sees it."""
    home = environment(work, "together", wheels, "nautes", "nautes-server", "nautes-sandbox")
    world = ("--directory", str(work / "world"))
    began = time.monotonic()
    try:
        code = nautes(home, work, "demo", *world, seconds=DEMO, quiet=False).returncode
    finally:
        nautes(home, work, "sandbox", "down", *world)
    if code:
        for log in sorted((work / "world" / "run").glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}")
        raise TrialError(f"nautes demo ended with {code}")
    print(f"nautes demo: ok, {time.monotonic() - began:.0f} s")


def environment(work: Path, name: str, wheels: Path, *distributions: str) -> Path:
    """A new environment with these wheels, and what they depend on in the versions of the lock."""
    home = work / name
    run([sys.executable, "-m", "venv", str(home)], work, INSTALL)
    found = [str(wheel(wheels, each)) for each in distributions]
    pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    run([*pip, "install", "--quiet", "--constraint", str(constraints(work)), *found], work, INSTALL)
    run([*pip, "check"], work, COMMAND)
    listed = run([*pip, "list", "--format=freeze"], work, COMMAND).stdout.split()
    print(f"pip install {' '.join(distributions)}: {len(listed)} distributions")
    return home


def wheel(wheels: Path, distribution: str) -> Path:
    """The wheel of a distribution, which is named: an index may know another one of that name."""
    found = list(wheels.glob(f"{distribution.replace('-', '_')}-[0-9]*.whl"))
    if len(found) != 1:
        raise TrialError(f"{len(found)} wheels of {distribution} in {wheels}")
    return found[0]


def constraints(work: Path) -> Path:
    """The versions of the developers' lock, without its hashes: wheels that were just built have none there."""
    file = work / "constraints.txt"
    lines = re.findall(r"^[^\s#]\S*==\S+(?: ; [^\\\n]+)?", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE)
    file.write_text("\n".join(re.sub(r"\[.*?\]", "", line) for line in lines))
    return file


def timed(home: Path, work: Path, *arguments: str) -> tuple[float, float]:
    """Seconds of a command that succeeds: by the clock, and of the processor."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    expect(home, work, 0, "", *arguments, quiet=True)
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def expect(home: Path, work: Path, code: int, words: str, *arguments: str, quiet: bool = False) -> None:
    """A command ends with this code and, when it fails, prints these words in one line."""
    done = nautes(home, work, *arguments)
    if done.returncode != code or words not in done.stderr or (code and done.stderr.count("\n") != 1):
        raise TrialError(f"nautes {' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    if not quiet:
        print(f"nautes {' '.join(arguments)}: {done.returncode}, {done.stderr.strip()}")


def nautes(
    home: Path, work: Path, *arguments: str, seconds: float = COMMAND, quiet: bool = True
) -> subprocess.CompletedProcess[str]:
    """The installed command, in a directory of its own, without anything of the environment it is not to know."""
    kept = {name: os.environ[name] for name in ("LANG", "TERM") if name in os.environ}
    path = f"{home / 'bin'}:{os.environ.get('PATH', os.defpath)}"
    given = {**kept, "PATH": path, "HOME": str(work), "NAUTES_SANDBOX_PORT_BASE": str(free_ports(work))}
    command = [str(home / "bin" / "nautes"), *arguments]
    return subprocess.run(command, cwd=work, env=given, capture_output=quiet, text=True, timeout=seconds, check=False)


def free_ports(work: Path) -> int:
    """The first of a row of free ports; chosen once."""
    kept = work / "port"
    if not kept.exists():
        kept.write_text(str(next(first for first in range(17_000, 30_000, PORTS) if all_free(first))))
    return int(kept.read_text())


def all_free(first: int) -> bool:
    """Whether a row of ports is free."""
    for port in range(first, first + PORTS):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def run(command: list[str], work: Path, seconds: float) -> subprocess.CompletedProcess[str]:
    """A command that has to succeed."""
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        raise TrialError(f"{' '.join(command[:4])} ...: {done.stdout}{done.stderr}")
    return done


if __name__ == "__main__":
    sys.exit(main())
