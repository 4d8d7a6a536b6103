"""Clusters in the tenant repository: reads, checks and commits them. Called by the tenant and registration workflows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from temporalio import activity

from activities.gitlab import TRAILER, commit
from activities.kubernetes import Probe
from nautes.blueprints import components
from nautes.clients.declarations import BRANCH, Declarations
from nautes.clients.gitlab import GitLab
from nautes.clients.kubernetes import Clusters
from nautes.messages.clusters import (
    ClusterCheck,
    ClusterCommit,
    ClusterCommitted,
    ClusterPlan,
    ClusterStanding,
    DeclaredReport,
    KnownCluster,
)
from nautes.messages.common import Requester
from nautes.messages.convergence import ProbeInput
from nautes.messages.errors import Conflict, NautesError, Refused, Unavailable
from nautes.messages.gitlab import CommitInput, FileAction
from nautes.planning.clusters import effects, outcome
from nautes.planning.steps import Manifest, digest
from nautes.resources.cluster import Cluster
from nautes.resources.declaration import DeclaredClusters
from nautes.resources.findings import Finding
from nautes.resources.manifest import manifest_of, resource_of, version
from nautes.resources.stored import CLUSTERS, cluster_files
from nautes.resources.tree import difference
from nautes.rules import clusters as rules
from nautes.rules.decided import PLAN_STALE, PRECONDITION_FAILED

ATTEMPTS = 5  # attempts at a commit whose files changed in between


class ClusterActivities:
    """With the platform's own account."""

    def __init__(self, declarations: Declarations, gitlab: GitLab, clusters: Clusters) -> None:
        self._declarations = declarations
        self._gitlab = gitlab
        self._probe = Probe(clusters)

    @activity.defn(name="clusters.declared")
    def declared(self, _: str) -> DeclaredReport:
        """What the tenant repository declares at its head. Idempotent: it only reads."""
        declared = self._declarations.clusters()
        user = self._gitlab.get("/user")
        platform = Requester(id=user["id"], username=user["username"], name=user["name"], email=user.get("email") or "")
        source = {"commit": declared.head, "requester": platform, "project_id": declared.project_id}
        known = [
            KnownCluster.model_validate({"name": name, "manifest": manifest_of(each), **source})
            for name, each in sorted(declared.clusters.items())
            if not _is_broken(name, declared)
        ]
        return DeclaredReport.model_validate(
            {"clusters": known, "findings": declared.findings, "complete": _complete(declared), **source}
        )

    @activity.defn(name="clusters.standing")
    def standing(self, cluster: str) -> ClusterStanding:
        """Whether a cluster is declared, and which virtual ones name it as their host. Idempotent: it only reads."""
        declared = self._declarations.clusters()
        return ClusterStanding(
            complete=_complete(declared),
            declared=cluster in declared.clusters,
            guests=_guests(cluster, declared.clusters),
        )

    @activity.defn(name="clusters.plan")
    def plan(self, input: ClusterCheck) -> ClusterPlan:
        """What a request would do, by the rules alone: the cluster itself is not probed. Idempotent: it only reads."""
        applies = input.request.action == "apply"
        return _plan(input, self.check(input.model_copy(update={"probe": False})) if applies else [])

    @activity.defn(name="clusters.check")
    def check(self, input: ClusterCheck) -> list[Finding]:
        """Rules, reachability and rights; empty when all is well. Idempotent: it only reads. Raises Unavailable."""
        cluster = cluster_of(input.request.manifest)
        before = cluster_of(input.manifest) if input.manifest else None
        others = self._declarations.clusters().clusters
        guests = [f"cluster/{each}" for each in _guests(cluster.name, others)]
        found = rules.check(cluster, before, others, {*input.users, *guests})
        if found or not input.probe:
            return found
        try:
            self._probe.check(ProbeInput(cluster=input.kubeconfig))
        except Unavailable:
            raise
        except NautesError as error:
            text = Finding(rule=error.code, message=error.message, resource=cluster.key, pointer="/spec/kubeconfig")
            return [text]
        return []

    @activity.defn(name="clusters.commit")
    def commit(self, input: ClusterCommit) -> ClusterCommitted:
        """Write or remove a cluster's manifest. Idempotent: a tree that holds the same already gets no commit."""
        for _ in range(ATTEMPTS):
            try:
                return self._commit_once(input)
            except Conflict:
                continue
        raise Unavailable("head-moves", "the tenant repository changes faster than it can be committed to")

    def _commit_once(self, input: ClusterCommit) -> ClusterCommitted:
        declared = self._declarations.clusters()
        after = {name: each for name, each in declared.clusters.items() if name != input.cluster}
        manifest: dict[str, object] = {}
        if input.manifest is not None:
            after[input.cluster] = cluster_of(input.manifest)
            manifest = manifest_of(after[input.cluster])
        if declared.findings:
            raise Refused("tenant-unreadable", declared.findings[0].message, findings=declared.findings)
        ours = {
            path: text for path, text in declared.files.items() if path in cluster_files(declared.clusters.values())
        }
        changes = difference(ours, cluster_files(after.values()))
        shared = components.shared(input.cluster, input.server, declared.clusters)
        if not changes:
            return ClusterCommitted(commit=declared.head, changed=[], made=False, manifest=manifest, shared=shared)
        verb = "Save" if input.manifest is not None else "Delete"
        trailers = f"{TRAILER}: {input.operation}\nNautes-Requester: {input.requester.username}"
        made = commit(
            self._gitlab,
            CommitInput(
                project_id=declared.project_id,
                branch=BRANCH,
                actions=[FileAction(action=each.action, path=each.path, content=each.content) for each in changes],
                message=f"{verb} Cluster/{input.cluster}\n\n{trailers}",
                author=input.requester,
            ),
        )
        paths = [each.path for each in changes]
        return ClusterCommitted(commit=made.commit, changed=paths, made=True, manifest=manifest, shared=shared)


def _complete(declared: DeclaredClusters) -> bool:
    """Whether absence means "not declared": repository, branch and every file could be read."""
    return bool(declared.project_id and declared.head and not declared.findings)


def _is_broken(cluster: str, declared: DeclaredClusters) -> bool:
    """Whether a cluster's file has findings although a part of it could be read (a key that is there twice)."""
    return any(each.message.startswith(f"{CLUSTERS}/{cluster}.y") for each in declared.findings)


def _guests(host: str, clusters: Mapping[str, Cluster]) -> list[str]:
    return sorted(name for name, each in clusters.items() if each.host_cluster == host)


def _plan(input: ClusterCheck, findings: list[Finding]) -> ClusterPlan:
    """The plan of a request; `findings` are those of the rules."""
    request, before = input.request, input.manifest
    cluster = cluster_of(request.manifest) if request.action == "apply" else None
    after = manifest_of(cluster) if cluster else {}
    lines = list(effects(request.cluster, before, after))
    result = outcome(f"Cluster/{request.cluster}", before, after, removes=request.action == "remove")
    found = ClusterPlan(
        id=digest([request.action, *(each.model_dump_json() for each in (result, *lines))]),
        findings=[*findings, *_expected(input)],
        warnings=rules.warnings(cluster) if cluster else [],
        effects=lines,
        outcome=result,
        deletions=1 if before and not after else 0,
    )
    if request.plans and found.id not in request.plans and not found.findings:
        stale = PLAN_STALE.finding("", "something has changed since this was planned: plan again")
        return found.model_copy(update={"findings": [stale]})
    return found


def cluster_of(manifest: Manifest) -> Cluster:
    """A cluster as it is registered, with its defaults. Raises ValueError."""
    found = resource_of(manifest)
    if not isinstance(found, Cluster):
        raise ValueError(f"{found.key} is no Cluster")
    return rules.with_defaults(found)


def _expected(input: ClusterCheck) -> Iterable[Finding]:
    """Compares the version with the one the caller has seen (If-Match, If-None-Match)."""
    found = version(resource_of(input.manifest)) if input.manifest else ""
    for key, wanted in input.request.expected.items():
        if wanted != found:
            yield PRECONDITION_FAILED.finding(key, f"{key} has changed since it was read")
