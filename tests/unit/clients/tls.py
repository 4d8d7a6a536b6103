"""An authority with a certificate for a server and one for a client, and a server that asks for them before Temporal."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

NAME = "temporal.internal"


class Certificates:
    """Files in `directory`: <name>.pem and <name>.key for `ca`, `server` and `client`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        authority = ec.generate_private_key(ec.SECP256R1())
        self._write("ca", authority, authority, ca=True)
        for name in ("server", "client"):
            self._write(name, ec.generate_private_key(ec.SECP256R1()), authority, ca=False)

    def environment(self, authority: Certificates) -> dict[str, str]:
        """The settings of a client that shows our certificate and trusts the servers of `authority`."""
        return {
            "TEMPORAL_TLS_SERVER_NAME": NAME,
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.directory / "ca.pem"),
            "TEMPORAL_TLS_CLIENT_CERT_PATH": str(self.directory / "client.pem"),
            "TEMPORAL_TLS_CLIENT_KEY_PATH": str(self.directory / "client.key"),
        }

    def _write(self, name: str, key: ec.EllipticCurvePrivateKey, issuer: ec.EllipticCurvePrivateKey, ca: bool) -> None:
        now, of = datetime.now(UTC), x509.NameOID.COMMON_NAME
        names = [x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(of, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(of, "ca")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(issuer, hashes.SHA256())
        )
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.directory / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
        (self.directory / f"{name}.key").write_bytes(secret)


@contextlib.asynccontextmanager
async def before(address: str, known: Certificates, port: int) -> AsyncIterator[str]:
    """A server that demands a client's certificate and passes on what comes then; its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(known.directory / "server.pem", known.directory / "server.key")
    context.load_verify_locations(known.directory / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    host, _, number = address.rpartition(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(number))
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=context)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
