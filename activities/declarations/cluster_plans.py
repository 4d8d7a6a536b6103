"""What a registration, an update or a removal of a cluster would do, line by line. Called by activities/clusters.py; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from nautes.blueprints import components
from nautes.blueprints.virtual import host_of
from nautes.messages.clusters import ClusterCheck, ClusterPlan
from nautes.messages.operations import Effect, FieldChange, Manifest, Outcome
from nautes.resources.cluster import Cluster
from nautes.resources.fields import differences
from nautes.resources.findings import Finding
from nautes.resources.manifest import manifest_of, resource_of, version
from nautes.rules import clusters as rules


def plan(input: ClusterCheck, findings: list[Finding]) -> ClusterPlan:
    """The plan of an order; `findings` are what the rules say already."""
    request, before = input.request, input.manifest
    cluster = cluster_of(request.manifest) if request.action == "apply" else None
    after = manifest_of(cluster) if cluster else {}
    lines = list(_lines(request.cluster, before, after))
    outcome = _outcome(f"Cluster/{request.cluster}", before, after, request.action)
    parts = [request.action, *(each.model_dump_json() for each in (outcome, *lines))]
    found = ClusterPlan(
        id=hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16],
        findings=[*findings, *_expected(input)],
        warnings=rules.warnings(cluster) if cluster else [],
        effects=lines,
        outcome=outcome,
        deletions=1 if before and not after else 0,
    )
    if request.plans and found.id not in request.plans and not found.findings:
        stale = Finding(rule="plan-stale", message="the world has moved since this was planned: plan again")
        return found.model_copy(update={"findings": [stale]})
    return found


def cluster_of(manifest: Manifest) -> Cluster:
    """A cluster as it is registered: with everything that is only default. Raises ValueError."""
    found = resource_of(manifest)
    if not isinstance(found, Cluster):
        raise ValueError(f"{found.key} is no Cluster")
    return rules.with_defaults(found)


def _lines(name: str, before: Manifest, after: Manifest) -> Iterable[Effect]:
    if before == after:
        return
    action = "create" if not before else "delete" if not after else "change"
    old, new = before.get("spec", {}), after.get("spec", {})
    fields = [
        FieldChange(pointer=at, before=was, after=shall)
        for at, was, shall in differences(old, new, "/spec")
        if action == "change"
    ]
    yield Effect.model_validate({"system": "git", "action": action, "target": f"Cluster/{name}", "fields": fields})
    if action != "change":
        for target in (f"kubeconfig of {name}", f"auth/{name}"):
            yield Effect.model_validate({"system": "vault", "action": action, "target": target})
        if host := host_of(after or before):
            target = f"virtual cluster {name} on {host}"
            yield Effect.model_validate({"system": "kubernetes", "action": action, "target": target})
    installed, wanted = (dict(components.of_cluster(each)) if each else {} for each in (before, after))
    for component in sorted({*installed, *wanted}):
        if installed.get(component) != wanted.get(component):
            made = "create" if component not in installed else "delete" if component not in wanted else "change"
            target = f"component {component} of {name}"
            yield Effect.model_validate({"system": "kubernetes", "action": made, "target": target})


def _outcome(resource: str, before: Manifest, after: Manifest, action: str) -> Outcome:
    if action == "remove":
        return Outcome(resource=resource, action="removed" if before else "absent")
    return Outcome(resource=resource, action="created" if not before else "unchanged" if before == after else "changed")


def _expected(input: ClusterCheck) -> Iterable[Finding]:
    """The version the caller has seen and built upon (If-Match, If-None-Match)."""
    found = version(resource_of(input.manifest)) if input.manifest else ""
    for key, wanted in input.request.expected.items():
        if wanted != found:
            yield Finding(rule="precondition-failed", message=f"{key} is not what was seen", resource=key)
