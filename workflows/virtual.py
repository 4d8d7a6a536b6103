"""A virtual worker and its host: the place claimed there, the control plane made there, its kubeconfig taken from there.

Steps of a registration (workflows/registration.py). The host keeps who stands on it in its own register, like any user: that
is why it waits for a host that is still being registered, and why a host is not removed under it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.claims import ClaimActivities
    from activities.vault import VaultActivities
    from activities.virtual import VirtualActivities
    from nautes.blueprints import virtual
    from nautes.messages import ids
    from nautes.messages.claims import Claim, ClaimInput
    from nautes.messages.clusters import VirtualInput
    from nautes.messages.errors import NotFound, Refused
    from nautes.messages.secrets import SecretRef
    from nautes.planning.steps import Manifest
    from workflows.effects import Undo, perform

Note = Callable[[str, str, str], None]


class Guest:
    """One virtual cluster in one registration. `note` records an effect; `staged` is where its kubeconfig is put at first."""

    def __init__(self, cluster: str, manifest: Manifest, staged: SecretRef, undo: Undo, note: Note) -> None:
        self._cluster = cluster
        self._manifest = manifest
        self._undo = undo
        self._note = note
        self._host: SecretRef | None = None
        self.host = virtual.host_of(manifest)
        self.staged = staged

    async def claim(self, *, fresh: bool) -> None:
        """A place on the host, once that one is ready. Raises Refused for a cluster that is no host, or unknown."""
        input = self._claim_order()
        if fresh:
            self._undo.before(f"place on host {self.host}", self._unclaim)
        grant = await perform(ClaimActivities.claim_host, input, f"Place on host {self.host}")
        self._host = grant.kubeconfig

    async def is_new(self) -> bool:
        """Whether nothing of it is kept: after a loss of memory Vault still knows how it is reached."""
        try:
            await perform(VaultActivities.kubeconfig_ref, self._cluster, "Is its kubeconfig known?")
        except NotFound:
            return True
        return False

    async def create(self, *, fresh: bool) -> SecretRef | None:
        """The control plane on the host, and its kubeconfig staged; None when what is stored says the same."""
        input = self._input()
        if fresh:
            self._undo.before(f"virtual cluster on host {self.host}", lambda: self._delete("Undo: "))
        report = await perform(VirtualActivities.create, input, f"Virtual cluster on host {self.host}", within=120)
        if report.writes:
            self._note("kubernetes", "change", f"virtual cluster on {self.host} ({report.writes} objects)")
        access = await perform(VirtualActivities.access, input, "Kubeconfig of the virtual cluster", within=120)
        return access.staged

    async def remove(self) -> None:
        """Everything it has on its host, and the place itself. A host that is there no more has nothing of it."""
        if self._host is not None:
            await self._delete("")
            self._note("kubernetes", "delete", f"virtual cluster on {self.host}")
            await self._unclaim()

    async def find_host(self) -> None:
        """As `claim`, for a removal: a host that nobody knows is no reason to keep what stood on it."""
        with contextlib.suppress(NotFound, Refused):
            await self.claim(fresh=False)

    async def _delete(self, why: str) -> bool:
        if self._host is None:
            return False
        what = f"{why}virtual cluster on host {self.host}"
        report = await perform(VirtualActivities.delete, self._input(), what, within=600)
        return report.deleted > 0

    async def _unclaim(self) -> None:
        await perform(ClaimActivities.release, self._claim_order(), f"Give back the place on host {self.host}")

    def _claim_order(self) -> ClaimInput:
        claim = Claim(
            runtime=ids.cluster(self._cluster),
            product_id="",
            product="",
            namespaces=[self._cluster],
            worker_type="host",
        )
        return ClaimInput(cluster=self.host, claim=claim)

    def _input(self) -> VirtualInput:
        assert self._host is not None  # noqa: S101 - claimed first
        return VirtualInput(
            cluster=self._cluster,
            host=self._host,
            server=str(self._manifest.get("spec", {}).get("apiServer", "")),
            node_port=virtual.node_port(self._manifest),
            staged=self.staged,
        )
