"""The components of a cluster: which slot each fills, where it lives, and which of them this build can install."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """`bundled`: this build has what is needed; the others are known by name only."""

    name: str
    slot: str
    namespace: str
    bundled: bool = False
    default: bool = False


CATALOGUE: tuple[Entry, ...] = (
    Entry("nautes", "deployment", "nautes", bundled=True, default=True),
    Entry("argocd", "deployment", "argocd"),
    Entry("tekton-sandbox", "pipeline", "tekton-pipelines", bundled=True, default=True),
    Entry("tekton", "pipeline", "tekton-pipelines"),
    Entry("vault", "secretManagement", "vault", bundled=True, default=True),
    Entry("hnc", "multiTenant", "hnc-system"),
    Entry("external-secrets", "secretSync", "external-secrets"),
    Entry("traefik", "gateway", "traefik"),
    Entry("argo-rollouts", "progressiveDelivery", "argo-rollouts"),
    Entry("argo-events", "eventListener", "argo-events"),
    Entry("oauth2-proxy", "oauthProxy", "oauth2-proxy"),
    Entry("cert-manager", "certManagement", "cert-manager"),
)
BY_NAME = {each.name: each for each in CATALOGUE}
# Slots each category (usage, type, worker type) must have filled, as far as this build has bundles for them.
REQUIRED: dict[tuple[str, str, str], tuple[str, ...]] = {
    ("host", "physical", ""): ("secretManagement",),
    ("worker", "physical", "deployment"): ("secretManagement", "deployment"),
    ("worker", "physical", "pipeline"): ("secretManagement", "pipeline"),
    ("worker", "virtual", "deployment"): ("secretManagement", "deployment"),
    ("worker", "virtual", "pipeline"): ("secretManagement", "pipeline"),
}


def available(slot: str) -> list[str]:
    """Names of the components this build can put into a slot."""
    return [each.name for each in CATALOGUE if each.slot == slot and each.bundled]


def default_for(slot: str) -> Entry | None:
    """What fills a slot when nothing is named."""
    return next((each for each in CATALOGUE if each.slot == slot and each.default), None)
