"""One registration, update or removal of a cluster: a finite operation started by `cluster/<name>`, one at a time.

check -> kubeconfig to Vault -> manifest commit -> ground in the cluster -> Vault auth -> components -> ready.
Whoever refuses, everything this operation did is taken back, newest first.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.clusters import ClusterActivities
    from activities.components import ComponentActivities
    from activities.control import ControlActivities
    from activities.vault import VaultActivities
    from blueprints import components
    from contracts.clusters import (
        ClusterCheck,
        ClusterCommit,
        ClusterState,
        ComponentOrder,
        RegistrationInput,
        RegistrationReport,
    )
    from contracts.control import ScheduleOrder
    from contracts.errors import NautesError, Refused
    from contracts.operations import Effect, OperationStatus, Outcome
    from contracts.secrets import SecretRef
    from contracts.vault import ClusterAuth, KubeconfigOrder, KubeconfigUndo
    from workflows import effects, progress
    from workflows.effects import Undo, perform


@workflow.defn(name="Registration")
class RegistrationWorkflow:
    """Ends with ready or removed, or with the refusal and what was undone."""

    @workflow.init
    def __init__(self, order: RegistrationInput) -> None:
        self._order = order
        self._request = order.request
        self._name = order.request.cluster
        self._step = "queued"
        self._done: list[Effect] = []
        self._undo = Undo()
        self._state = order.state
        # Nothing of it was there before: only then does an undo take everything away. A cluster that Git and Vault know
        # (Temporal's memory was lost) keeps what it had, whoever refuses.
        self._fresh = order.request.kubeconfig is not None and not order.state.kubeconfig

    @workflow.query
    def status(self) -> OperationStatus:
        """Which step runs, which are done."""
        return OperationStatus(
            operation=workflow.info().workflow_id,
            step=self._step,
            done=[f"{each.action} {each.target}" for each in self._done],
            requester=self._request.requester.username,
        )

    @workflow.run
    async def run(self, order: RegistrationInput) -> RegistrationReport:
        try:
            outcome = await (self._apply() if order.request.action == "apply" else self._remove())
        except BaseException as error:
            refusal = error if isinstance(error, NautesError) else None
            if refusal is None and not effects.cancelled(error):
                raise
            return await self._give_up(refusal)
        self._show("Done")
        return self._report("done", [outcome])

    async def _apply(self) -> Outcome:
        request = self._request
        await self._check()
        kubeconfig = await self._store_kubeconfig()
        commit = await self._commit(request.manifest)
        auth = ClusterAuth(cluster=self._name, kubeconfig=kubeconfig)
        await self._install("ground", "nautes", kubeconfig)
        self._show("Vault auth mount")
        if self._fresh:
            self._undo.before(
                f"auth mount {self._name}", lambda: perform(VaultActivities.drop_auth, self._name, "Undo: Vault auth")
            )
        if (await perform(VaultActivities.ensure_cluster_auth, auth, "Vault auth mount and roles")).changed:
            self._note("vault", "create", f"auth/{self._name}")
            await perform(VaultActivities.verify_login, auth, "A service account of the cluster logs in to Vault")
        wanted = components.of_cluster(request.manifest)
        for component, namespace in wanted:
            await self._install(component, namespace, kubeconfig)
        await perform(
            ControlActivities.ensure_schedule,
            ScheduleOrder(cluster=self._name),
            "Sweep for drift",
        )
        known = self._state.manifest == request.manifest
        created = not self._state.manifest
        self._state = self._state.model_copy(
            update={
                "manifest": request.manifest,
                "commit": commit,
                "kubeconfig": kubeconfig,
                "phase": "Ready",
                "message": "",
                "components": [component for component, _ in wanted],
            }
        )
        action = "created" if created else "unchanged" if known and not self._done else "changed"
        return Outcome(resource=f"Cluster/{self._name}", action=action)

    async def _check(self) -> None:
        self._show("Checking")
        check = ClusterCheck(
            request=self._request,
            kubeconfig=self._request.kubeconfig or self._stored(),
            server=str(self._request.manifest.get("spec", {}).get("apiServer", "")),
            manifest=self._state.manifest,
            claims=self._state.claims,
        )
        findings = await perform(ClusterActivities.check, check, "Rules, reachability and rights", within=45)
        if findings:
            raise Refused("cluster-refused", findings[0].message, findings=findings)

    def _stored(self) -> SecretRef:
        return self._state.kubeconfig or SecretRef(engine="cluster", path=f"kubernetes/{self._name}/default/admin")

    async def _store_kubeconfig(self) -> SecretRef:
        staged = self._request.kubeconfig
        if staged is None:
            return await perform(VaultActivities.kubeconfig_ref, self._name, "Stored kubeconfig")
        self._show("Kubeconfig to Vault")
        order = KubeconfigOrder(
            cluster=self._name, staged=staged, server=str(self._request.manifest["spec"].get("apiServer", ""))
        )
        previous = self._state.kubeconfig.version if self._state.kubeconfig else None
        undo = KubeconfigUndo(cluster=self._name, previous=previous)
        self._undo.before(
            "kubeconfig in Vault", lambda: perform(VaultActivities.undo_kubeconfig, undo, "Undo: kubeconfig")
        )
        stored = await perform(VaultActivities.store_kubeconfig, order, "Kubeconfig to its place in Vault")
        self._fresh = self._fresh and stored.previous is None
        if stored.changed:
            self._note("vault", "create" if stored.previous is None else "change", stored.secret.path)
        return stored.secret

    async def _commit(self, manifest: dict[str, object]) -> str:
        self._show("Manifest commit")
        before = self._state.manifest or None
        order = ClusterCommit(
            cluster=self._name,
            manifest=manifest or None,
            requester=self._request.requester,
            operation=workflow.info().workflow_id,
        )
        back = order.model_copy(update={"manifest": before})

        async def undo() -> bool:
            return (await perform(ClusterActivities.commit, back, "Undo: cluster manifest")).made

        if manifest and (before or self._fresh):
            self._undo.before("cluster manifest", undo)
        committed = await perform(ClusterActivities.commit, order, "Cluster manifest to the tenant repository")
        if committed.made:
            self._note("git", "change", f"clusters/{self._name}.yaml")
        return committed.commit

    async def _install(self, component: str, namespace: str, kubeconfig: SecretRef) -> None:
        self._show(f"Component {component}")
        order = ComponentOrder(cluster=self._name, kubeconfig=kubeconfig, component=component, namespace=namespace)

        async def undo() -> bool:
            report = await perform(ComponentActivities.remove, order, f"Undo: component {component}", within=300)
            return report.deleted > 0

        if self._fresh:
            self._undo.before(f"component {component}", undo)
        report = await perform(ComponentActivities.install, order, f"Component {component}", within=600)
        if report.writes:
            self._note("kubernetes", "change", f"component {component} ({report.writes} objects)")

    async def _remove(self) -> Outcome:
        resource = f"Cluster/{self._name}"
        if self._state.claims:
            users = ", ".join(sorted(self._state.claims))
            raise Refused("cluster-in-use", f"cluster {self._name} is used by {users}")
        if not self._state.manifest:
            return Outcome(resource=resource, action="absent")
        kubeconfig = self._stored()
        await self._commit({})
        await perform(ControlActivities.drop_schedule, self._name, "No more sweeps for drift")
        installed = [*reversed(components.of_cluster(self._state.manifest)), ("ground", "nautes")]
        for component, namespace in installed:
            self._show(f"Remove component {component}")
            order = ComponentOrder(cluster=self._name, kubeconfig=kubeconfig, component=component, namespace=namespace)
            await perform(ComponentActivities.remove, order, f"Remove component {component}", within=600)
            self._note("kubernetes", "delete", f"component {component}")
        self._show("Vault")
        await perform(VaultActivities.drop_cluster, self._name, "Kubeconfig, policies and auth mount")
        self._note("vault", "delete", f"auth/{self._name}")
        self._state = ClusterState(removed=True, phase="Removed")
        return Outcome(resource=resource, action="removed")

    async def _give_up(self, refusal: NautesError | None) -> RegistrationReport:
        self._show("Undoing")
        undone = await self._undo.run()
        if self._request.kubeconfig is not None:
            await effects.shielded(
                perform(VaultActivities.discard, self._request.kubeconfig, "Forget the staged kubeconfig")
            )
        self._show("Refused" if refusal else "Cancelled")
        outcome = Outcome(resource=f"Cluster/{self._name}", action="refused", detail=refusal.message if refusal else "")
        message = refusal.message if refusal else "cancelled"
        before = self._order.state
        changes: dict[str, object] = {}
        if not before.manifest:  # one that was never there is not there: its workflow ends when nothing is queued
            changes = {"phase": "Refused", "removed": self._request.kubeconfig is not None}
        self._state = before.model_copy(update={"message": message, **changes})
        report = self._report("refused" if refusal else "cancelled", [outcome])
        findings = list(refusal.findings) if refusal else []
        return report.model_copy(update={"findings": findings, "undone": undone, "message": message})

    def _note(self, system: str, action: str, target: str) -> None:
        self._done.append(Effect.model_validate({"system": system, "action": action, "target": target}))

    def _report(self, state: str, outcomes: list[Outcome]) -> RegistrationReport:
        return RegistrationReport.model_validate(
            {
                "operation": workflow.info().workflow_id,
                "state": state,
                "outcomes": outcomes,
                "commit": self._state.commit,
                "effects": self._done,
                # queue, claims and handled belong to the cluster's workflow; it merges them back.
                "registered": self._state,
            }
        )

    def _show(self, step: str) -> None:
        self._step = step
        lines = "\n".join(f"- {each.system}: {each.action} {each.target}" for each in self._done)
        progress.describe("Registration", step.split(" ")[0], cluster=self._name, details=f"{step}\n\n{lines}")
