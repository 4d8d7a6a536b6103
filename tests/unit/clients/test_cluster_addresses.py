"""Where a kubeconfig may lead, as written and as it resolves (what it may contain: ../convergence/test_kubeconfig.py)."""

from __future__ import annotations

import ipaddress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nautes.clients.kubeconfig import Kubeconfig, check_address, check_kubeconfig, check_resolved, check_server
from nautes.messages.errors import Refused


def config(server: str, **cluster: object) -> str:
    return yaml.safe_dump(
        {
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "u", "user": {"token": "tok-hunter2"}}],
        }
    )


@pytest.mark.parametrize(
    "server", ["https://k8s.example.com", "https://10.0.0.1:6443/base/", "https://[2001:db8::1]:6443"]
)
def test_an_ordinary_address_is_taken_without_its_last_slash(server: str) -> None:
    assert check_kubeconfig(config(server)).server == server.rstrip("/")


@pytest.mark.parametrize(
    "server",
    [
        "https://169.254.169.254",
        "https://[fe80::1]",
        "https://[::ffff:169.254.1.1]",
        "https://METADATA.google.internal.",
    ],
)
def test_link_local_and_metadata_addresses_are_refused_even_in_the_sandbox(server: str) -> None:
    with pytest.raises(Refused) as refusal:
        check_kubeconfig(config(server), allow_loopback=True, allow_insecure=True)
    assert refusal.value.code == "kubeconfig-address"
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001"])
def test_a_name_that_resolves_to_this_machine_is_refused_when_it_is_used(host: str) -> None:
    with pytest.raises(Refused) as refusal:
        check_resolved(Kubeconfig(server=f"https://{host}:6443", token="t"))
    assert refusal.value.code == "kubeconfig-address"
    check_resolved(Kubeconfig(server=f"https://{host}:6443", token="t", allow_loopback=True))


@given(st.ip_addresses(), st.booleans())
def test_every_address_is_judged_by_its_class(address: ipaddress.IPv4Address, loopback: bool) -> None:
    refused = address.is_link_local or address.is_multicast or address.is_unspecified
    if refused or (address.is_loopback and not loopback):
        with pytest.raises(Refused):
            check_address(address, allow_loopback=loopback)
    elif str(address) not in ("100.100.100.200", "fd00:ec2::254"):
        mapped = getattr(address, "ipv4_mapped", None)
        if mapped is None:
            check_address(address, allow_loopback=loopback)


@given(st.text(max_size=30) | st.text("https:/[]@.0127%", max_size=30))
def test_any_address_is_taken_or_refused(text: str) -> None:
    for server in (text, f"https://{text}"):
        try:
            check_server(server)
        except Refused as refusal:
            assert refusal.code == "kubeconfig-address"


def test_two_configurations_have_one_digest_only_when_they_are_the_same() -> None:
    one = check_kubeconfig(config("https://k8s.example.com"))
    assert one.digest == check_kubeconfig(config("https://k8s.example.com")).digest
    assert one.digest != check_kubeconfig(config("https://other.example.com")).digest
    assert "hunter2" not in one.digest + repr(one)
