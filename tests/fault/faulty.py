"""A world in which every call to GitLab, Vault and the clusters passes a proxy, and a dead worker is started again."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from nautes_sandbox.scenario import Scenario
from nautes_sandbox.world import CLUSTERS, World
from tests.fault.plan import Mode, Plan, Signature
from tests.fault.proxy import FaultProxy
from tests.fault.spawner import Spawner
from tests.fault.state import State, States

# Short, so that a case takes a second: what is tested is what happens, not how long an outage lasts.
TIMES = {
    "NAUTES_HEARTBEAT_SECONDS": "0.8",
    "NAUTES_RETRY_MAXIMUM_SECONDS": "0.05",
    "NAUTES_SWEEP_SECONDS": "1",
    "NAUTES_RESYNC_SECONDS": "5",
}
TIMEOUT = 240.0  # seconds a step may take while call after call fails

Look = Callable[[Scenario], State]


class Faulty:
    """`run` carries out the main process while calls fail; it raises when a step does not hold."""

    def __init__(self, directory: Path, flavour: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.plan = Plan(kill=self._kill)
        self.world = World(directory, kubernetes=flavour, free_ports=True)
        gitlab = FaultProxy("gitlab", self.world.gitlab_url, self.plan).start()
        vault = FaultProxy("vault", self.world.vault_url, self.plan).start()
        self._proxies = [gitlab, vault]
        for name in CLUSTERS:
            cluster = self.world.clusters[name]
            proxy = FaultProxy(f"kubernetes-{name}", cluster.server, self.plan, cluster.kubeconfig.parent).start()
            self.world.before[name] = proxy.url
            self._proxies.append(proxy)
        self.world.extra = {**TIMES, "NAUTES_GITLAB_URL": gitlab.url, "NAUTES_VAULT_ADDR": vault.url}
        self.kills = 0
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True, name="keeper")

    def start(self) -> Faulty:
        """Everything runs; from here on the worker is kept alive."""
        self.world.up(platform=False)
        self._nursery = Spawner(self.world.environment(), self.world.supervisor.log("worker"))
        self._renew()
        self.world.up()  # finds the worker running
        self._keeper.start()
        return self

    def stop(self) -> None:
        """End everything and forget it."""
        self._ended.set()
        self._keeper.join(30)
        self._nursery.close()
        self.world.reset()
        for proxy in self._proxies:
            proxy.stop()

    def run(self, wanted: Mapping[Signature, Mode], look: Look) -> States:
        """The main process from the registration of clusters to their removal; what `look` sees in its middle and at its end."""
        scenario = Scenario(self.world, say=lambda _: None, timeout=TIMEOUT)
        self.plan.begin(wanted)
        try:
            for step in (
                scenario.install,
                scenario.register_clusters,
                scenario.initialize_product,
                scenario.deploy,
                scenario.prune,
                scenario.refuse_foreign,
                scenario.run_pipeline,
                scenario.break_build,
                scenario.view,
            ):
                step()
            middle = self._settled(scenario, look)
            scenario.destroy()
            scenario.unregister()
            return middle, self._settled(scenario, look)
        finally:
            self.plan.end()
            scenario.close()

    def _settled(self, scenario: Scenario, look: Look) -> State:
        """What is seen once two looks see the same: a sweep may still be at work."""
        seen: list[State] = []

        def same() -> bool:
            seen.append(look(scenario))
            return len(seen) > 1 and seen[-1] == seen[-2]

        scenario.until(same, "the state settles")
        return seen[-1]

    def _kill(self) -> bool:
        """Kill the worker as it is now; False when there is none at this moment. The keeper alone starts another."""
        pid = self.world.supervisor.pid("worker")
        if pid is None:
            return False
        watched = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        select.select([watched], [], [])  # readable when it is dead
        os.close(watched)
        self.kills += 1
        return True

    def _keep(self) -> None:
        while not self._ended.wait(0.02):
            if self.world.supervisor.pid("worker") is None:
                self._renew()

    def _renew(self) -> None:
        self.world.supervisor.adopt("worker", self._nursery.new())
