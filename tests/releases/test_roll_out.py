"""A roll-out with everything under way: fifty changes, twenty deployments, five registrations; over to B, and back to A.

Build B has another order of commands in every workflow. What was begun on a build ends there; what lives long goes over.
"""

from __future__ import annotations

import asyncio

import pytest
from temporalio import workflow
from temporalio.client import WorkflowExecutionStatus

from nautes.messages.claims import ClaimInput, Grant
from nautes.messages.clusters import ClusterInput, ComponentInput
from nautes.messages.convergence import ConvergeReport, HealthInput, HealthReport, OwnedInput, OwnedReport
from nautes.messages.errors import NotYet, Unavailable
from nautes.messages.products import ChangeReport, CommitFilesInput, FilesCommitted, ProductInput
from nautes.messages.runtimes import DeploymentInput
from nautes.messages.status import DeploymentStatus
from nautes.rollout.rolling import Say, report, roll_out
from nautes.rollout.workflows import Sitting
from tests.releases.builds import Fleet, replayer
from tests.workflow import answers
from tests.workflow.deployments import SICK
from tests.workflow.platform import until
from workflows.cluster_state import RegistrationReport

CHANGES, DEPLOYMENTS, REGISTRATIONS = 50, 20, 5
WITHIN = 180.0  # seconds for one phase of a roll-out, on a machine that is busy


AWAY = Unavailable("out", "no answer", retry_after=2.0)


class World:
    """What the outside answers: changes and registrations do not end, and deployments do not get well, before it is `open`.

    Most wait for an outage; every tenth has an activity under way all the time, which sends heartbeats.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.open, self.round = fleet, asyncio.Event(), ""
        fleet.platform.fakes.answers |= {
            "products.commit_files": self._commit,
            "components.install": self._install,
            "claims.claim": self._claim,
            "kubernetes.health": self._health,
            "kubernetes.health_changed": self._health_changed,
            "kubernetes.delete_owned": self._delete,
        }

    def products(self) -> list[str]:
        return [f"shop-{self.round}-{each}" for each in range(CHANGES)]

    def clusters(self) -> list[str]:
        return [f"edge-{self.round}-{each}" for each in range(REGISTRATIONS)]

    def runtimes(self) -> list[str]:
        return [f"web-{each}" for each in range(DEPLOYMENTS)]

    async def _commit(self, input: CommitFilesInput) -> FilesCommitted:
        await self._answers(input.request.product)
        return FilesCommitted(commit=answers.COMMIT, changed=["one.yaml"], made=True)

    async def _install(self, input: ComponentInput) -> ConvergeReport:
        await self._answers(input.cluster)
        return ConvergeReport(applied=1, writes=1)

    async def _answers(self, name: str) -> None:
        if int(name.rpartition("-")[2]) % 10 and not self.open.is_set():
            raise AWAY
        await self.open.wait()

    def _claim(self, input: ClaimInput) -> Grant:
        if self._is(input.claim.runtime, 0) and not self.open.is_set():
            raise AWAY
        return Grant(cluster=input.cluster, kubeconfig=answers.KUBECONFIG)

    def _health(self, input: HealthInput) -> HealthReport:
        return SICK if self._is(input.owner, 1) and not self.open.is_set() else HealthReport(healthy=True, total=2)

    def _health_changed(self, _: HealthInput) -> HealthReport:
        if not self.open.is_set():
            raise NotYet("not-yet", "0/1", retry_after=2.0)
        return HealthReport(healthy=True, total=2)

    async def _delete(self, input: OwnedInput) -> OwnedReport:
        await self._answers(input.owner)
        return OwnedReport(deleted=2)

    def _is(self, runtime: str, kind: int) -> bool:
        """Deployments by number: 0 waits for its claim, 1 for its health, 2 for the end of its objects, 3 is well."""
        return int(runtime.rpartition("-")[2]) % 4 == kind

    # What is under way

    async def begin(self, round: str) -> None:
        """Fifty changes and five registrations, and twenty deployments unless they are there from an earlier round."""
        self.open.clear()
        self.round, platform = round, self.fleet.platform
        for product in self.products():
            handle = await platform.start("Product", f"product/{product}", ProductInput(path=product))
            await handle.execute_update("submit", answers.change(product, operation="op"))
        for cluster in self.clusters():
            handle = await platform.start("Cluster", f"cluster/{cluster}", ClusterInput(name=cluster))
            await handle.execute_update("submit", answers.registration(cluster, operation="op"))
        for name in self.runtimes():
            start = DeploymentInput(product=f"shop-{round}", runtime=name)
            handle = await platform.start("Deployment", f"deployment/shop-{round}/{name}", start)
            await handle.signal("specified", answers.deployment(f"shop-{round}", runtime=name, product_id="product-1"))
        await until(self._all_asked, "all operations are under way")
        await until(self._all_wait, "all deployments wait")
        for name in [each for each in self.runtimes() if self._is(each, 2)]:
            await platform.handle(f"deployment/shop-{round}/{name}").signal("remove")
        await platform.called("kubernetes.delete_owned", DEPLOYMENTS // 4)

    def _all_asked(self) -> bool:
        asked = {each.request.product for each in self.fleet.platform.fakes.asked("products.commit_files")}
        installs = {each.cluster for each in self.fleet.platform.fakes.asked("components.install")}
        return {*self.products()} <= asked and {*self.clusters()} <= installs

    async def _all_wait(self) -> bool:
        wanted = ("Claiming", "Waiting", "Converged", "Converged")
        shown = enumerate(self.runtimes())
        return all([(await self.shown(each)).phase == wanted[number % 4] for number, each in shown])

    async def shown(self, runtime: str) -> DeploymentStatus:
        key = f"deployment/shop-{self.round}/{runtime}"
        found: DeploymentStatus = await self.fleet.platform.shown(key, DeploymentStatus)
        return found

    async def builds(self) -> dict[str, set[str]]:
        """Kind of workflow -> the builds its workflows of this round are on."""
        found: dict[str, set[str]] = {}
        keys = {
            "Product": [f"product/{each}" for each in self.products()],
            "Change": [f"change/{each}/op" for each in self.products()],
            "Cluster": [f"cluster/{each}" for each in self.clusters()],
            "Registration": [f"registration/{each}/op" for each in self.clusters()],
            "Deployment": [f"deployment/shop-{self.round}/{each}" for each in self.runtimes()],
        }
        for kind, each in keys.items():
            found[kind] = set(await asyncio.gather(*(self.fleet.build_of(key) for key in each)))
        return found


@pytest.fixture
def world(fleet: Fleet) -> World:
    return World(fleet)


async def test_everything_that_is_under_way_ends_over_a_roll_out_and_over_the_way_back(
    fleet: Fleet, world: World
) -> None:
    async with fleet.build("A"), fleet.build("B"):
        await fleet.deployment.begin("A")
        for old, new in (("A", "B"), ("B", "A")):
            await world.begin(f"{old.lower()}-{fleet.name}")
            kinds = ("Product", "Change", "Cluster", "Registration", "Deployment")
            assert await world.builds() == {each: {old} for each in kinds}
            await _is_no_history_of(fleet, old, new, f"change/{world.products()[0]}/op")
            await _rolls_out_as_far_as_it_can(fleet, world, new)
            world.open.set()
            assert await _roll_out(fleet, new) == []
            await _all_is_done(fleet, world)
            assert await world.builds() == {
                **{each: {old} for each in ("Change", "Registration")},
                **{each: {new} for each in ("Product", "Cluster", "Deployment")},
            }
            queued = [f"change/{each}/next" for each in world.products()[:5]]
            assert {await fleet.build_of(each) for each in queued} == {new}
        assert not fleet.ran["A"].seen & fleet.ran["B"].seen, "no run was worked on by two builds"
        assert await fleet.failed_tasks() == []
        assert await _ends(fleet) <= {
            WorkflowExecutionStatus.RUNNING,
            WorkflowExecutionStatus.COMPLETED,
            WorkflowExecutionStatus.CONTINUED_AS_NEW,
        }


async def _is_no_history_of(fleet: Fleet, mine: str, other: str, key: str) -> None:
    """The proof that pinning is needed: the code of the other build does not come to these commands."""
    history = await fleet.client.get_workflow_handle(key).fetch_history()
    await replayer(mine).replay_workflow(history)
    with pytest.raises(workflow.NondeterminismError):
        await replayer(other).replay_workflow(history)


async def _rolls_out_as_far_as_it_can(fleet: Fleet, world: World, build: str) -> None:
    """Deployments go over whatever they wait for, what has an operation under way stays. Then the roll-out is interrupted."""
    for product in world.products()[:5]:
        handle = fleet.platform.handle(f"product/{product}")
        await handle.execute_update("submit", answers.change(product, operation="next"))
    busy = {"Product": CHANGES, "Change": CHANGES, "Cluster": REGISTRATIONS, "Registration": REGISTRATIONS}
    so_far = asyncio.Event()

    def say(text: str) -> None:
        if text == f"workflows left on other builds: {sum(busy.values())}":
            so_far.set()

    rolling = asyncio.create_task(_roll_out(fleet, build, say))
    async with asyncio.timeout(WITHIN):
        await so_far.wait()
    assert await fleet.sits(build) == busy
    lines = report(await fleet.workflows.sitting(build))
    assert [each.split(": ")[1] for each in lines if each.startswith("on ")] == [
        f"{CHANGES} Change",
        f"{REGISTRATIONS} Cluster",
        f"{CHANGES} Product",
        f"{REGISTRATIONS} Registration",
    ]
    rolling.cancel()


async def _roll_out(fleet: Fleet, build: str, say: Say = print) -> list[Sitting]:
    deployment, workflows = fleet.deployment, fleet.workflows
    return await roll_out(deployment, workflows, build, timeout=WITHIN, rate=100, fewer=False, say=say)


async def _all_is_done(fleet: Fleet, world: World) -> None:
    for product in world.products():
        assert (await fleet.platform.result(f"change/{product}/op", ChangeReport)).state == "done"
    for cluster in world.clusters():
        assert (await fleet.platform.result(f"registration/{cluster}/op", RegistrationReport)).state == "done"
    for product in world.products()[:5]:
        assert (await fleet.platform.result(f"change/{product}/next", ChangeReport)).state == "done"
    for number, name in enumerate(world.runtimes()):
        wanted = "Removed" if number % 4 == 2 else "Converged"
        await until(lambda: _phase(world, name, wanted), f"{name} is {wanted}")  # noqa: B023 - called at once


async def _phase(world: World, runtime: str, phase: str) -> bool:
    return (await world.shown(runtime)).phase == phase


async def _ends(fleet: Fleet) -> set[WorkflowExecutionStatus | None]:
    return {each.status async for each in fleet.client.list_workflows(f"TaskQueue = '{fleet.queue}'")}
