"""The components of a cluster: which slot each fills, where it lives, what it asks for, and which of them this build installs.

Read by the rules about clusters (clusters.py). The names, namespaces and properties are those of the original system;
docs/decisions/0009-components-without-a-bundle.md says what becomes of those without a bundle.
"""

from __future__ import annotations

from dataclasses import dataclass

HOST = "host"
PORT = "port"


@dataclass(frozen=True)
class Property:
    """An addition that a component needs: what it holds (a HOST or a PORT), and its default.

    In the default of a host, `{cluster}` and `{domain}` are the cluster's name and primary domain.
    """

    name: str
    holds: str
    default: str


@dataclass(frozen=True)
class Entry:
    """`bundled`: this build can install it; the others are known by name only. `default`: of this build's own slots."""

    name: str
    slot: str
    namespace: str
    bundled: bool = False
    default: bool = False
    properties: tuple[Property, ...] = ()


CATALOGUE: tuple[Entry, ...] = (
    Entry("nautes", "deployment", "nautes", bundled=True, default=True),
    Entry("argocd", "deployment", "argocd", properties=(Property("host", HOST, "argocd.{cluster}.{domain}"),)),
    Entry("tekton-sandbox", "pipeline", "tekton-pipelines", bundled=True, default=True),
    Entry("tekton", "pipeline", "tekton-pipelines", properties=(Property("host", HOST, "tekton.{cluster}.{domain}"),)),
    Entry("vault", "secretManagement", "vault", bundled=True, default=True),
    Entry("hnc", "multiTenant", "hnc-system"),
    Entry("external-secrets", "secretSync", "external-secrets"),
    Entry(
        "traefik",
        "gateway",
        "traefik",
        properties=(Property("httpNodePort", PORT, "30080"), Property("httpsNodePort", PORT, "30443")),
    ),
    Entry("argo-rollouts", "progressiveDelivery", "argo-rollouts"),
    Entry("argo-events", "eventListener", "argo-events"),
    Entry("oauth2-proxy", "oauthProxy", "oauth2-proxy"),
    Entry("cert-manager", "certManagement", "cert-manager"),
)
BY_NAME = {each.name: each for each in CATALOGUE}
# What a cluster of each category (usage, type, worker type) always has: nothing but what this build has bundles for.
REQUIRED: dict[tuple[str, str, str], tuple[str, ...]] = {
    ("host", "physical", ""): ("secretManagement",),
    ("worker", "physical", "deployment"): ("secretManagement", "deployment"),
    ("worker", "physical", "pipeline"): ("secretManagement", "pipeline"),
    ("worker", "virtual", "deployment"): ("secretManagement", "deployment"),
    ("worker", "virtual", "pipeline"): ("secretManagement", "pipeline"),
}
_WORKER = ("secretManagement", "multiTenant", "secretSync", "deployment")
# Its slots in the original system: needed as soon as the user names a component that only the original has a slot for.
COMPLETE: dict[tuple[str, str, str], tuple[str, ...]] = {
    ("host", "physical", ""): ("oauthProxy", "gateway", "secretManagement"),
    ("worker", "physical", "deployment"): ("oauthProxy", "gateway", *_WORKER, "progressiveDelivery"),
    ("worker", "physical", "pipeline"): ("oauthProxy", "gateway", *_WORKER, "eventListener", "pipeline"),
    ("worker", "virtual", "deployment"): (*_WORKER, "progressiveDelivery"),
    ("worker", "virtual", "pipeline"): ("gateway", *_WORKER, "eventListener", "pipeline"),
}
OPTIONAL = ("certManagement",)  # in every category
OWN_SLOTS = ("deployment", "pipeline", "secretManagement")  # that this build fills by itself


def available(slot: str) -> list[str]:
    """Names of the components this build can put into a slot."""
    return [each.name for each in CATALOGUE if each.slot == slot and each.bundled]


def fitting(slot: str) -> list[str]:
    """Names of all components for a slot, installed by this build or there already."""
    return [each.name for each in CATALOGUE if each.slot == slot]


def default_for(slot: str) -> Entry | None:
    """What fills a slot when nothing is named."""
    return next((each for each in CATALOGUE if each.slot == slot and each.default), None)


def default_of_original(slot: str) -> Entry | None:
    """What fills a slot of the original system when nothing is named."""
    return next((each for each in CATALOGUE if each.slot == slot and not each.default), None)
