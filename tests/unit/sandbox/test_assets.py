"""The binaries of a real control plane: only what fits its checksum is unpacked, and only under names we know."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nautes_sandbox.kubernetes import assets


class Quiet(SimpleHTTPRequestHandler):
    """Serves a directory and counts."""

    requests = 0

    def do_GET(self) -> None:
        type(self).requests += 1
        super().do_GET()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A directory and the address it is served at."""
    directory = tmp_path / "served"
    directory.mkdir()
    Quiet.requests = 0
    handler = functools.partial(Quiet, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield directory, f"http://127.0.0.1:{server.server_port}/bundle.tar.gz"
        server.shutdown()
        thread.join()


def member(name: str, data: bytes = b"#!/bin/sh\n", kind: bytes = tarfile.REGTYPE, link: str = "") -> Any:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    return info, io.BytesIO(data)


def bundle(directory: Path, *members: Any) -> str:
    """Write the bundle; its checksum."""
    path = directory / "bundle.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for info, data in members:
            archive.addfile(info, data)
    return hashlib.sha512(path.read_bytes()).hexdigest()


GOOD = [f"controller-tools/envtest/{name}" for name in ("kube-apiserver", "etcd", "kubectl")]


def environment(url: str, checksum: str) -> dict[str, str]:
    return {assets.SWITCH: assets.DOWNLOAD, assets.ADDRESS: url, assets.CHECKSUM: checksum}


def everything(directory: Path) -> list[str]:
    return sorted(str(each.relative_to(directory)) for each in directory.rglob("*") if each.is_file())


def test_a_bundle_with_the_right_checksum_is_unpacked_once(served: tuple[Path, str], tmp_path: Path) -> None:
    directory, url = served
    checksum = bundle(directory, *(member(name, name.encode()) for name in GOOD))
    for given in (checksum, checksum, checksum.upper()):
        found = assets.find(environment(url, given), tmp_path / "cache")
        assert found is not None
        assert found.apiserver.read_bytes() == GOOD[0].encode()
        assert found.apiserver.stat().st_mode & 0o111, "it can be run"
        assert found.etcd.parent == found.apiserver.parent
        assert found.controller_manager is None
    assert Quiet.requests == 2, "a good one is kept (the same checksum in capitals is another name)"


def test_a_bundle_with_another_checksum_is_not_unpacked(served: tuple[Path, str], tmp_path: Path) -> None:
    directory, url = served
    bundle(directory, *(member(name) for name in GOOD))
    said: list[str] = []
    assert assets.find(environment(url, "0" * 128), tmp_path / "cache", said.append) is None
    assert len(said) == 1
    assert "checksum" in said[0] and "stand-in" in said[0]
    assert everything(tmp_path / "cache") == []
    with pytest.raises(ValueError, match="checksum"):
        assets.download(url, "0" * 128, tmp_path / "cache")


def test_nothing_in_an_archive_chooses_where_it_goes(served: tuple[Path, str], tmp_path: Path) -> None:
    directory, url = served
    victim = tmp_path / "victim"
    victim.write_text("mine")
    checksum = bundle(
        directory,
        member("../../../etcd", b"one"),
        member(f"{tmp_path}/kube-apiserver", b"two"),
        member("../victim", b"evil"),
        member("kubectl", kind=tarfile.SYMTYPE, link=str(victim)),
        member("a/kubectl", kind=tarfile.LNKTYPE, link="../victim"),
        member("kube-controller-manager", kind=tarfile.DIRTYPE),
        member("bin/sh", b"evil"),
    )
    target = assets.download(url, checksum, tmp_path / "cache")
    assert everything(target) == ["etcd", "kube-apiserver"]
    assert everything(tmp_path / "cache") == [f"{target.name}/etcd", f"{target.name}/kube-apiserver"]
    assert (target / "kube-apiserver").read_bytes() == b"two"
    assert victim.read_text() == "mine"
    assert not (tmp_path / "kube-apiserver").exists()


def test_what_cannot_be_had_is_said(served: tuple[Path, str], tmp_path: Path) -> None:
    directory, url = served
    (directory / "bundle.tar.gz").write_bytes(b"no archive")
    checksum = hashlib.sha512(b"no archive").hexdigest()
    missing = environment(url.replace("bundle", "none"), checksum)
    for given in (environment(url, checksum), missing, {}, environment(url, ""), environment("", checksum)):
        said: list[str] = []
        assert assets.find(given, tmp_path / "cache", said.append) is None
        assert len(said) == 1 and "stand-in" in said[0]
    with pytest.raises(httpx2.HTTPStatusError):
        assets.download(missing[assets.ADDRESS], checksum, tmp_path / "cache")


def test_nothing_is_downloaded_unless_somebody_says_so(served: tuple[Path, str], tmp_path: Path) -> None:
    checksum = bundle(served[0], *(member(name) for name in GOOD))
    said: list[str] = []
    for switch in ({}, {assets.SWITCH: ""}, {assets.SWITCH: "no"}):
        given = {**environment(served[1], checksum), assets.SWITCH: "", **switch}
        assert assets.find(given, tmp_path / "cache", said.append) is None
    assert Quiet.requests == 0
    assert all("NAUTES_SANDBOX_ENVTEST=download" in each and "stand-in" in each for each in said)


def test_what_is_published_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def download(url: str, checksum: str, cache: Path) -> Path:
        asked.append((url, checksum))
        raise httpx2.ConnectError("no network")

    monkeypatch.setattr(assets, "download", download)
    monkeypatch.setattr(assets, "published", lambda: ("https://published.example/a.tar.gz", "abc"))
    only = {assets.SWITCH: assets.DOWNLOAD}
    assert assets.find(only, tmp_path) is None
    assert assets.find({**only, assets.ADDRESS: "https://own.example/b.tar.gz"}, tmp_path) is None
    assert asked == [("https://published.example/a.tar.gz", "abc"), ("https://own.example/b.tar.gz", "abc")]


@pytest.mark.parametrize(
    ("system", "machine", "name"), [("Linux", "x86_64", "linux-amd64"), ("Linux", "aarch64", "linux-arm64")]
)
def test_each_machine_has_its_bundle(system: str, machine: str, name: str) -> None:
    url, checksum = assets.published(system, machine)
    assert url.startswith("https://") and url.endswith(f"-{name}.tar.gz")
    assert len(bytes.fromhex(checksum)) == 64


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "arm64"), ("Linux", "riscv64"), ("Windows", "AMD64")])
def test_a_machine_without_a_bundle_gets_none(system: str, machine: str) -> None:
    assert assets.published(system, machine) == ("", "")


def test_without_a_checksum_nothing_is_downloaded(served: tuple[Path, str], tmp_path: Path) -> None:
    bundle(served[0], *(member(name) for name in GOOD))
    assert assets.find(environment(served[1], ""), tmp_path / "cache") is None
    assert Quiet.requests == 0


def test_a_bundle_that_breaks_off_is_not_taken_for_a_whole_one(served: tuple[Path, str], tmp_path: Path) -> None:
    directory, url = served
    noise = os.urandom(1 << 20)
    bundle(directory, member(GOOD[0], noise), member(GOOD[1], noise))
    whole = (directory / "bundle.tar.gz").read_bytes()
    half = whole[: len(whole) * 3 // 4]  # the API server is whole, etcd is not
    (directory / "bundle.tar.gz").write_bytes(half)
    checksum = hashlib.sha256(half).hexdigest()
    for _ in range(2):
        said: list[str] = []
        assert assets.find(environment(url, checksum), tmp_path / "cache", said.append) is None
        assert len(said) == 1 and "stand-in" in said[0]
        assert everything(tmp_path / "cache") == []


def test_what_an_interrupted_download_left_is_made_anew(served: tuple[Path, str], tmp_path: Path) -> None:
    directory, url = served
    checksum = bundle(directory, *(member(name, name.encode()) for name in GOOD))
    target = assets.download(url, checksum, tmp_path / "cache")
    (target / "kube-apiserver").unlink()
    assert (assets.download(url, checksum, tmp_path / "cache") / "kube-apiserver").read_bytes() == GOOD[0].encode()


def test_a_bundle_without_an_api_server_is_no_control_plane(served: tuple[Path, str], tmp_path: Path) -> None:
    checksum = bundle(served[0], member("etcd"))
    said: list[str] = []
    assert assets.find(environment(served[1], checksum), tmp_path / "cache", said.append) is None
    assert len(said) == 1 and "kube-apiserver" in said[0] and "stand-in" in said[0]


def test_a_directory_that_is_named_is_used(tmp_path: Path) -> None:
    said: list[str] = []
    assert assets.find({"KUBEBUILDER_ASSETS": str(tmp_path)}, say=said.append) is None
    assert len(said) == 1 and str(tmp_path) in said[0] and "stand-in" in said[0]
    for name in ("kube-apiserver", "kube-controller-manager", "etcd"):
        (tmp_path / name).touch()
    found = assets.find({"KUBEBUILDER_ASSETS": str(tmp_path)})
    assert found == assets.Assets(tmp_path / "kube-apiserver", tmp_path / "etcd", tmp_path / "kube-controller-manager")
