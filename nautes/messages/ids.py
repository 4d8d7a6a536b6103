"""Workflow ids and task queues. An id is readable and is the guarantee that there is only one."""

from __future__ import annotations

TASK_QUEUE = "nautes"
TENANT = "tenant"
BRANCH_SWEEP = "sweep/branches"
CREDENTIAL_SWEEP = "sweep/credentials"


def cluster(name: str) -> str:
    """The single writer of a cluster."""
    return f"cluster/{name}"


def namespaces(cluster_name: str) -> str:
    """The single writer of who may use which namespaces of a cluster."""
    return f"namespaces/{cluster_name}"


def product(path: str) -> str:
    """The single writer of a product; `path` is the GitLab group's full path."""
    return f"product/{path}"


def deployment(product_path: str, runtime: str) -> str:
    """The single writer of a deployment runtime's objects."""
    return f"deployment/{product_path}/{runtime}"


def pipeline(product_path: str, runtime: str) -> str:
    """The single writer of a pipeline runtime's objects."""
    return f"pipeline/{product_path}/{runtime}"


def runtime(product_path: str, key: str) -> str:
    """The single writer of a runtime that is declared as `key`, "<Kind>/<name>"."""
    kind, _, name = key.partition("/")
    return deployment(product_path, name) if kind == "DeploymentRuntime" else pipeline(product_path, name)


def change(product_path: str, operation: str) -> str:
    """One change of one product."""
    return f"change/{product_path}/{operation}"


def registration(cluster_name: str, operation: str) -> str:
    """One registration, update or removal of a cluster."""
    return f"registration/{cluster_name}/{operation}"


def run(product_path: str, runtime: str, event: str, trigger: str) -> str:
    """One pipeline run: the same event and trigger never run twice."""
    return f"run/{product_path}/{runtime}/{event}-{trigger}"


def observer(cluster_name: str) -> str:
    """What watches a cluster."""
    return f"observer/{cluster_name}"


def product_of(workflow_id: str) -> str | None:
    """Path of the product that a workflow works for; "" for one of the platform itself, None for an id of neither."""
    kind, _, rest = workflow_id.partition("/")
    if kind == "product" and rest:
        return rest
    if kind in ("deployment", "pipeline", "change") and "/" in rest:
        return rest.rpartition("/")[0]
    if kind == "run" and rest.count("/") >= 2:
        return rest.rsplit("/", 2)[0]
    return "" if kind in (TENANT, "cluster", "namespaces", "registration", "observer", "sweep") else None


def repository(project_id: int) -> str:
    """Name of a code repository in stored manifests and Vault paths."""
    return f"repo-{project_id}"


def product_name(group_id: int) -> str:
    """Name of a product in stored manifests, Vault roles and clusters."""
    return f"product-{group_id}"


def about(workflow_id: str) -> dict[str, str]:
    """What a workflow is about, as far as its id says: product, cluster, operation."""
    kind, _, rest = workflow_id.partition("/")
    owner = rest.rpartition("/")[0]
    if kind == "change":
        return {"product": owner, "operation": workflow_id}
    if kind == "registration":
        return {"cluster": owner, "operation": workflow_id}
    if kind in ("deployment", "pipeline"):
        return {"product": owner}
    if kind == "run":
        return {"product": owner.rpartition("/")[0]}
    if kind in ("cluster", "namespaces", "observer"):
        return {"cluster": rest}
    return {"product": rest} if kind == "product" else {}
