"""From a runtime's specification to the inputs of its activities: the one place where names in a cluster are put together.

Pure; used by the deployment, pipeline and run workflows.
"""

from __future__ import annotations

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from nautes.blueprints import runtimes
    from nautes.messages.claims import Claim, Grant
    from nautes.messages.convergence import ConvergeInput, HealthInput, OwnedInput
    from nautes.messages.git import TreeRef
    from nautes.messages.vault import RoleName, RuntimeRole
    from nautes.planning.runtimes import DeploymentSpec, PipelineSpec, Spec, namespaces


def account(spec: Spec) -> str:
    """The ServiceAccount of a runtime; it carries the product's id, so that no product takes another's."""
    return runtimes.account_name(spec.product_id, spec.account)


def role(spec: Spec) -> str:
    """The Vault role of a runtime: its own, because runtimes may share an account but neither namespaces nor repositories.

    An account is called like its runtime unless it is declared: then this is its name in Vault as well.
    """
    return runtimes.account_name(spec.product_id, spec.runtime)


def binding(spec: Spec) -> str:
    """The RoleBinding of a runtime's rights in its namespaces."""
    return runtimes.binding(spec.product_id, spec.runtime)


def user(spec: Spec) -> str:
    """Who the runtime's own objects are written as."""
    return f"system:serviceaccount:{namespaces(spec)[0]}:{account(spec)}"


def moved(old: Spec, new: Spec) -> bool:
    """Whether nothing of the runtime can stay where it is: then what was there goes first."""
    place = (old.cluster, old.product_id) != (new.cluster, new.product_id)
    return place or (isinstance(new, PipelineSpec) and namespaces(old) != namespaces(new))


def former_accounts(known: Sequence[str], old: Spec, new: Spec) -> list[str]:
    """Accounts that a runtime has had and no longer acts as, when its specification changes from `old` to `new`."""
    return [*(each for each in known if each not in (old.account, new.account)), old.account]


def claim(spec: Spec, workflow_id: str, names: Sequence[str] | None = None) -> Claim:
    """What the runtime asks of its cluster: its namespaces, or others that it has had."""
    return Claim(
        runtime=workflow_id,
        product=spec.product,
        product_id=spec.product_id,
        namespaces=namespaces(spec) if names is None else list(names),
        worker_type="deployment" if isinstance(spec, DeploymentSpec) else "pipeline",
    )


def convergence(spec: DeploymentSpec, grant: Grant, commit: str, former: Sequence[str] = ()) -> ConvergeInput:
    """Make the runtime's objects equal to its path at `commit`; what it has in `former` namespaces is pruned."""
    return ConvergeInput(
        cluster=grant.kubeconfig,
        owner=runtimes.owner(spec.product_id, spec.runtime),
        source=TreeRef(repository=spec.repository, commit=commit, path=spec.path),
        namespaces=spec.namespaces,
        account=user(spec),
        binding=binding(spec),
        allowed_cluster_kinds=grant.allowed_cluster_kinds,
        platform_namespaces=grant.platform_namespaces,
        former=list(former),
        prune=True,
    )


def health(spec: DeploymentSpec, grant: Grant) -> HealthInput:
    """Observe the health of the runtime's objects."""
    return HealthInput(
        cluster=grant.kubeconfig,
        owner=runtimes.owner(spec.product_id, spec.runtime),
        namespaces=spec.namespaces,
    )


def owned(spec: DeploymentSpec, grant: Grant, former: Sequence[str] = ()) -> OwnedInput:
    """Everything the runtime has in its cluster, by its inventory."""
    return OwnedInput(
        cluster=grant.kubeconfig,
        owner=runtimes.owner(spec.product_id, spec.runtime),
        namespaces=[*spec.namespaces, *former],
        account=user(spec),
    )


def vault_role(spec: Spec, grant: Grant) -> RuntimeRole:
    """What the runtime's account may read in Vault: the keys of the repositories it works with."""
    pipeline = isinstance(spec, PipelineSpec)
    source = spec.source_id if isinstance(spec, PipelineSpec) else spec.repository_id
    return RuntimeRole(
        mount=grant.cluster,
        role=role(spec),
        service_account=account(spec),
        namespaces=namespaces(spec),
        repositories=[source],
        writable=[source] if pipeline else [],
    )


def vault_role_name(spec: Spec, grant: Grant) -> RoleName:
    """The runtime's Vault role, to be removed."""
    return RoleName(mount=grant.cluster, role=role(spec))
