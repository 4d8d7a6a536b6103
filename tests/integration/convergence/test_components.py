"""Components with and without a bundle."""

from __future__ import annotations

from activities.components import ComponentActivities, bundled
from nautes.clients.kubernetes import Cluster, Clusters
from nautes.messages.clusters import ComponentInput
from nautes.rules.catalogue import CATALOGUE
from tests.integration.convergence.support import REF


def test_what_this_build_has_no_bundle_for_is_left_alone(clusters: Clusters, cluster: Cluster) -> None:
    activities = ComponentActivities(clusters)
    input = ComponentInput(cluster="edge", kubeconfig=REF, component="hnc", namespace="hnc-system")
    before = cluster.requests.copy()
    assert activities.install(input).bundled is False
    assert activities.remove(input).deleted == 0
    assert cluster.requests == before


def test_the_catalogue_says_of_each_component_whether_it_can_be_installed() -> None:
    built_in = {"nautes", "vault"}
    assert bundled("bootstrap")
    wrong = [each.name for each in CATALOGUE if each.name not in built_in and each.bundled != bundled(each.name)]
    assert wrong == []
