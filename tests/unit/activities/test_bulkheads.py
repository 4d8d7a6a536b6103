"""A cluster that is slow takes half of the slots at most; one that is dead takes none for long."""

from __future__ import annotations

import pytest

from activities.bulkheads import FIRST_PAUSE, LONGEST_PAUSE, Bulkheads, cluster_of
from nautes.messages.clusters import Grant
from nautes.messages.convergence import HealthInput
from nautes.messages.errors import NotYet, Unavailable
from nautes.messages.runtimes import RunRef
from nautes.messages.secrets import SecretRef

KUBECONFIG = SecretRef(engine="cluster", path="kubernetes/edge/default/admin")


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_busy_cluster_leaves_the_other_slots_to_others() -> None:
    bulkheads = Bulkheads(2)
    for _ in range(2):
        bulkheads.enter("slow")
    with pytest.raises(NotYet, match="2 calls to cluster slow are under way") as error:
        bulkheads.enter("slow")
    assert error.value.retry_after is not None and 0 < error.value.retry_after < 1
    bulkheads.enter("other")
    bulkheads.leave("slow", reached=True)
    bulkheads.enter("slow")


def test_a_dead_cluster_is_left_alone_longer_each_time_and_one_call_tries_whether_it_is_back() -> None:
    clock = Clock()
    bulkheads = Bulkheads(8, clock)
    _fails(bulkheads)
    _fails(bulkheads)
    for pause in (FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE):
        with pytest.raises(Unavailable, match="is left alone for now"):
            bulkheads.enter("dead")
        clock.now += pause
        bulkheads.enter("dead")
        with pytest.raises(Unavailable):
            bulkheads.enter("dead")  # one at a time
        bulkheads.leave("dead", reached=False)
    for _ in range(10):
        clock.now += LONGEST_PAUSE
        _fails(bulkheads)
    clock.now += LONGEST_PAUSE
    bulkheads.enter("dead")
    bulkheads.leave("dead", reached=True)
    bulkheads.enter("dead")
    bulkheads.enter("dead")


def test_a_trial_that_tells_nothing_lets_the_next_call_try() -> None:
    clock = Clock()
    bulkheads = Bulkheads(8, clock)
    _fails(bulkheads)
    _fails(bulkheads)
    clock.now += FIRST_PAUSE
    bulkheads.enter("dead")
    bulkheads.leave("dead", reached=None)  # it was cancelled
    bulkheads.enter("dead")


def test_one_failure_is_no_outage() -> None:
    bulkheads = Bulkheads(8)
    _fails(bulkheads)
    bulkheads.enter("edge")
    bulkheads.leave("edge", reached=True)
    _fails(bulkheads)
    bulkheads.enter("edge")


def _fails(bulkheads: Bulkheads, cluster: str = "dead") -> None:
    bulkheads.enter(cluster)
    bulkheads.leave(cluster, reached=False)


def test_the_cluster_of_an_argument_is_the_same_however_it_is_named() -> None:
    grant = Grant(cluster="edge", kubeconfig=KUBECONFIG)
    assert cluster_of(HealthInput(cluster=KUBECONFIG, owner="o", namespaces=["n"])) == "edge"
    assert cluster_of(RunRef(grant=grant, namespace="n", name="r")) == "edge"
    assert cluster_of(grant) == "edge"
    assert cluster_of(7) == cluster_of(None) == ""
