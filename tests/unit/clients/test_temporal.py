"""The connection to Temporal: what the environment and the profile file say, and a real handshake with certificates."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import TLSConfig

from nautes.clients.codec import Codec
from nautes.clients.settings import Settings
from nautes.clients.temporal import connect, data_converter, options
from nautes.messages.errors import Unavailable
from nautes_sandbox.process import free_ports
from tests.unit.clients.tls import Certificates, before
from tests.workflow.platform import server

PROFILES = """
[profile.default]
address = "127.0.0.1:7233"

[profile.cloud]
address = "shop.a1b2c.tmprl.cloud:7233"
namespace = "shop.a1b2c"
api_key = "from the file"

[profile.mtls]
address = "temporal.example.com:7233"
namespace = "platform"
[profile.mtls.tls]
server_name = "temporal.internal"
server_ca_cert_path = "{directory}/ca.pem"
client_cert_path = "{directory}/client.pem"
client_key_path = "{directory}/client.key"
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    for name in ("ca.pem", "client.pem", "client.key"):
        (tmp_path / name).write_text(f"the text of {name}")
    path = tmp_path / "temporal.toml"
    path.write_text(PROFILES.format(directory=tmp_path))
    return str(path)


def test_an_address_and_a_namespace_are_enough() -> None:
    given = {"TEMPORAL_ADDRESS": "temporal:7233", "TEMPORAL_NAMESPACE": "platform", "TEMPORAL_CONFIG_FILE": "/dev/null"}
    assert options(given) == {"target_host": "temporal:7233", "namespace": "platform"}


def test_a_profile_gives_certificates(file: str) -> None:
    found = options({"TEMPORAL_CONFIG_FILE": file, "TEMPORAL_PROFILE": "mtls"})
    assert found["target_host"] == "temporal.example.com:7233" and found["namespace"] == "platform"
    tls = found["tls"]
    assert isinstance(tls, TLSConfig)
    assert (tls.domain, tls.server_root_ca_cert) == ("temporal.internal", b"the text of ca.pem")
    assert (tls.client_cert, tls.client_private_key) == (b"the text of client.pem", b"the text of client.key")


def test_an_api_key_brings_tls_and_the_environment_goes_before_the_file(file: str) -> None:
    cloud = {"TEMPORAL_CONFIG_FILE": file, "TEMPORAL_PROFILE": "cloud"}
    assert options(cloud) == {
        "target_host": "shop.a1b2c.tmprl.cloud:7233",
        "namespace": "shop.a1b2c",
        "api_key": "from the file",
        "tls": True,
    }
    assert options({**cloud, "TEMPORAL_API_KEY": "from outside"})["api_key"] == "from outside"
    plain = options({"TEMPORAL_CONFIG_FILE": file, "TEMPORAL_API_KEY": ""})
    assert plain == {"target_host": "127.0.0.1:7233"}, "an empty key is none"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"TEMPORAL_CONFIG_FILE": "/dev/null/none"}, "TEMPORAL_CONFIG_FILE names /dev/null/none"),
        ({"TEMPORAL_PROFILE": "nobody"}, "Profile 'nobody' not found"),
        ({"TEMPORAL_TLS_CLIENT_CERT_PATH": "/dev/null/cert"}, "/dev/null/cert"),
        ({"TEMPORAL_CONFIG_FILE": "typo"}, "unknown field `adress`"),
    ],
)
def test_a_wrong_setting_stops_the_start(given: dict[str, str], told: str, tmp_path: Path) -> None:
    (tmp_path / "typo").write_text('[profile.default]\nadress = "x:1"\n')
    if given.get("TEMPORAL_CONFIG_FILE") == "typo":
        given = {"TEMPORAL_CONFIG_FILE": str(tmp_path / "typo")}
    with pytest.raises(ValueError, match=told):
        options(given)


def test_payloads_are_encrypted_when_there_are_keys(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"first: {base64.b64encode(bytes(32)).decode()}\n")
    assert data_converter(Settings()) is pydantic_data_converter
    found = data_converter(Settings(codec_keys_file=keys))
    assert isinstance(found.payload_codec, Codec)
    assert found.payload_converter_class is pydantic_data_converter.payload_converter_class


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A Temporal server without TLS."""
    with server(tmp_path / "server") as found:
        yield found


async def test_a_server_is_reached_with_both_certificates_and_with_no_other(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, foreign = Certificates(tmp_path / "ours"), Certificates(tmp_path / "foreign")
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", "/dev/null")
    async with before(address, ours, free_ports(1)[0]) as secured:
        monkeypatch.setenv("TEMPORAL_ADDRESS", secured)
        with pytest.raises(Unavailable, match="cannot be reached"):
            await connect(Settings(), timeout=0)  # no TLS at all
        for client, authority in ((ours, foreign), (foreign, ours)):
            _set(monkeypatch, client.environment(authority))
            with pytest.raises(Unavailable, match="cannot be reached"):
                await connect(Settings(), timeout=0)
        _set(monkeypatch, ours.environment(ours))
        found = await connect(Settings(), timeout=10)
        assert await found.service_client.check_health()


def _set(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
