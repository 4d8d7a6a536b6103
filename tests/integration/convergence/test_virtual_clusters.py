"""Virtual clusters on a host: created once, never in a foreign namespace, reached by the kubeconfig they write."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pytest
import yaml

from activities.virtual import SECRET, VirtualActivities
from nautes.blueprints import virtual
from nautes.clients.kubernetes import Cluster, Clusters, Kind
from nautes.messages.clusters import VirtualInput
from nautes.messages.errors import NautesError, NotYet, Refused
from nautes.messages.secrets import SecretRef
from tests.integration.convergence.support import REF

NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets", namespaced=True)


class Box:
    """Keeps secrets as Vault does."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, str]] = {}

    def read(self, ref: SecretRef) -> dict[str, str] | None:
        return self.held.get(ref.path)

    def write(self, engine: str, path: str, values: dict[str, str]) -> SecretRef:
        self.held[path] = values
        return SecretRef(engine=engine, path=path, version=1)


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def activities(clusters: Clusters, box: Box) -> VirtualActivities:
    return VirtualActivities(clusters, box)  # type: ignore[arg-type]


@pytest.fixture
def input(cluster: Cluster) -> VirtualInput:
    """A virtual cluster that is reached under the address of its host: there is only one API server here."""
    name = f"virt-{uuid.uuid4().hex[:8]}"
    if not any(item["metadata"]["name"] == "nautes" for item in cluster.list(NAMESPACE).items):
        _namespace(cluster, "nautes")
    staged = SecretRef(engine="cluster", path=f"staging/{name}")
    return VirtualInput(cluster=name, host=REF, server=cluster.server, staged=staged)


def _namespace(cluster: Cluster, name: str) -> None:
    cluster.create(NAMESPACE.path(), {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def _written(cluster: Cluster, input: VirtualInput, text: str) -> None:
    """As its control plane does when it serves."""
    data = {virtual.CONFIG: base64.b64encode(text.encode()).decode()}
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "data": data}
    cluster.create(SECRET.path(input.cluster), {**body, "metadata": {"name": virtual.secret(input.cluster)}})


def _at_home(kubeconfig: str) -> str:
    """The kubeconfig as somebody inside would write it."""
    found = yaml.safe_load(kubeconfig)
    found["clusters"][0]["cluster"]["server"] = "https://localhost:8443"
    return yaml.safe_dump(found)


def test_it_is_made_once(activities: VirtualActivities, cluster: Cluster, input: VirtualInput) -> None:
    report = activities.create(input)
    assert (report.applied, report.failed, report.refused) == (len(virtual.objects("v", "", 0)), 0, 0)
    assert cluster.get(STATEFUL_SET, input.cluster, input.cluster)["metadata"]["labels"]["app"] == "vcluster"
    again = activities.create(input)
    assert (again.writes, again.unchanged) == (0, report.applied)


def test_a_namespace_of_somebody_else_is_not_taken(
    activities: VirtualActivities, cluster: Cluster, input: VirtualInput
) -> None:
    _namespace(cluster, input.cluster)
    with pytest.raises(Refused, match="belongs to another owner"):
        activities.create(input)
    assert cluster.list(STATEFUL_SET, namespace=input.cluster).items == []
    with pytest.raises(Refused, match="belongs to another owner"):
        activities.create(input.model_copy(update={"cluster": "kube-system"}))


def test_its_kubeconfig_is_staged_with_the_declared_address_and_once_it_is_stored_no_more(
    activities: VirtualActivities, cluster: Cluster, input: VirtualInput, kubeconfig: str, box: Box
) -> None:
    activities.create(input)
    _written(cluster, input, _at_home(kubeconfig))
    assert activities.access(input).staged == input.staged.model_copy(update={"version": 1})
    text = box.held[input.staged.path]["kubeconfig"]
    assert yaml.safe_load(text)["clusters"][0]["cluster"]["server"] == input.server
    box.held = {f"kubernetes/{input.cluster}/default/admin": {"kubeconfig": text}}
    assert activities.access(input).staged is None
    assert input.staged.path not in box.held


def test_one_that_has_not_begun_is_waited_for(activities: VirtualActivities, input: VirtualInput) -> None:
    activities.create(input)
    with pytest.raises(NotYet, match=f"there is no Secret vc-{input.cluster} yet"):
        activities.access(input)


@pytest.mark.parametrize("text", ["{[", "clusters: []", "just words", "clusters: {}"])
def test_what_is_no_kubeconfig_is_refused(
    activities: VirtualActivities, cluster: Cluster, input: VirtualInput, text: str, box: Box
) -> None:
    activities.create(input)
    _written(cluster, input, text)
    with pytest.raises(NautesError) as caught:
        activities.access(input)
    assert (type(caught.value), caught.value.code) == (Refused, "virtual-kubeconfig")
    assert box.held == {}
