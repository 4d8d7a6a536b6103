"""A cluster that is slow takes half of the slots at most."""

from __future__ import annotations

import pytest

from activities.bulkheads import Bulkheads, cluster_of
from nautes.messages.claims import Grant
from nautes.messages.convergence import HealthInput
from nautes.messages.errors import NotYet
from nautes.messages.runtimes import RunRef
from nautes.messages.secrets import SecretRef

KUBECONFIG = SecretRef(engine="cluster", path="kubernetes/edge/default/admin")


def test_a_busy_cluster_leaves_the_other_slots_to_others() -> None:
    bulkheads = Bulkheads(2)
    for _ in range(2):
        bulkheads.enter("slow")
    with pytest.raises(NotYet, match="2 activities for cluster slow are under way") as error:
        bulkheads.enter("slow")
    assert error.value.retry_after is not None and 0 < error.value.retry_after < 1
    bulkheads.enter("other")
    bulkheads.leave("slow")
    bulkheads.enter("slow")


def test_the_cluster_of_an_argument_is_the_same_however_it_is_named() -> None:
    grant = Grant(cluster="edge", kubeconfig=KUBECONFIG)
    assert cluster_of(HealthInput(cluster=KUBECONFIG, owner="o", namespaces=["n"])) == "edge"
    assert cluster_of(RunRef(grant=grant, namespace="n", name="r")) == "edge"
    assert cluster_of(grant) == "edge"
    assert cluster_of(7) == cluster_of(None) == ""
