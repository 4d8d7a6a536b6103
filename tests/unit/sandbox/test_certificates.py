"""Certificates of a cluster on loopback: made once, valid for this machine only, and readable by us only."""

from __future__ import annotations

import ipaddress
import stat
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from nautes.clients.kubeconfig import check_kubeconfig
from nautes_sandbox.kubernetes import certificates

SERVER = "https://127.0.0.1:16443"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with everything in it."""
    return certificates.ensure(tmp_path_factory.mktemp("pki"), SERVER, "run").parent


def contents(directory: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in directory.iterdir()}


def test_a_second_time_changes_nothing(made: Path) -> None:
    before = contents(made)
    stamps = {each.name: each.stat().st_mtime_ns for each in made.iterdir()}
    assert certificates.ensure(made, SERVER, "run") == made / "kubeconfig"
    assert contents(made) == before
    assert {each.name: each.stat().st_mtime_ns for each in made.iterdir()} == stamps, "nothing was written at all"
    assert set(before) == {
        "ca.crt",
        "serving.crt",
        "serving.key",
        "accounts.key",
        "accounts.pub",
        "tokens.csv",
        "kubeconfig",
    }


def test_another_address_changes_the_kubeconfig_only(made: Path, tmp_path: Path) -> None:
    for name, data in contents(made).items():
        (tmp_path / name).write_bytes(data)
    certificates.ensure(tmp_path, "https://127.0.0.1:16444", "run")
    changed = {name for name, data in contents(tmp_path).items() if data != (made / name).read_bytes()}
    assert changed == {"kubeconfig"}
    assert yaml.safe_load((tmp_path / "kubeconfig").read_text())["clusters"][0]["cluster"]["server"].endswith(":16444")


def test_what_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("half a certificate")
    certificates.ensure(tmp_path, SERVER, "run")
    assert x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())


def test_the_kubeconfig_is_one_that_we_take(made: Path) -> None:
    found = check_kubeconfig((made / "kubeconfig").read_text(), allow_loopback=True)
    assert found.server == SERVER
    assert found.verify
    assert found.ca == (made / "ca.crt").read_bytes()
    assert (made / "tokens.csv").read_text().startswith(f"{found.token},admin,")


def test_the_certificate_is_of_this_machine_and_signed_by_the_authority(made: Path) -> None:
    authority = x509.load_pem_x509_certificate((made / "ca.crt").read_bytes())
    serving = x509.load_pem_x509_certificate((made / "serving.crt").read_bytes())
    serving.verify_directly_issued_by(authority)
    names = serving.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not serving.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    key = load_pem_private_key((made / "serving.key").read_bytes(), None)
    assert key.public_key() == serving.public_key()


def test_only_we_can_read_it(made: Path) -> None:
    for each in made.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600, each.name


def test_two_clusters_have_nothing_in_common(made: Path, tmp_path: Path) -> None:
    certificates.ensure(tmp_path, SERVER, "run")
    assert not set(contents(made).values()) & set(contents(tmp_path).values())
