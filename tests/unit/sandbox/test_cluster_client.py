"""The sandbox's own way to an API server: lists of many pages, events, and errors that the players can tell apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nautes_sandbox.kubernetes import client as clients
from nautes_sandbox.kubernetes import standin
from nautes_sandbox.kubernetes.client import Client, Conflict, Kind, NotFound, RequestError
from nautes_sandbox.process import Supervisor, free_port

MAPS = Kind("v1", "ConfigMap", "configmaps", namespaced=True)


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("cluster")
    made = standin.cluster("alone", directory, free_port())
    supervisor = Supervisor(directory / "run")
    supervisor.start(made.services[0])
    yield made.kubeconfig
    for name in supervisor.running():
        supervisor.stop(name)


@pytest.fixture
def client(kubeconfig: Path) -> Client:
    return Client(kubeconfig)


def _made(client: Client, name: str, **labels: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}}
    client.create(MAPS.path("default"), body)


def test_a_list_is_whole_however_many_pages_it_takes(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        _made(client, f"page-{number}", of="pages")
    monkeypatch.setattr(clients, "PAGE", 2)
    before = client.requests["GET"]
    found = client.list(MAPS, namespace="default", selector="of=pages").items
    assert [each["metadata"]["name"] for each in found] == [f"page-{number}" for number in range(5)]
    assert {(each["apiVersion"], each["kind"]) for each in found} == {("v1", "ConfigMap")}
    assert client.requests["GET"] - before == 3


def test_a_watch_gives_what_happened_since_the_list(client: Client) -> None:
    version = client.list(MAPS).version
    _made(client, "watched")
    client.patch(MAPS.path("default", "watched"), {"data": {"a": "b"}})
    client.delete(MAPS, "default", "watched")
    events = client.watch(MAPS, version=version, seconds=30)
    found = [next(events) for _ in range(3)]
    assert [(kind, item["metadata"]["name"]) for kind, item in found] == [
        ("ADDED", "watched"),
        ("MODIFIED", "watched"),
        ("DELETED", "watched"),
    ]
    assert found[1][1]["data"] == {"a": "b"}


def test_refusals_are_told_apart_in_the_servers_own_words(client: Client) -> None:
    with pytest.raises(NotFound, match='configmaps "none" not found'):
        client.get(MAPS, "default", "none")
    _made(client, "twice")
    with pytest.raises(Conflict, match="already exists"):
        _made(client, "twice")
    with pytest.raises(RequestError) as refused:
        client.patch(MAPS.path("default", "twice"), {"data": {"a": 1}})
    assert not isinstance(refused.value, NotFound | Conflict)


def test_deleting_what_is_gone_or_has_changed_hands_is_success(client: Client) -> None:
    client.delete(MAPS, "default", "never")
    _made(client, "other")
    client.delete(MAPS, "default", "other", uid="00000000-0000-0000-0000-000000000000")
    assert client.get(MAPS, "default", "other")


def test_a_server_that_is_not_there_is_an_error_of_the_same_family(kubeconfig: Path, tmp_path: Path) -> None:
    away = tmp_path / "kubeconfig"
    text = kubeconfig.read_text()
    server = next(line.split()[-1] for line in text.splitlines() if "server:" in line)
    away.write_text(text.replace(server, f"https://127.0.0.1:{free_port()}"))
    (tmp_path / "ca.crt").write_bytes(kubeconfig.with_name("ca.crt").read_bytes())
    client = Client(away)
    with pytest.raises(RequestError, match="cannot be reached"):
        client.list(MAPS)
    with pytest.raises(RequestError, match="cannot be reached"):
        next(client.watch(MAPS, version="1", seconds=1))


def test_kinds_are_those_that_can_be_listed_and_deleted(client: Client) -> None:
    found = {(each.api_version, each.plural) for each in client.kinds()}
    assert {("v1", "configmaps"), ("apps/v1", "deployments")} <= found
    assert ("authentication.k8s.io/v1", "tokenreviews") not in found
