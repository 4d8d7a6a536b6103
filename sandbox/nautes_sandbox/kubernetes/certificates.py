"""A certificate authority and a serving certificate for a cluster on loopback, and its administrator's kubeconfig."""

from __future__ import annotations

import base64
import ipaddress
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from nautes_sandbox.openbao import write_secret

VALID = timedelta(days=3650)


def ensure(directory: Path, server: str, name: str) -> Path:
    """CA, serving certificate, service account key, administrator token and kubeconfig in `directory`. Idempotent."""
    directory.mkdir(parents=True, exist_ok=True)
    kubeconfig = directory / "kubeconfig"
    if not (directory / "serving.key").exists():
        _certificates(directory)
    if not (directory / "tokens.csv").exists():
        write_secret(directory / "tokens.csv", f'{secrets.token_urlsafe(32)},admin,admin,"system:masters"\n')
    token = (directory / "tokens.csv").read_text().split(",")[0]
    ca = base64.b64encode((directory / "ca.crt").read_bytes()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": ca}}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "admin"}}],
    }
    text = yaml.safe_dump(config, sort_keys=False)
    if not kubeconfig.exists() or kubeconfig.read_text() != text:
        write_secret(kubeconfig, text)
    return kubeconfig


def _certificates(directory: Path) -> None:
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nautes sandbox")])
    ca = _certificate(issuer, issuer, authority.public_key(), authority, is_ca=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    serving = _certificate(subject, issuer, key.public_key(), authority, is_ca=False)
    account = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    write_secret(directory / "ca.crt", ca.public_bytes(Encoding.PEM).decode())
    write_secret(directory / "serving.crt", serving.public_bytes(Encoding.PEM).decode())
    write_secret(directory / "accounts.key", _pem(account))
    public = account.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    write_secret(directory / "accounts.pub", public)
    write_secret(directory / "serving.key", _pem(key))  # last: its presence means that all are there


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    is_ca: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if not is_ca:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
