"""Requests to one API server: connections, TLS, impersonation, translation of errors. Called by kubernetes.py.

Connections, TLS and proxies are those of the `kubernetes` package; bodies stay plain data, because parsing 500 typed models
costs more than applying them. Only errors of nautes/messages/errors.py leave this module.
"""

from __future__ import annotations

import json
import os
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from kubernetes.client.configuration import Configuration
from kubernetes.client.rest import RESTClientObject

from nautes.clients.circuit import Circuit, UnansweredError
from nautes.clients.kubeconfig import Kubeconfig, check_resolved
from nautes.convergence.objects import Object, group_of
from nautes.messages.errors import Conflict, Forbidden, NautesError, NotFound, Refused, TooLarge, Unavailable
from nautes.telemetry.metrics import Calls, circuits

Parameters = Mapping[str, str]
UNREACHABLE = "cluster-unreachable"
KEPT = 64  # connections to one cluster: several convergences share them
CONNECTIONS = 16  # requests in flight to one cluster; more do not help on a near one (reference/kubernetes.md)


class Connection:
    """Safe for many threads. `timeout` is seconds per request; `requests` counts them by method, for tests and bench.

    `agent` is our name in the cluster's audit log. `name` is the cluster's in metrics, "" while it is not registered.
    """

    def __init__(self, config: Kubeconfig, *, timeout: float = 15.0, agent: str = "nautes", name: str = "") -> None:
        self.server = config.server
        self.requests: Counter[str] = Counter()
        self._timeout = timeout
        self._headers = {"Accept": "application/json", "User-Agent": agent}
        if config.token:
            self._headers["Authorization"] = f"Bearer {config.token}"
        # The host's pool directly: finding the pool of a URL costs as much as sending the request.
        self._pool = _connect(config).pool_manager.connection_from_url(config.server)
        self._prefix = urlsplit(config.server).path
        self._lock = threading.Lock()
        self._circuit = Circuit(UNREACHABLE, self.server)
        self._calls = Calls("kubernetes", name)
        if name:
            circuits.watch(self._circuit, name)

    def call(
        self,
        method: str,
        path: str,
        parameters: Parameters | None = None,
        *,
        body: Object | None = None,
        content_type: str = "application/json",
        account: str | None = None,
    ) -> Object:
        """One request and its JSON answer. `account` is impersonated. Raises an error of nautes/messages/errors.py."""
        # Kubernetes adds a service account's groups when only the user is impersonated.
        headers = {"Impersonate-User": account} if account else {}
        data = None
        if body is not None:
            data = json.dumps(body, separators=(",", ":")).encode()
            headers["Content-Type"] = content_type
        response = self._send(method, _url(path, parameters or {}), data, headers)
        answer = response.data
        if response.status >= 300:
            raise error_of(response.status, answer, response.headers, secret=_is_secret(body))
        try:
            decoded = json.loads(answer) if answer else {}
        except ValueError:
            raise Unavailable(
                "kubernetes-answer", f"{self.server} answered {method} with something else than JSON"
            ) from None
        return decoded if isinstance(decoded, dict) else {}

    def _send(
        self, method: str, url: str, data: bytes | None, headers: Mapping[str, str], timeout: float | None = None
    ) -> Any:
        with self._lock:
            self.requests[method] += 1
        with self._circuit.call(), _outages(self.server), self._calls.counted():
            began = time.perf_counter()
            response = self._pool.urlopen(
                method,
                self._prefix + url,
                body=data,
                headers={**self._headers, **headers},
                timeout=urllib3.Timeout(connect=min(5.0, self._timeout), read=timeout or self._timeout),
                retries=False,  # neither retries nor redirects: the callers decide about both
                redirect=False,
                preload_content=timeout is None,
            )
            self._calls.answered(response.status, began)
            return response


def _url(path: str, parameters: Parameters) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path


def _connect(config: Kubeconfig) -> RESTClientObject:
    """Connections to a cluster. Client certificates go to the TLS library through memory, never through a disk."""
    check_resolved(config)
    settings = Configuration(
        host=config.server,
        verify_ssl=config.verify,
        ca_cert_data=config.ca.decode() if config.ca else None,
        connection_pool_maxsize=KEPT,
        tls_server_name=config.tls_server_name or None,
    )
    rest = RESTClientObject(settings)
    if config.certificate and urlsplit(config.server).scheme == "https":
        _client_certificate(rest, config)
    return rest


def _client_certificate(rest: RESTClientObject, config: Kubeconfig) -> None:
    rest.pool_manager.connection_pool_kw["ssl_context"] = tls_context(config)
    for key in ("ca_certs", "ca_cert_data", "cert_file", "key_file"):
        rest.pool_manager.connection_pool_kw.pop(key, None)


def tls_context(config: Kubeconfig) -> ssl.SSLContext:
    """What the kubeconfig trusts, and its client certificate. Raises Refused for a certificate that does not fit its key."""
    context = urllib3.util.ssl_.create_urllib3_context()
    if config.ca:
        context.load_verify_locations(cadata=config.ca.decode())
    else:
        context.load_default_certs()
    if not config.verify:
        context.check_hostname = False
        context.verify_mode = urllib3.util.ssl_.resolve_cert_reqs("CERT_NONE")
    if not config.certificate:
        return context
    with _in_memory(config.certificate + b"\n" + config.key) as path:
        try:
            context.load_cert_chain(path)
        except OSError:  # ssl.SSLError is one
            raise Refused("kubeconfig-credentials", "client certificate and key of the kubeconfig do not fit") from None
    return context


@contextmanager
def _in_memory(data: bytes) -> Iterator[str]:
    """A path under which the TLS library can read `data`; nothing is written to a file system."""
    descriptor = os.memfd_create("nautes")
    try:
        os.write(descriptor, data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


@contextmanager
def _outages(server: str) -> Iterator[None]:
    try:
        yield
    except NautesError:
        raise
    except (urllib3.exceptions.HTTPError, OSError) as error:
        cause = (
            "its certificate is not trusted" if isinstance(error, urllib3.exceptions.SSLError) else type(error).__name__
        )
        raise UnansweredError(Unavailable(UNREACHABLE, f"{server} cannot be reached: {cause}")) from None


_FINAL: dict[int, tuple[type[NautesError], str]] = {
    400: (Refused, "kubernetes-refused"),
    401: (Forbidden, "kubernetes-unauthorized"),
    403: (Forbidden, "kubernetes-forbidden"),
    404: (NotFound, "kubernetes-not-found"),
    409: (Conflict, "kubernetes-conflict"),
    413: (TooLarge, "kubernetes-too-large"),
}


# Older servers answer 500 to objects they cannot decode; a retry does not help.
_UNDECODABLE = (b"failed to create typed", b"illegal base64", b"cannot unmarshal", b"unable to decode", b"decoding")


def error_of(status: int, body: bytes, headers: Mapping[str, str], *, secret: bool = False) -> NautesError:
    """Our error for an answer of 300 or more. `secret`: the request held one, which the answer may quote."""
    message = _message(status, body, secret=secret)
    if status == 500 and any(each in body for each in _UNDECODABLE):
        return Refused("kubernetes-refused", message)
    if status == 429 or status >= 500:
        wish = headers.get("Retry-After", "")
        return Unavailable("kubernetes-unavailable", message, retry_after=_seconds(wish))
    kind, code = _FINAL.get(status, (Refused, "kubernetes-refused"))
    return kind(code, message)


def _seconds(text: str) -> float | None:
    """Seconds of a Retry-After header, up to some days; None when it holds anything else."""
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None


def _message(status: int, body: bytes, *, secret: bool) -> str:
    """Kubernetes' own message; of a Secret only the names of the wrong fields, because the message may quote values."""
    try:
        answer = json.loads(body)
    except ValueError:
        return f"HTTP {status}"
    if not isinstance(answer, dict) or answer.get("kind") != "Status":
        return f"HTTP {status}"
    if not secret or status in (401, 403, 404, 409):  # about rights and names, not about content
        return str(answer.get("message") or f"HTTP {status}")[:1000]
    details = answer.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    known = [each for each in causes if isinstance(each, dict)] if isinstance(causes, list) else []
    fields = ", ".join(f"{each.get('field')}: {each.get('reason')}" for each in known)
    return f"{answer.get('reason') or f'HTTP {status}'}" + (f" ({fields})" if fields else "")


def _is_secret(body: Object | None) -> bool:
    return body is not None and body.get("kind") == "Secret" and not group_of(str(body.get("apiVersion")))
