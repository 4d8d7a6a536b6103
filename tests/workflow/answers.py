"""What the fakes answer when a test says nothing else, and makers of the messages that tests send."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from nautes.messages.claims import Claim, ClaimInput, Grant, Released, Reserved, ReserveInput, UsersPage, UsesInput
from nautes.messages.clusters import (
    ClusterPlan,
    ClusterStanding,
    DeclaredReport,
    KnownCluster,
    VirtualAccess,
    VirtualInput,
)
from nautes.messages.common import Requester
from nautes.messages.control import Notified, Observed, PushesInput
from nautes.messages.convergence import ConvergeInput, ConvergeReport, HealthReport, OwnedReport
from nautes.messages.gitlab import (
    FeedPage,
    ForeignKeysState,
    Gone,
    GroupInput,
    GroupState,
    HookState,
    ProductPaths,
    Push,
    RepositoriesReady,
    RepositoryReady,
    RepositorySetup,
    RepositorySetups,
    RepositoryState,
    push_event,
)
from nautes.messages.operations import ChangeRequest, ClusterRequest
from nautes.messages.products import FilesCommitted, HeadInput, HeadReport
from nautes.messages.runtimes import RunReport
from nautes.messages.secrets import SecretRef
from nautes.messages.vault import Done, KubeconfigState
from nautes.planning import repositories
from nautes.planning.known import KeyGrant, Known, RepositoryUse
from nautes.planning.runtimes import DeploymentSpec, EventSource, PipelineFile, PipelineSpec, Spec, Trigger, key_of
from nautes.planning.steps import Effect, Outcome, Plan, Step
from nautes.resources.findings import Finding
from nautes.resources.product import CodeRepo, Product

ADA = Requester(id=7, username="ada", name="Ada", email="ada@example.com")
KUBECONFIG = SecretRef(engine="cluster", path="kubernetes/edge/default/admin", version=1)
STAGED = SecretRef(engine="cluster", path="staging/one", version=1)
HEAD = "a" * 40
COMMIT = "b" * 40  # what a change commits
PROJECT, DECLARATION = 41, 40  # project ids: a code repository, default.project
_numbers = itertools.count(1)


def unique(word: str) -> str:
    """A name no other test of this process uses."""
    return f"{word}-{next(_numbers)}"


# Requests


def change(product: str, action: str = "apply", **more: Any) -> ChangeRequest:
    """A request for a change of one project."""
    manifests = [{"kind": "Project", "spec": {"name": "web", "product": product, "language": "python"}}]
    values = {"operation": unique("op"), "product": product, "action": action, "manifests": manifests}
    return ChangeRequest.model_validate({**values, "requester": ADA, **more})


def registration(cluster: str, action: str = "apply", **more: Any) -> ClusterRequest:
    """A request for a deployment worker with one component."""
    values = {"operation": unique("op"), "cluster": cluster, "action": action, "manifest": manifest(cluster)}
    staged = {"kubeconfig": STAGED} if action == "apply" else {}
    return ClusterRequest.model_validate({**values, **staged, "requester": ADA, **more})


def manifest(cluster: str, worker: str = "deployment", **spec: Any) -> dict[str, Any]:
    """A cluster's manifest."""
    components = {"gateway": {"name": "traefik", "namespace": "traefik"}}
    body = {"name": cluster, "apiServer": "https://edge.example.com:6443", "usage": "worker", "workerType": worker}
    return {"kind": "Cluster", "spec": {**body, "componentsList": components, **spec}}


def claim(runtime: str, *namespaces: str, product: str = "product-1", worker: str = "deployment") -> Claim:
    """A runtime asks for namespaces."""
    return Claim(runtime=runtime, product=product, product_id=product, namespaces=list(namespaces), worker_type=worker)


def push(project_id: int = PROJECT, *, repository: str = "shop/code", after: str = "", ref: str = "main") -> Push:
    """A push to a branch; every one is another event."""
    number = next(_numbers)
    commit, full = after or f"{number:040x}", f"refs/heads/{ref}"
    event = push_event(project_id, full, "0" * 40, commit)
    return Push(
        event=event,
        project_id=project_id,
        repository=repository,
        ref=full,
        before="0" * 40,
        after=commit,
        kind="push_events",
    )


# Runtimes


def deployment(product: str, **more: Any) -> DeploymentSpec:
    """A deployment runtime as its product tells it."""
    values = {
        "product": product,
        "product_id": "product-1",
        "runtime": "web",
        "environment": "test",
        "cluster": "edge",
        "repository": f"{product}/code",
        "repository_id": PROJECT,
        "revision": "main",
        "path": "deploy",
        "namespaces": ["web"],
        "account": "web",
        "commit": HEAD,
    }
    return DeploymentSpec.model_validate({**values, **more})


def pipeline(product: str, **more: Any) -> PipelineSpec:
    """A pipeline runtime as its product tells it: every push to a branch runs `ci`."""
    values = {
        "product": product,
        "product_id": "product-1",
        "runtime": "build",
        "project": "web",
        "environment": "build",
        "cluster": "edge",
        "namespace": "build",
        "account": "build",
        "source": f"{product}/pipelines",
        "source_id": 42,
        "pipelines": [PipelineFile(name="ci", path="ci.yaml")],
        "event_sources": [
            EventSource(name="pushes", repository_id=PROJECT, revision="refs/heads/", events=["push_events"])
        ],
        "triggers": [Trigger(event_source="pushes", pipeline="ci", revision="main")],
        "commit": HEAD,
    }
    return PipelineSpec.model_validate({**values, **more})


# Answers


def declared(*clusters: KnownCluster, findings: list[Finding] | None = None, commit: str = HEAD) -> DeclaredReport:
    """The tenant repository at its head: these clusters, and files that cannot be read."""
    return DeclaredReport(
        project_id=9,
        commit=commit,
        complete=not findings,
        clusters=list(clusters),
        findings=findings or [],
        requester=ADA,
    )


def foreseen(cluster: str, **more: Any) -> ClusterPlan:
    """A plan that registers a cluster."""
    effect = Effect(system="git", action="create", target=f"Cluster/{cluster}")
    outcome = Outcome(resource=f"Cluster/{cluster}", action="created")
    return ClusterPlan.model_validate({"effects": [effect], "outcome": outcome, **more})


def plan(*steps: Step, **more: Any) -> Plan:
    """A plan that carries out these steps, and commits, for a product that is there."""
    values = {"head": HEAD, "group_id": 1, "project_id": DECLARATION, "steps": [*steps, committed(*steps)]}
    outcomes = [Outcome(resource="Project/web", action="created")]
    return Plan.model_validate({"outcomes": outcomes, **values, **more})


def new_product(product: str, *names: str, more: Iterable[Step] = ()) -> Plan:
    """A plan that makes everything."""
    made = [
        repositories.group(Product(name=product), None, ADA.username),
        repositories.declaration(product, 0, group_is_new=True),
        *more,
        *new_repositories(product, *names, group_is_new=True),
    ]
    return plan(*made, head="", group_id=0, project_id=0)


def removal(product: str, *names: str, runtimes: Iterable[str] = (), group: bool = False, commit: bool = True) -> Plan:
    """A plan that ends runtimes (by key), deletes repositories, and at last the group."""
    first = [committed()] if commit else []
    ends = [
        Step(
            id=f"end:{key}",
            kind="end",
            subject=f"the end of {key}",
            needs=[each.id for each in first],
            input={"key": key},
        )
        for key in runtimes
    ]
    needs = [each.id for each in (*first, *ends)]
    last = [repositories.delete(product, name, PROJECT, needs, filled=True) for name in names]
    if group:
        needs = [*needs, *(each.id for each in last)]
        last += [
            repositories.delete(product, repositories.DECLARATION, DECLARATION, needs, filled=True),
            repositories.delete_group(product, [*needs, f"delete-repository:{repositories.DECLARATION}"]),
        ]
    return plan(steps=[*first, *ends, *last])


# Steps


def committed(*before: Step) -> Step:
    """The commit, after these."""
    return Step(id="commit", kind="commit", subject="one commit", needs=[each.id for each in before])


def new_repositories(product: str, *names: str, group_is_new: bool = False) -> list[Step]:
    """Code repositories that are to be made."""
    return [
        repositories.repository(
            product, CodeRepo(name=name, product=product, project="web"), None, known=False, group_is_new=group_is_new
        )
        for name in names
    ]


def reserve(cluster: str, *namespaces: str, environments: Iterable[str] = (), new_group: bool = False) -> Step:
    """A cluster is asked for namespaces of the runtime `web`."""
    claims = [{"key": "DeploymentRuntime/web", "namespaces": list(namespaces), "worker_type": "deployment"}]
    return Step(
        id=f"reserve:{cluster}",
        kind="reserve",
        subject=f"namespaces of {cluster}",
        needs=["group"] if new_group else [],
        input={"cluster": cluster, "claims": claims if namespaces else [], "environments": list(environments)},
    )


def access(owner: str, *wanted: RepositoryUse) -> Step:
    """Another product is asked whether its repositories are open."""
    input = {"owner": owner, "wanted": [each.model_dump() for each in wanted], "before": []}
    return Step(id=f"access:{owner}", kind="access", subject=f"repositories of {owner}", input=input)


def equipped(product: str, name: str, number: int = PROJECT) -> Step:
    """A repository that somebody declared by a push gets keys, token and webhook."""
    return repositories.equipped(product, CodeRepo(name=name, product=product, project="web"), number)


def opened(product: str, name: str, *wanted: KeyGrant) -> Step:
    """Whose keys open a repository has changed."""
    grants = [each.model_dump() for each in wanted]
    input = {"project_id": PROJECT, "path": f"{product}/{name}", "wanted": grants}
    return Step(id=f"foreign-keys:{name}", kind="foreign-keys", subject=f"authorizations of {name}", input=input)


def standing(cluster: str, *environments: str, runtimes: Iterable[str] = ()) -> Step:
    """A cluster is notified of its environments."""
    input = {"cluster": cluster, "environments": list(environments), "runtimes": list(runtimes)}
    return Step(id=f"environments:{cluster}", kind="environments", subject=f"environments on {cluster}", input=input)


def reported(owner: str, *wanted: RepositoryUse) -> Step:
    """An owner is notified of what is used of its repositories."""
    input = {"owner": owner, "wanted": [each.model_dump() for each in wanted]}
    return Step(id=f"report-use:{owner}", kind="report-use", subject=f"use of {owner}", input=input)


def specified(spec: Spec) -> Step:
    """A runtime is specified anew."""
    key = key_of(spec)
    return Step(id=f"runtime:{key}", kind="runtime", subject=key, input={"key": key, "spec": spec.model_dump()})


def gone(key: str) -> Step:
    """A runtime is declared no more."""
    return Step(id=f"runtime:{key}", kind="runtime", subject=key, input={"key": key, "removed": True})


def at_head(product: str, *steps: Step, digests: dict[str, str] | None = None, **more: Any) -> HeadReport:
    """A declaration that is there, in effect at its head; `digests` are of what runtimes were specified as."""
    values = {"exists": True, "id": "product-1", "project_id": DECLARATION, "commit": HEAD, **more}
    known = Known(accepted=str(values["commit"]), digests=digests or {})
    return HeadReport.model_validate({"known": known, "steps": list(steps), **values})


def _group(input: GroupInput) -> GroupState:
    return GroupState(id=1, path=input.path, made="created")


def ready(input: RepositorySetup, **more: Any) -> RepositoryReady:
    """A repository that is set up, made where the plan says it is new."""
    number, path = DECLARATION if input.path == "default.project" else PROJECT, f"{input.group}/{input.path}"
    effects = [Effect(system="gitlab", action="create", target=f"repository {path}")] if input.new else []
    values = {"id": number, "path": path, "effects": effects, "expires_at": "2027-01-01" if input.api_access else ""}
    return RepositoryReady.model_validate({**values, **more})


def all_ready(input: RepositorySetups, **more: Any) -> RepositoriesReady:
    """All of them are set up."""
    return RepositoriesReady(repositories=[ready(each, **more) for each in input.repositories])


def _granted(input: ClaimInput) -> Grant:
    return Grant(cluster=input.cluster, kubeconfig=KUBECONFIG)


def _released(input: ClaimInput) -> Released:
    return Released(namespaces=input.claim.namespaces)


def reserved(input: ReserveInput) -> Reserved:
    """What a cluster answers to a change."""
    return Reserved(cluster=input.cluster, environments=input.reserve.environments)


def _used(input: UsesInput) -> Reserved:
    return Reserved(cluster=input.cluster, environments=input.uses.environments)


def _accessible(input: VirtualInput) -> VirtualAccess:
    return VirtualAccess(staged=input.staged)


def _converged(input: ConvergeInput) -> ConvergeReport:
    return ConvergeReport(commit=input.source.commit if input.source else "", applied=2, writes=2)


def _announced(input: PushesInput) -> Notified:
    return Notified(count=len(input.pushes))


def _read(input: HeadInput) -> HeadReport:
    return at_head(input.product)


DEFAULTS: dict[str, Any] = {
    "clusters.declared": declared(),
    "clusters.standing": ClusterStanding(complete=True, declared=False),
    "clusters.check": [],
    "clusters.plan": foreseen("edge"),
    "clusters.commit": FilesCommitted(commit=HEAD, changed=["edge.yaml"], made=True),
    "components.healthy": HealthReport(healthy=True, total=2),
    "components.install": ConvergeReport(applied=3, writes=3),
    "components.remove": OwnedReport(deleted=3),
    "claims.claim": _granted,
    "claims.claim_host": _granted,
    "claims.release": _released,
    "claims.reserve": reserved,
    "claims.unreserve": reserved,
    "claims.uses": _used,
    "claims.publish": Notified(count=1),
    "claims.users": UsersPage(),
    "claims.close": UsersPage(),
    "control.notify_runtimes": Notified(count=1),
    "control.request_access": Notified(count=1),
    "control.report_use": Notified(count=1),
    "control.renew_due": Notified(count=1),
    "control.wake": Notified(count=1),
    "control.deliver_pushes": _announced,
    "control.ended": Notified(count=1),
    "control.cancel_runs": Notified(count=1),
    "control.ensure_schedules": Notified(count=2),
    "control.ensure_observer": Notified(count=1),
    "control.end_observer": Notified(count=1),
    "observer.watch": Observed(fingerprints={"product-1-web": "1"}),
    "git.fetch": HEAD,
    "gitlab.ensure_group": _group,
    "gitlab.ensure_tenant_repository": RepositoryState(id=9, path="nautes/management", made="created"),
    "gitlab.restore_settings": Done(changed=True),
    "gitlab.delete_group": Gone(removed=True),
    "gitlab.product_paths": ProductPaths(paths=[]),
    "gitlab.set_commit_status": Done(changed=True),
    "gitlab.comment": Done(changed=True),
    "gitlab.feed": FeedPage(pushes=[]),
    "kubernetes.converge": _converged,
    "kubernetes.health": HealthReport(healthy=True, total=2),
    "kubernetes.health_changed": HealthReport(healthy=True, total=2),
    "kubernetes.delete_owned": OwnedReport(deleted=2),
    "products.plan": plan(),
    "products.commit_files": FilesCommitted(commit=COMMIT, changed=["projects/web/web.yaml"], made=True),
    "products.read": _read,
    "products.opened": Done(changed=False),
    "repositories.ensure_foreign_keys": ForeignKeysState(made="unchanged"),
    "repositories.ensure": all_ready,
    "repositories.delete": Gone(removed=True),
    "repositories.withdraw": Gone(removed=True),
    "repositories.ensure_hook": HookState(id=1, made="created"),
    "runtimes.prepare": Done(changed=True),
    "runtimes.clear": Done(changed=True),
    "tekton.create_run": Done(changed=True),
    "tekton.ended": RunReport(phase="Succeeded", finished="2026-01-01T00:00:00Z"),
    "tekton.cancel_run": Done(changed=True),
    "vault.ensure_tenant": Done(changed=True),
    "vault.kubeconfig_ref": KUBECONFIG,
    "vault.store_kubeconfig": KubeconfigState(secret=KUBECONFIG, previous=None, changed=True),
    "vault.undo_kubeconfig": True,
    "vault.discard": True,
    "vault.discard_forgotten": Done(changed=False),
    "vault.ensure_cluster_auth": Done(changed=True),
    "vault.verify_login": Done(changed=False),
    "vault.drop_auth": True,
    "vault.drop_cluster": Gone(removed=True),
    "vault.ensure_runtime_role": Done(changed=True),
    "vault.drop_runtime_role": Gone(removed=True),
    "virtual.create": ConvergeReport(applied=9, writes=10),
    "virtual.access": _accessible,
    "virtual.delete": OwnedReport(deleted=9),
}
