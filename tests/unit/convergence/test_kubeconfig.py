"""Which kubeconfigs are taken, and that no refusal quotes one."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nautes.clients.kubeconfig import check_kubeconfig
from nautes.messages.errors import Refused

TOKEN = "tok-hunter2"
Config = dict[str, Any]


def config(**cluster: Any) -> Config:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://k8s.example.com:6443", **cluster}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
    }


def user(**fields: Any) -> Config:
    return {**config(), "users": [{"name": "u", "user": fields}]}


def check(found: Config, **policy: bool) -> Any:
    return check_kubeconfig(yaml.safe_dump(found), **policy)


def test_a_token_or_a_client_certificate_is_taken() -> None:
    ca = base64.b64encode(b"CA").decode()
    found = check(config(**{"certificate-authority-data": ca}))
    assert (found.server, found.token, found.ca, found.verify) == ("https://k8s.example.com:6443", TOKEN, b"CA", True)
    pair = {"client-certificate-data": ca, "client-key-data": ca}
    assert check(user(**pair)).certificate == b"CA"


def test_the_only_context_needs_not_be_current() -> None:
    assert check({**config(), "current-context": ""}).token == TOKEN


def test_what_is_not_verified_is_taken_only_when_asked_for() -> None:
    insecure = config(**{"insecure-skip-tls-verify": True})
    assert check(insecure, allow_insecure=True).verify is False
    with pytest.raises(Refused, match="insecure-skip-tls-verify"):
        check(insecure)


def test_loopback_and_plain_http_are_taken_only_where_allowed() -> None:
    for server in ("http://127.0.0.1:6443", "https://localhost:6443", "https://[::1]:6443"):
        assert check(config(server=server), allow_loopback=True).server == server
        with pytest.raises(Refused):
            check(config(server=server))


@pytest.mark.parametrize(
    "server",
    [
        "",
        "k8s.example.com",
        "ftp://k8s.example.com",
        "http://k8s.example.com",
        "https://user:pass@k8s.example.com",
        "https://k8s.example.com?x=1",
        "https://k8s.example.com:notaport",
        "https://169.254.169.254",
        "https://[fe80::1]",
        "https://[::ffff:169.254.169.254]",
        "https://[fd00:ec2::254]",
        "https://100.100.100.200",
        "https://0.0.0.0",
        "https://224.0.0.1",
        "https://metadata.google.internal",
    ],
)
def test_an_address_that_leads_elsewhere_is_refused_whatever_is_allowed(server: str) -> None:
    with pytest.raises(Refused) as refusal:
        check(config(server=server), allow_loopback=server.startswith("https"))
    assert refusal.value.code == "kubeconfig-address"


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (user(exec={"command": "aws"}), "kubeconfig-exec"),
        (user(**{"token": TOKEN, "auth-provider": {"name": "gcp"}}), "kubeconfig-exec"),
        (user(tokenFile="/etc/token"), "kubeconfig-file"),
        (user(**{"client-certificate": "/etc/a", "client-key": "/etc/b"}), "kubeconfig-file"),
        (config(**{"certificate-authority": "/etc/ca"}), "kubeconfig-file"),
        (config(**{"proxy-url": "http://elsewhere"}), "kubeconfig-credentials"),
        (user(token=TOKEN, **{"as": "admin"}), "kubeconfig-credentials"),
        (user(username="a", password="b"), "kubeconfig-credentials"),
        (user(), "kubeconfig-credentials"),
        (user(token="a\nb: c"), "kubeconfig-credentials"),
        ({**config(), "current-context": "other"}, "kubeconfig-context"),
        ({**config(), "contexts": config()["contexts"] * 2, "current-context": "x"}, "kubeconfig-context"),
        ({**config(), "contexts": []}, "kubeconfig-context"),
        ({**config(), "users": []}, "kubeconfig-context"),
        ({**config(), "users": {"a": 1}}, "kubeconfig-malformed"),
        ({**config(), "users": [1]}, "kubeconfig-malformed"),
        (config(**{"certificate-authority-data": "no base64!"}), "kubeconfig-malformed"),
        ({**config(), "kind": "Secret"}, "kubeconfig-malformed"),
    ],
)
def test_what_reaches_further_than_an_address_and_a_credential_is_refused(found: Config, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        check(found)
    assert refusal.value.code == code
    assert TOKEN not in str(refusal.value)


def test_an_unused_user_that_runs_a_program_is_refused_too() -> None:
    found = config()
    found["users"].append({"name": "other", "user": {"exec": {"command": "x"}}})
    with pytest.raises(Refused, match="exec"):
        check(found)


@pytest.mark.parametrize("text", ["", "a: [", "just text", "a: 1\n---\nb: 2", "x" * 300_000, "a: 1\na: 2"])
def test_what_is_no_kubeconfig_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        check_kubeconfig(text)
    assert refusal.value.code == "kubeconfig-malformed"


@given(st.text(max_size=100))
def test_any_text_is_taken_or_refused(text: str) -> None:
    with pytest.raises(Refused):
        check_kubeconfig(text)


def test_credentials_are_kept_out_of_representations() -> None:
    represent: Callable[[object], str] = repr
    assert TOKEN not in represent(check(config()))
