"""Checks that a cluster is reachable, recent enough, and grants the rights the platform needs. Used by registrations."""

from __future__ import annotations

from collections.abc import Sequence

from activities.elapsed import elapsed
from nautes.clients.kubernetes import Cluster, Clusters
from nautes.messages.convergence import ProbeInput, ProbeReport
from nautes.messages.errors import Forbidden, Refused, Unavailable

TIMEOUT = 8.0  # seconds after which a cluster that cannot be reached is refused instead of waited for
OLDEST = (1, 20)
# Rights the platform needs, as (verb, group, resource): checked one by one unless everything is allowed.
NEEDED: Sequence[tuple[str, str, str]] = (
    ("create", "", "namespaces"),
    ("delete", "", "namespaces"),
    ("impersonate", "", "serviceaccounts"),
    ("patch", "", "serviceaccounts"),
    ("patch", "", "secrets"),
    ("list", "", "secrets"),
    ("patch", "", "configmaps"),
    ("patch", "apps", "deployments"),
    ("patch", "rbac.authorization.k8s.io", "rolebindings"),
    ("patch", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ("patch", "apiextensions.k8s.io", "customresourcedefinitions"),
)
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Probe:
    """Reads version and rights from a cluster; writes nothing."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    def check(self, input: ProbeInput) -> ProbeReport:
        """Raises Refused (unreachable for some seconds, too old), Forbidden (names the missing right), Unavailable."""
        try:
            cluster = self._clusters.get(input.cluster)
            version = cluster.call("GET", "/version")
            self._rights(cluster)
        except Unavailable as error:
            if elapsed() < TIMEOUT:
                raise
            raise Refused("cluster-unreachable", error.message) from None
        if (_number(version.get("major")), _number(version.get("minor"))) < OLDEST:
            raise Refused("cluster-version", f"Kubernetes {version.get('gitVersion')} is older than 1.{OLDEST[1]}")
        return ProbeReport(server=cluster.server, version=str(version.get("gitVersion") or ""))

    def _rights(self, cluster: Cluster) -> None:
        if _allowed(cluster, "*", "*", "*"):
            return
        missing = [
            f"{verb} {resource}" for verb, group, resource in NEEDED if not _allowed(cluster, verb, group, resource)
        ]
        if missing:
            raise Forbidden(
                "cluster-rights", f"the kubeconfig's user lacks rights in the cluster: {', '.join(missing)}"
            )


def _allowed(cluster: Cluster, verb: str, group: str, resource: str) -> bool:
    attributes = {"verb": verb, "group": group, "resource": resource}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = cluster.call("POST", REVIEWS, body=review)
    return bool((answer.get("status") or {}).get("allowed"))


def _number(text: object) -> int:
    digits = "".join(each for each in str(text) if each.isdigit())
    return int(digits) if digits else 0
