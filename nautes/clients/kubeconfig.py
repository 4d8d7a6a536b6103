"""A kubeconfig from a person: what it may contain, and what we take out of it.

Called by the API and by nautes/clients/kubernetes.py.

A kubeconfig can run programs, read files and point anywhere: everything but an address, a CA and inline credentials is
refused. No message quotes a value of it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from nautes.messages.errors import Refused, Unavailable
from nautes.resources.documents import Malformed, read

SIZE = 256 * 1024  # bytes
_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_PROGRAMS = ("exec", "auth-provider")
_OTHERS = ("proxy-url", "as", "as-uid", "as-groups", "as-user-extra", "username", "password")
_METADATA = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "fd00:ec2::254")))  # not link-local, but metadata
_METADATA_NAMES = ("metadata", "metadata.google.internal", "instance-data")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Kubeconfig:
    """What is needed to reach a cluster. Secrets are kept out of the representation."""

    server: str
    verify: bool = True
    ca: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    tls_server_name: str = ""
    allow_loopback: bool = False

    @property
    def digest(self) -> str:
        """A digest of this configuration."""
        parts = (self.server.encode(), self.ca, self.token.encode(), self.certificate, self.key)
        return hashlib.sha256(b"\0".join(parts)).hexdigest()


def check_kubeconfig(text: str, *, allow_insecure: bool = False, allow_loopback: bool = False) -> Kubeconfig:
    """`allow_insecure` takes `insecure-skip-tls-verify`, `allow_loopback` loopback addresses and plain http.

    Raises Refused: kubeconfig-malformed, kubeconfig-exec, kubeconfig-file, kubeconfig-insecure, kubeconfig-context,
    kubeconfig-address, kubeconfig-credentials.
    """
    document = _document(text)
    clusters, users = _named(document, "clusters", "cluster"), _named(document, "users", "user")
    for entry in (*clusters.values(), *users.values()):
        _refuse_reach(entry)
    context = _context(document)
    cluster, user = clusters.get(str(context.get("cluster"))), users.get(str(context.get("user")))
    if cluster is None or user is None:
        raise Refused("kubeconfig-context", "the kubeconfig's context names a cluster or user that is not in it")
    verify = not cluster.get("insecure-skip-tls-verify")
    if not verify and not allow_insecure:
        raise Refused(
            "kubeconfig-insecure", "the kubeconfig has insecure-skip-tls-verify, which this installation does not allow"
        )
    config = Kubeconfig(
        server=_server(cluster, allow_loopback=allow_loopback),
        verify=verify,
        ca=_data(cluster, "certificate-authority-data"),
        token=_token(user),
        certificate=_data(user, "client-certificate-data"),
        key=_data(user, "client-key-data"),
        tls_server_name=str(cluster.get("tls-server-name") or ""),
        allow_loopback=allow_loopback,
    )
    if not config.token and not (config.certificate and config.key):
        raise Refused("kubeconfig-credentials", "the kubeconfig's user has neither a token nor a client certificate")
    return config


def _document(text: str) -> Mapping[str, Any]:
    if len(text) > SIZE:
        raise Refused("kubeconfig-malformed", f"the kubeconfig is larger than {SIZE // 1024} KiB")
    try:
        documents = list(read(text.encode(errors="surrogatepass")))
    except Malformed as error:
        place = f" (line {error.line})" if error.line else ""
        raise Refused("kubeconfig-malformed", f"the kubeconfig is not valid YAML{place}") from None
    if len(documents) != 1 or not isinstance(documents[0], dict) or documents[0].get("kind") != "Config":
        raise Refused("kubeconfig-malformed", "the text is not one YAML document of kind Config")
    return documents[0]


def _named(document: Mapping[str, Any], plural: str, singular: str) -> dict[str, Mapping[str, Any]]:
    entries = document.get(plural) or []
    if not isinstance(entries, list):
        raise Refused("kubeconfig-malformed", f"{plural} of the kubeconfig is not a list")
    found: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        value = entry.get(singular) if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(value, dict | None):
            raise Refused("kubeconfig-malformed", f"an entry of {plural} of the kubeconfig is not a mapping")
        found[str(entry.get("name"))] = value or {}
    return found


def _refuse_reach(entry: Mapping[str, Any]) -> None:
    """Refuse whatever would make us run a program, read a file or act through or as somebody else."""
    for key in _PROGRAMS:
        if entry.get(key) is not None:
            raise Refused("kubeconfig-exec", f"the kubeconfig has {key}: put a token or client certificate into it")
    for key in _FILES:
        if entry.get(key) is not None:
            raise Refused("kubeconfig-file", f"the kubeconfig refers to a file in {key}: put the data itself into it")
    for key in _OTHERS:
        if entry.get(key) is not None:
            raise Refused("kubeconfig-credentials", f"the kubeconfig has {key}, which is not accepted")


def _context(document: Mapping[str, Any]) -> Mapping[str, Any]:
    contexts = _named(document, "contexts", "context")
    current = str(document.get("current-context") or "")
    if not current and len(contexts) == 1:
        return next(iter(contexts.values()))
    if not current or current not in contexts:
        raise Refused("kubeconfig-context", "the kubeconfig's current-context names none of its contexts")
    return contexts[current]


def _data(entry: Mapping[str, Any], key: str) -> bytes:
    try:
        return base64.b64decode("".join(str(entry.get(key) or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("kubeconfig-malformed", f"{key} of the kubeconfig is not base64") from None


def _token(user: Mapping[str, Any]) -> str:
    token = str(user.get("token") or "").strip()
    if any(not 0x20 < ord(each) < 0x7F for each in token):
        raise Refused("kubeconfig-credentials", "the token of the kubeconfig holds characters that no token has")
    return token


def _server(cluster: Mapping[str, Any], *, allow_loopback: bool) -> str:
    server = str(cluster.get("server") or "").rstrip("/")
    check_server(server, allow_loopback=allow_loopback)
    return server


def check_server(server: str, *, allow_loopback: bool = False) -> None:
    """The address of an API server, as written. Raises Refused kubeconfig-address."""
    try:
        parts = urlsplit(server)
        host, port = parts.hostname, parts.port  # noqa: F841 - reading the port checks it
    except ValueError:
        raise Refused("kubeconfig-address", "the server's address is not a URL") from None
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.query or parts.fragment:
        raise Refused("kubeconfig-address", "the server's address must be https://<host>[:<port>][/<path>]")
    if parts.scheme == "http" and not allow_loopback:
        raise Refused("kubeconfig-address", "the server's address is plain http: credentials would travel in the open")
    name = host.rstrip(".").lower()
    if name in _METADATA_NAMES or (not allow_loopback and (name == "localhost" or name.endswith(".localhost"))):
        raise Refused("kubeconfig-address", "the server's address is one of this machine or of its provider")
    try:
        check_address(ipaddress.ip_address(name), allow_loopback=allow_loopback)
    except ValueError:
        return  # a name: checked when it is resolved


def check_address(address: Address, *, allow_loopback: bool) -> None:
    """Raises Refused for addresses of this machine, of its network link and of a provider's metadata."""
    mapped = getattr(address, "ipv4_mapped", None)
    found = mapped or address
    local = found.is_link_local or found.is_multicast or found.is_unspecified or found in _METADATA
    if local or (found.is_loopback and not allow_loopback):
        raise Refused("kubeconfig-address", "the server's address is one of this machine or of its provider")


def check_resolved(config: Kubeconfig) -> None:
    """What the server's name resolves to now. Raises Refused, or Unavailable when it does not resolve."""
    parts = urlsplit(config.server)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError:
        raise Unavailable("cluster-unreachable", f"the name {parts.hostname} does not resolve") from None
    for each in found:
        check_address(ipaddress.ip_address(str(each[4][0]).partition("%")[0]), allow_loopback=config.allow_loopback)
