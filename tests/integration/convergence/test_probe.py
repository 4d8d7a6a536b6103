"""A look at a cluster before it is registered: whether it answers, and whether we may do what we will have to."""

from __future__ import annotations

import pytest

from activities.kubernetes import Probe
from nautes.clients.kubernetes import Cluster, Clusters
from nautes.messages.convergence import ProbeInput
from nautes.messages.errors import Refused
from tests.integration.convergence.support import REF


def test_an_administrator_passes_the_probe(clusters: Clusters, cluster: Cluster) -> None:
    report = Probe(clusters).check(ProbeInput(cluster=REF))
    assert (report.server, report.version[:2]) == (cluster.server, "v1")


def test_an_unreachable_cluster_fails_the_probe() -> None:
    def nowhere(_ref: object) -> str:
        user = "users: [{name: a, user: {token: t}}]"
        return (
            "{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}],"
            " clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}], " + user + "}"
        )

    with pytest.raises(Refused, match="cannot be reached"):
        Probe(Clusters(nowhere, allow_loopback=True)).check(ProbeInput(cluster=REF))
