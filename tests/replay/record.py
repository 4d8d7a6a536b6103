"""Record the histories that test_replay.py replays: `python -m tests.replay.record`, by hand, when a workflow got a new path.

One life per workflow, on the fakes of tests/workflow. A history that is here must replay with every later version of the code:
record anew only what is new, or what was never released.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowFailureError

from nautes.messages.clusters import ClusterInput, ClusterStanding, KnownCluster
from nautes.messages.control import ObserveInput
from nautes.messages.convergence import HealthReport, ObjectHealth
from nautes.messages.declarations import AccessRequest
from nautes.messages.errors import NotFound, Refused, Unavailable
from nautes.messages.gitlab import FeedPage, SweepInput
from nautes.messages.products import ProductInput, Watch
from nautes.messages.runtimes import DeploymentInput, PipelineInput
from nautes.messages.status import ClusterStatus, DeploymentStatus, PipelineStatus, ProductStatus, TenantStatus
from nautes.messages.tenant import TenantInput
from nautes.planning.known import Known
from nautes.planning.repositories import withdraw
from nautes.resources.findings import Finding
from tests.replay.scrub import clean
from tests.workflow import answers
from tests.workflow.clusters import granted, keep_claims, wish
from tests.workflow.platform import Platform, connect, hurried, server, until, working

HERE = Path(__file__).parent / "histories"
PIPELINE = "pipeline/shop/build"
DEPLOYMENT = "deployment/shop/web"


async def tenant(platform: Platform) -> dict[str, str]:
    """Installed, woken by a push after which a file cannot be read, and by one after which a cluster is gone."""
    start = TenantInput(tenant="nautes", hooks_url="https://nautes.example.com/hooks")
    edge = KnownCluster(name="edge", manifest=answers.manifest("edge"), commit=answers.HEAD, requester=answers.ADA)
    platform.fakes.answers["clusters.declared"] = answers.declared(edge)
    handle = await platform.start("Tenant", "tenant", start)
    await _shows(platform, "tenant", TenantStatus, lambda found: found.phase == "Ready")
    wrong = Finding(rule="stored-unreadable", message="clusters/edge.yaml: not YAML")
    for number, declared in enumerate((answers.declared(findings=[wrong]), answers.declared()), start=2):
        platform.fakes.answers["clusters.declared"] = declared
        await handle.signal("pushed", answers.push(9, repository="nautes/management"))
        await platform.called("control.wake", number)
    return {"Tenant": "tenant"}


async def guest(platform: Platform) -> dict[str, str]:
    """A virtual worker: registered, refused in the middle and taken off its host; removed; kept because Git declares it."""
    fakes = platform.fakes
    manifest = answers.manifest("virt", clusterType="virtual", hostCluster="big")
    handle = await platform.start("Cluster", "cluster/virt", ClusterInput(name="virt"))
    for operation in ("refused", "first"):
        fakes.fail("vault.kubeconfig_ref", NotFound("kubeconfig-missing", "Vault has no kubeconfig of it"))
        if operation == "refused":
            fakes.fail("control.ensure_observer", Refused("observers", "no more observers"))
        request = answers.registration("virt", operation=operation, kubeconfig=None, manifest=manifest)
        await handle.execute_update("submit", request)
        await platform.result(f"registration/virt/{operation}")
        if operation == "refused":
            await handle.result()
            handle = await platform.start("Cluster", "cluster/virt", ClusterInput(name="virt"))
    await _is_ready(platform, "virt")
    fakes.answers["clusters.standing"] = ClusterStanding(complete=True, declared=True)
    gone = KnownCluster(name="virt", manifest={}, commit="c" * 40, requester=answers.ADA, removed=True, project_id=9)
    await handle.signal("declared", gone)
    await platform.result(f"registration/virt/git-{'c' * 12}")
    await handle.execute_update("submit", answers.registration("virt", "remove", operation="last"))
    await handle.result()
    ends = {f"Registration.virtual.{each}": f"registration/virt/{each}" for each in ("refused", "first", "last")}
    return {"Cluster.virtual": "cluster/virt", "Registration.git": f"registration/virt/git-{'c' * 12}", **ends}


async def cluster(platform: Platform) -> dict[str, str]:
    """Registered, refused once in the middle, claimed, released, removed."""
    asking = keep_claims(platform, "edge")
    handle = await platform.start("Cluster", "cluster/edge", ClusterInput(name="edge"))
    for operation, action in (("first", "apply"), ("second", "apply")):
        await handle.execute_update("submit", answers.registration("edge", action, operation=operation))
        await platform.result(f"registration/edge/{operation}")
        platform.fakes.fail("components.install", Refused("component-refused", "no such kind"))
    await _is_ready(platform, "edge")
    await granted(platform, "edge")
    claim, wished = answers.claim(DEPLOYMENT, "web"), wish("op", environments=["test"])
    await asking.reserve(wished)
    await asking.claim(claim)
    await asking.unreserve(wished)
    await asking.uses("test")
    await asking.release(claim)
    await asking.uses()
    await handle.execute_update("submit", answers.registration("edge", "remove", operation="third"))
    await handle.result()
    await platform.handle(asking.id).result()
    found = {"Cluster": "cluster/edge", "NamespaceClaims": asking.id, "Registration": "registration/edge/first"}
    return {
        **found,
        "Registration.refused": "registration/edge/second",
        "Registration.removed": "registration/edge/third",
    }


async def product(platform: Platform) -> dict[str, str]:
    """Changed, a change refused and undone, one cancelled, a push passed on, removed."""
    fakes = platform.fakes
    fakes.answers["products.read"] = answers.at_head(
        "shop",
        answers.specified(answers.deployment("shop")),
        watches=[Watch(workflow=DEPLOYMENT, project_id=answers.PROJECT)],
    )
    asked = [answers.reserve("edge", new_group=True), answers.access("owner")]
    fakes.answers["products.plan"] = answers.new_product("shop", "code", more=asked)
    handle = await platform.start("Product", "product/shop", ProductInput(path="shop"))
    await _shows(platform, "product/shop", ProductStatus, lambda found: bool(found.id))
    await handle.execute_update("request_access", AccessRequest(owner="shop", product="guest"))
    await _change(platform, "done")
    await _pushed(platform)
    fakes.fail("products.commit_files", Refused("rules", "somebody declared it meanwhile"))
    await _change(platform, "refused")
    hold = fakes.hold("repositories.ensure")
    await handle.execute_update("submit", answers.change("shop", operation="cancelled"))
    await hold.begun.wait()
    looks = len(fakes.asked("products.read"))
    await platform.handle("change/shop/cancelled").cancel()
    await platform.result("change/shop/cancelled")
    await platform.called("products.read", looks + 1)  # after the removal this fake would say that the product is there
    await _shows(platform, "product/shop", ProductStatus, lambda found: found.phase == "Idle")
    await handle.signal("pushed", answers.push())
    fakes.answers["products.plan"] = answers.removal("shop", "code", runtimes=["DeploymentRuntime/web"], group=True)
    await _change(platform, "removed", "remove")
    await handle.result()
    ends = {f"Change.{each}": f"change/shop/{each}" for each in ("refused", "cancelled", "removed")}
    pushed = {"Change.push": f"change/shop/git-{'d' * 12}"}
    return {"Product": "product/shop", "Change": "change/shop/done", **pushed, **ends}


async def _pushed(platform: Platform) -> None:
    """Somebody commits by plain Git: one thing is refused, everything else is news."""
    lost = Finding(
        rule="environment-cluster-unknown", message="cluster nowhere is not registered", resource="Environment/x"
    )
    usual = platform.fakes.answers["products.read"]
    platform.fakes.answers["products.read"] = answers.at_head(
        "shop",
        answers.equipped("shop", "code"),
        withdraw("shop", "old", 77),
        answers.opened("shop", "code"),
        answers.standing("edge", "test"),
        answers.reported("owner"),
        commit="d" * 40,
        known=Known(accepted="d" * 40, repositories={"code": answers.PROJECT}, held={"Environment/x": ""}),
        refused=[lost],
        watches=usual.watches,
    )
    handle = platform.handle("product/shop")
    await handle.signal("pushed", answers.push(answers.DECLARATION, repository="shop/default.project", after="d" * 40))
    await platform.result(f"change/shop/git-{'d' * 12}")
    platform.fakes.answers["products.read"] = usual


async def _change(platform: Platform, operation: str, action: str = "apply") -> None:
    request = answers.change("shop", action, operation=operation)
    await platform.handle("product/shop").execute_update("submit", request)
    await platform.result(f"change/shop/{operation}")


async def deployment(platform: Platform) -> dict[str, str]:
    """Refused, retried after an outage, superseded by a push, paused, pinned, moved, removed."""
    fakes = platform.fakes
    fakes.fail("claims.claim", Unavailable("cluster-not-ready", "cluster edge is Registering"))
    fakes.fail("runtimes.prepare", Refused("namespace-foreign", "namespace web does not belong to this product"))
    sick = ObjectHealth(kind="Deployment", name="web", status="InProgress", reason="0 of 1 ready")
    fakes.answers["kubernetes.health"] = HealthReport(healthy=False, unhealthy=[sick], total=2)
    hold = fakes.hold("kubernetes.health_changed")
    handle = await platform.start("Deployment", DEPLOYMENT, DeploymentInput(product="shop", runtime="web"))
    await handle.signal("specified", answers.deployment("shop"))
    await hold.begun.wait()
    fakes.answers["kubernetes.health"] = HealthReport(healthy=True, total=2)
    await handle.signal("pushed", answers.push())
    await _shows(platform, DEPLOYMENT, DeploymentStatus, lambda found: found.phase == "Converged")
    await handle.execute_update("pause")
    await handle.execute_update("rollback", "0" * 40)
    await handle.execute_update("resume")
    await handle.signal("specified", answers.deployment("shop", cluster="other"))
    await _shows(platform, DEPLOYMENT, DeploymentStatus, lambda found: found.cluster == "other" and _converged(found))
    await handle.signal("remove")
    await handle.result()
    return {"Deployment": DEPLOYMENT}


def _converged(status: DeploymentStatus) -> bool:
    return status.phase == "Converged"


async def pipeline(platform: Platform) -> dict[str, str]:
    """Events run, one fails, one is cancelled; removed."""
    fakes = platform.fakes
    handle = await platform.start("Pipeline", PIPELINE, PipelineInput(product="shop", runtime="build"))
    await handle.signal("specified", answers.pipeline("shop"))
    pushes = [answers.push() for _ in range(3)]
    runs = [f"run/shop/build/{each.event}-pushes-ci" for each in pushes]
    await handle.signal("pushed", pushes[0])
    await platform.result(runs[0])
    fakes.fail("tekton.create_run", Refused("pipeline-file", "ci.yaml must hold exactly one PipelineRun"))
    await handle.signal("pushed", pushes[1])
    await platform.result(runs[1])
    hold = fakes.hold("tekton.ended")
    await handle.signal("pushed", pushes[2])
    await hold.begun.wait()
    await platform.handle(runs[2]).cancel()
    await platform.result(runs[2])
    await _shows(platform, PIPELINE, PipelineStatus, lambda found: len(found.runs) == 3)
    await handle.signal("remove")
    await handle.result()
    return {
        "Pipeline": PIPELINE,
        "PipelineRun": runs[0],
        "PipelineRun.failed": runs[1],
        "PipelineRun.cancelled": runs[2],
    }


async def sweeps(platform: Platform) -> dict[str, str]:
    """The sweeps, as plain workflows."""
    pages = {
        1: FeedPage(pushes=[answers.push()], events=[18], newest=18, following=2),
        2: FeedPage(pushes=[], newest=9),
    }
    platform.fakes.answers["gitlab.feed"] = lambda input: pages[input.page]
    for kind, key, arguments in (
        ("BranchSweep", "sweep/branches", [SweepInput(looks=2, seconds=0.1)]),
        ("CredentialSweep", "sweep/credentials", []),
    ):
        await (await platform.client.start_workflow(kind, args=arguments, id=key, task_queue=platform.queue)).result()
    return {"BranchSweep": "sweep/branches", "CredentialSweep": "sweep/credentials"}


async def observer(platform: Platform) -> dict[str, str]:
    """One round, and a second one in which the cluster is given up."""
    first = platform.fakes.hold("observer.watch")
    handle = await platform.start("Observer", "observer/edge", ObserveInput(cluster="edge"))
    await first.begun.wait()
    second = platform.fakes.hold("observer.watch")
    first.release()
    await second.begun.wait()
    await handle.cancel()
    with contextlib.suppress(WorkflowFailureError):
        await handle.result()
    return {"Observer": "observer/edge"}


LIVES: tuple[Callable[[Platform], Awaitable[dict[str, str]]], ...] = (
    tenant,
    cluster,
    guest,
    product,
    deployment,
    pipeline,
    sweeps,
    observer,
)


async def _is_ready(platform: Platform, cluster: str) -> None:
    """The registration has ended before its cluster hears of it; until then the cluster takes no claims."""
    await _shows(platform, f"cluster/{cluster}", ClusterStatus, lambda found: found.phase == "Ready")


async def _shows(platform: Platform, key: str, kind: type, look: Callable[[Any], bool]) -> None:
    async def see() -> bool:
        return look(await platform.shown(key, kind))

    await until(see, f"{key} as wanted")


async def record(address: str, wanted: set[str]) -> None:
    """Live every life and write the histories of `wanted` (all when empty)."""
    client = await connect(address)
    for life in LIVES:
        async with working(client, queue="nautes") as platform:
            for name, key in (await life(platform)).items():
                if not wanted or name in wanted:
                    history = await client.get_workflow_handle(key).fetch_history()
                    text = json.dumps({"id": key, **clean(history.to_json_dict())}, indent=1, sort_keys=True)
                    (HERE / f"{name}.json").write_text(f"{text}\n")


def main() -> None:
    """Arguments name the histories to write; none means all."""
    HERE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, server(Path(directory)) as address:
        with hurried(retry_maximum=0.2, refused_retry=0.2):
            asyncio.run(record(address, set(sys.argv[1:])))


if __name__ == "__main__":
    main()
