"""Places of runtimes: namespaces, accounts and rights, also where runtimes of one product stand in each other's."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from activities.runtimes import ACCOUNT, BINDING, NAMESPACE, RuntimeActivities
from nautes.blueprints import runtimes
from nautes.clients.kubernetes import Cluster, Clusters
from nautes.messages.claims import Grant
from nautes.messages.destinations import ClearInput, PrepareInput
from nautes.messages.errors import NotFound, Refused
from tests.integration.convergence.support import REF

PRODUCT = "product-7"
GRANT = Grant(cluster="edge", kubeconfig=REF)


@pytest.fixture
def names() -> list[str]:
    """Three namespaces that nobody has."""
    return [f"place-{uuid.uuid4().hex[:8]}" for _ in range(3)]


@pytest.fixture
def places(clusters: Clusters) -> RuntimeActivities:
    return RuntimeActivities(clusters)


def _place(runtime: str, *namespaces: str, product: str = PRODUCT) -> PrepareInput:
    account, binding = runtimes.account_name(product, "builder"), runtimes.binding(product, runtime)
    return PrepareInput(grant=GRANT, product_id=product, namespaces=list(namespaces), account=account, binding=binding)


def _clear(runtime: str, *namespaces: str, kept: list[str]) -> ClearInput:
    binding = runtimes.binding(PRODUCT, runtime)
    return ClearInput(grant=GRANT, product_id=PRODUCT, namespaces=list(namespaces), kept=kept, binding=binding)


def _bound(cluster: Cluster, namespace: str) -> dict[str, list[str]]:
    """Namespaces whose account has rights in this one, by the name of the binding."""
    found: list[Any] = cluster.list(BINDING, namespace=namespace, selector=f"{runtimes.BELONGS_TO}={PRODUCT}").items
    return {each["metadata"]["name"]: [who["namespace"] for who in each["subjects"]] for each in found}


def test_two_runtimes_with_one_account_leave_each_others_rights_alone(
    places: RuntimeActivities, cluster: Cluster, names: list[str]
) -> None:
    one, both, other = names
    orders = [_place("web", one, both), _place("docs", both, other)]
    assert [places.prepare(each).changed for each in orders] == [True, True]
    assert [places.prepare(each).changed for each in orders] == [False, False]
    assert _bound(cluster, both) == {"product-7-web": [one, both], "product-7-docs": [both, other]}


def test_who_leaves_a_namespace_that_others_use_keeps_no_rights_in_it(
    places: RuntimeActivities, cluster: Cluster, names: list[str]
) -> None:
    one, both, other = names
    for input in (_place("web", one, both), _place("docs", both, other)):
        places.prepare(input)
    leave = _clear("web", kept=[both])
    assert places.clear(leave).changed
    assert _bound(cluster, both) == {"product-7-docs": [both, other]}
    assert cluster.get(ACCOUNT, both, "product-7-builder")
    assert not places.clear(leave).changed


def test_the_account_of_who_leaves_goes_unless_another_acts_as_it(
    places: RuntimeActivities, cluster: Cluster, names: list[str]
) -> None:
    one, both, other = names
    alone = "product-7-web"
    for input in (_place("web", one, both), _place("docs", both, other)):
        places.prepare(input)
    places.prepare(_place("web", one, both).model_copy(update={"account": alone}))
    leave = _clear("web", kept=[both]).model_copy(update={"accounts": ["product-7-builder", alone]})
    assert places.clear(leave).changed
    assert cluster.get(ACCOUNT, both, "product-7-builder")
    with pytest.raises(NotFound):
        cluster.get(ACCOUNT, both, alone)
    assert not places.clear(leave).changed


def test_a_namespace_of_somebody_else_is_neither_taken_nor_cleared(
    places: RuntimeActivities, cluster: Cluster, names: list[str]
) -> None:
    theirs = names[0]
    places.prepare(_place("web", theirs, product="product-8"))
    with pytest.raises(Refused, match="does not belong to this product"):
        places.prepare(_place("web", theirs))
    assert not places.clear(_clear("web", theirs, kept=[theirs])).changed
    assert cluster.get(NAMESPACE, "", theirs)
