"""One registration, update or removal of a cluster: a finite operation started by `cluster/<name>`, one at a time.

check -> kubeconfig to Vault -> manifest commit -> bootstrap in the cluster -> Vault auth -> components -> ready.
A virtual worker is made on its host before that (workflows/virtual.py); from then on it is a cluster like any other.
When a step is refused, everything this operation did is taken back, newest first.
"""

from __future__ import annotations

import pydantic
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.claims import ClaimActivities
    from activities.clusters import ClusterActivities
    from activities.components import ComponentActivities
    from activities.control import ControlActivities
    from activities.vault import VaultActivities
    from nautes.blueprints import components
    from nautes.blueprints import vault as vault_names
    from nautes.blueprints.virtual import host_of
    from nautes.messages.claims import User, UsersPage
    from nautes.messages.clusters import (
        ClusterCheck,
        ClusterCommit,
        ClusterCommitted,
        ClusterPlan,
        ComponentInput,
    )
    from nautes.messages.errors import NautesError, Refused
    from nautes.messages.operations import ClusterRequest, OperationStatus
    from nautes.messages.secrets import SecretRef
    from nautes.messages.vault import ClusterAuth, KubeconfigInput, KubeconfigUndo
    from nautes.planning.steps import Effect, Outcome
    from nautes.resources.findings import Finding
    from nautes.rules.decided import CLUSTER_HOST_MOVED, CLUSTER_VIRTUAL_KUBECONFIG
    from nautes.rules.registry import Rule
    from workflows import effects, progress
    from workflows.claims import require_unused
    from workflows.cluster_state import ClusterRecord, RegistrationReport, RegistrationStart
    from workflows.commit_comments import comment_on
    from workflows.effects import Undo, perform
    from workflows.endings import ended
    from workflows.virtual import Guest

FROM_GIT = "git-"  # begins the operations that the tenant repository asked for


def operation_of(commit: str) -> str:
    """The operation of what a commit of the tenant repository asks for."""
    return f"{FROM_GIT}{commit[:12]}"


def asked_by_git(request: ClusterRequest) -> bool:
    """Whether the tenant repository asks for it, and nobody waits for the answer."""
    return request.operation.startswith(FROM_GIT)


@workflow.defn(name="Registration", failure_exception_types=[pydantic.ValidationError])  # of its own input
class RegistrationWorkflow:
    """Ends with ready or removed, or with the refusal and what was undone."""

    @workflow.init
    def __init__(self, input: RegistrationStart) -> None:
        self._input = input
        self._request = input.request
        self._name = input.request.cluster
        self._step = "queued"
        self._done: list[Effect] = []
        self._undo = Undo()
        self._state = input.state
        # Nothing of it was there before: only then does an undo take everything away. A cluster that Git and Vault know
        # (Temporal's memory was lost) keeps what it had when a step is refused.
        self._fresh = input.request.kubeconfig is not None and not input.state.kubeconfig
        self._staged = input.request.kubeconfig
        self._guest = self._as_guest(
            input.request.manifest if input.request.action == "apply" else input.state.manifest
        )
        self._warnings: list[str] = []
        self._installed: list[str] = []
        self._shared: list[str] = []  # components that another registration of the same API server needs
        self._plan: ClusterPlan | None = None
        self._users = UsersPage()  # some of those who use the cluster, and how many there are
        self._closed = False

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
    async def run(self, input: RegistrationStart) -> RegistrationReport:
        return ended(await self._operate())

    async def _operate(self) -> RegistrationReport:
        try:
            await self._planned()
            if self._request.dry_run:
                return self._foreseen()
            outcome = await (self._apply() if self._request.action == "apply" else self._remove())
        except BaseException as error:
            refusal = error if isinstance(error, NautesError) else None
            if refusal is None and not effects.cancelled(error):
                raise
            return await self._give_up(refusal)
        self._show("Done")
        return self._report("done", [outcome])

    async def _planned(self) -> None:
        """What would be done, where somebody wants to know, or has seen it and wants exactly that."""
        request = self._request
        if self._state.manifest or request.action == "remove":
            self._users = await perform(ClaimActivities.users, self._name, "Who uses the cluster")
        if request.dry_run or request.plans or request.expected:
            self._show("Planning")
            if request.action == "remove":
                require_unused(self._name, self._users)
            self._plan = await perform(ClusterActivities.plan, self._checked(probe=False), "Rules and plan")
            if self._plan.findings:
                raise Refused("cluster-refused", self._plan.findings[0].message, findings=self._plan.findings)

    def _foreseen(self) -> RegistrationReport:
        """Nothing was done: a cluster that nobody registered is as unknown as before."""
        plan = self._plan
        assert plan is not None  # noqa: S101 - asked by the caller
        if not self._state.manifest:
            self._state = self._state.model_copy(update={"removed": True})
        report = self._report("planned", [plan.outcome])
        return report.model_copy(
            update={"effects": plan.effects, "warnings": plan.warnings, "plan": plan.id, "deletions": plan.deletions}
        )

    def _as_guest(self, manifest: dict[str, object]) -> Guest | None:
        if not host_of(manifest):
            return None
        place = SecretRef(engine="cluster", path=f"{vault_names.STAGING}{self._name}-{self._request.operation}")
        return Guest(self._name, manifest, place, self._undo, self._note)

    async def _apply(self) -> Outcome:
        request = self._request
        await self._require_place()
        if self._guest:
            await self._stand(self._guest)
        await self._check()
        kubeconfig = await self._store_kubeconfig()
        committed = await self._commit(request.manifest)
        auth = ClusterAuth(cluster=self._name, kubeconfig=kubeconfig)
        await self._install(components.BOOTSTRAP, "nautes", kubeconfig)
        self._show("Vault auth mount")
        if self._fresh:
            self._undo.before(
                f"auth mount {self._name}", lambda: perform(VaultActivities.drop_auth, self._name, "Undo: Vault auth")
            )
        if (await perform(VaultActivities.ensure_cluster_auth, auth, "Vault auth mount and roles")).changed:
            self._note("vault", "create", f"auth/{self._name}")
            await perform(VaultActivities.verify_login, auth, "A service account of the cluster logs in to Vault")
        for component, namespace in components.of_cluster(committed.manifest or request.manifest):
            if await self._install(component, namespace, kubeconfig):
                self._installed.append(component)
        await perform(
            ControlActivities.ensure_observer,
            self._name,
            "Watch the cluster",
        )
        return self._registered(committed, kubeconfig)

    def _registered(self, committed: ClusterCommitted, kubeconfig: SecretRef) -> Outcome:
        manifest = committed.manifest or self._request.manifest
        known, created = self._state.manifest == manifest, not self._state.manifest
        self._state = self._state.model_copy(
            update={
                "manifest": manifest,
                "commit": committed.commit,
                "kubeconfig": kubeconfig,
                "phase": "Ready",
                "message": "",
                "components": self._installed,
                "warnings": self._warnings,
            }
        )
        action = "created" if created else "unchanged" if known and not self._done else "changed"
        detail = "; ".join(self._warnings)
        return Outcome.model_validate({"resource": f"Cluster/{self._name}", "action": action, "detail": detail})

    async def _require_place(self) -> None:
        """A virtual cluster is made by us, where it was declared first: another host would get an empty one."""
        wanted = host_of(self._request.manifest)
        if wanted and self._request.kubeconfig:
            text = "the platform makes a virtual cluster and its kubeconfig itself: leave kubeconfig out"
            raise self._refusal(CLUSTER_VIRTUAL_KUBECONFIG, text, "/spec/kubeconfig")
        if self._state.manifest and wanted != host_of(self._state.manifest):
            await self._check(probe=False)  # says who uses it, if somebody does
            text = f"cluster {self._name} cannot move to, from or between hosts: remove it and register it anew"
            raise self._refusal(CLUSTER_HOST_MOVED, text, "/spec/hostCluster")

    def _refusal(self, rule: Rule, text: str, pointer: str) -> Refused:
        finding = rule.finding(f"Cluster/{self._name}", text, pointer=pointer)
        return Refused(rule.id, text, findings=[finding])

    async def _stand(self, guest: Guest) -> None:
        """The virtual cluster on its host, and its kubeconfig staged as if somebody had brought it."""
        self._show("Host")
        self._fresh = not self._state.kubeconfig and await guest.is_new()
        await guest.claim(fresh=self._fresh)
        await self._check(probe=False)
        self._show("Virtual cluster")
        self._staged = guest.staged  # whatever happens from here on, it is forgotten
        self._staged = await guest.create(fresh=self._fresh)

    async def _check(self, *, probe: bool = True) -> None:
        self._show("Checking")
        check = self._checked(probe=probe)
        findings = await perform(ClusterActivities.check, check, "Rules, reachability and rights", within=45)
        if findings:
            raise Refused("cluster-refused", findings[0].message, findings=findings)

    def _checked(self, *, probe: bool) -> ClusterCheck:
        return ClusterCheck(
            request=self._request,
            kubeconfig=self._staged or self._stored(),
            server=str(self._request.manifest.get("spec", {}).get("apiServer", "")),
            manifest=self._state.manifest,
            users=[each.name for each in self._users.users],
            probe=probe,
        )

    def _stored(self) -> SecretRef:
        return self._state.kubeconfig or SecretRef(engine="cluster", path=f"kubernetes/{self._name}/default/admin")

    async def _store_kubeconfig(self) -> SecretRef:
        staged = self._staged
        if staged is None:
            return await perform(VaultActivities.kubeconfig_ref, self._name, "Stored kubeconfig")
        self._show("Kubeconfig to Vault")
        input = KubeconfigInput(
            cluster=self._name, staged=staged, server=str(self._request.manifest["spec"].get("apiServer", ""))
        )
        previous = self._state.kubeconfig.version if self._state.kubeconfig else None
        undo = KubeconfigUndo(cluster=self._name, previous=previous)
        self._undo.before(
            "kubeconfig in Vault", lambda: perform(VaultActivities.undo_kubeconfig, undo, "Undo: kubeconfig")
        )
        stored = await perform(VaultActivities.store_kubeconfig, input, "Kubeconfig to its place in Vault")
        self._fresh = self._fresh and stored.previous is None
        if stored.changed:
            self._note("vault", "create" if stored.previous is None else "change", stored.secret.path)
        return stored.secret

    async def _commit(self, manifest: dict[str, object]) -> ClusterCommitted:
        self._show("Manifest commit")
        before = self._state.manifest or None
        spec: dict[str, object] = (manifest or self._state.manifest).get("spec", {})  # type: ignore[assignment]
        input = ClusterCommit(
            cluster=self._name,
            manifest=manifest or None,
            server=str(spec.get("apiServer", "")),
            requester=self._request.requester,
            operation=workflow.info().workflow_id,
        )
        back = input.model_copy(update={"manifest": before})

        async def undo() -> bool:
            return (await perform(ClusterActivities.commit, back, "Undo: cluster manifest")).made

        if manifest and (before or self._fresh):
            self._undo.before("cluster manifest", undo)
        committed = await perform(ClusterActivities.commit, input, "Cluster manifest to the tenant repository")
        self._shared = committed.shared
        if committed.made:
            self._note("git", "change", f"clusters/{self._name}.yaml")
        return committed

    async def _install(self, component: str, namespace: str, kubeconfig: SecretRef) -> bool:
        """False: this build has nothing to install."""
        self._show(f"Component {component}")
        input = ComponentInput(cluster=self._name, kubeconfig=kubeconfig, component=component, namespace=namespace)

        async def undo() -> bool:
            if component in self._shared:
                return False
            report = await perform(ComponentActivities.remove, input, f"Undo: component {component}", within=300)
            return report.deleted > 0

        if self._fresh and not self._guest:  # what is in a virtual cluster goes with it
            self._undo.before(f"component {component}", undo)
        report = await perform(ComponentActivities.install, input, f"Component {component}", within=600)
        if report.writes:
            self._note("kubernetes", "change", f"component {component} ({report.writes} objects)")
        if not report.bundled:
            self._warnings.append(f"this build does not install {component}: it must be there already")
        else:
            self._show(f"Health of component {component}")
            await perform(ComponentActivities.healthy, input, f"Health of component {component}")
        return report.bundled

    async def _remove(self) -> Outcome:
        resource = f"Cluster/{self._name}"
        self._users = await perform(ClaimActivities.close, self._name, "Close the cluster for new claims")
        require_unused(self._name, self._users)
        self._closed = True
        if not self._state.manifest:
            self._state = self._state.model_copy(update={"removed": self._state.refused is None})
            return Outcome(resource=resource, action="absent")
        if await self._is_kept():
            return Outcome(resource=resource, action="unchanged", detail="the tenant repository declares it again")
        if self._guest:
            await self._guest.find_host()
        await self._commit({})
        if not self._guest:  # what is in a virtual cluster goes with it, even if nobody can reach it any more
            await self._uninstall()
        await perform(ControlActivities.end_observer, self._name, "Watch the cluster no more")
        self._show("Vault")
        await perform(VaultActivities.drop_cluster, self._name, "Kubeconfig, policies and auth mount")
        self._note("vault", "delete", f"auth/{self._name}")
        if self._guest:
            self._show("Virtual cluster")
            await self._guest.remove()
        self._state = ClusterRecord(removed=True, phase="Removed")
        return Outcome(resource=resource, action="removed")

    async def _is_kept(self) -> bool:
        """Look once more at the tenant repository where the removal hangs on it: for hosts, and when Git asked for it."""
        host = self._state.manifest.get("spec", {}).get("usage") == "host"
        if not host and not asked_by_git(self._request):
            return False
        standing = await perform(ClusterActivities.standing, self._name, "What the tenant repository says of it")
        if not standing.complete:
            raise Refused("tenant-unreadable", "the tenant repository cannot be read as a whole: nothing is removed")
        guests = [User(kind="claim", name=f"cluster/{each}") for each in standing.guests]
        self._users = UsersPage(users=guests, total=len(guests))
        require_unused(self._name, self._users)
        return standing.declared and asked_by_git(self._request)

    async def _uninstall(self) -> None:
        kubeconfig = self._stored()
        installed = [*reversed(components.of_cluster(self._state.manifest)), (components.BOOTSTRAP, "nautes")]
        for component, namespace in [each for each in installed if each[0] not in self._shared]:
            self._show(f"Remove component {component}")
            input = ComponentInput(cluster=self._name, kubeconfig=kubeconfig, component=component, namespace=namespace)
            await perform(ComponentActivities.remove, input, f"Remove component {component}", within=600)
            self._note("kubernetes", "delete", f"component {component}")

    async def _give_up(self, refusal: NautesError | None) -> RegistrationReport:
        self._show("Undoing")
        undone = await self._undo.run()
        if self._staged is not None:
            await effects.shielded(perform(VaultActivities.discard, self._staged, "Forget the staged kubeconfig"))
        self._show("Refused" if refusal else "Cancelled")
        outcome = Outcome(resource=f"Cluster/{self._name}", action="refused", detail=refusal.message if refusal else "")
        message = refusal.message if refusal else "cancelled"
        before = self._input.state
        changes: dict[str, object] = {"phase": "Removing"} if self._closed and self._done else {}
        if not before.manifest:  # one that was never there is not there: its workflow ends when nothing is queued
            waited_for = self._request.kubeconfig is not None or self._guest is not None
            changes = {"phase": "Refused", "removed": waited_for and not asked_by_git(self._request)}
        self._state = before.model_copy(update={"message": message, **changes})
        report = self._report("refused" if refusal else "cancelled", [outcome])
        findings = list(refusal.findings) if refusal else []
        if refusal and not findings:
            findings = [Finding(rule=refusal.code, message=refusal.message, resource=f"Cluster/{self._name}")]
        if refusal:
            what = f"{workflow.info().workflow_id} was refused: the cluster stays what it is."
            await comment_on(
                self._request.project_id, self._request.commit, workflow.info().workflow_id, what, findings
            )
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
                "registered": self._state,
            }
        )

    def _show(self, step: str) -> None:
        self._step = step
        lines = "\n".join(f"- {each.system}: {each.action} {each.target}" for each in self._done)
        progress.describe("Registration", step.split(" ")[0], cluster=self._name, details=f"{step}\n\n{lines}")
