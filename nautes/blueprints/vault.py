"""What a declaration becomes in Vault: names of policies, their texts, parameters of roles. Pure; used by activities/vault.py.

Paths and names are those of the original system; role names carry the product's id.
"""

from __future__ import annotations

import hashlib
from typing import Any

ENGINES = ("git", "cluster", "tenant", "pki", "repo")
STAGING = "staging/"
GIVEN = "given"  # in the custom metadata of a kubeconfig: see `given`
TOKEN_TTL = "30m"
TOKEN_NAME = "accesstoken-api"  # of a repository's project access token, in GitLab and in Vault


def key_path(project_id: int, permission: str) -> str:
    """Deploy key of a repository, in engine `git`; `permission` is readonly or readwrite."""
    return f"gitlab/repo-{project_id}/default/{permission}"


def hook_path(project_id: int) -> str:
    """Secret of a repository's webhook, in engine `git`."""
    return f"gitlab/repo-{project_id}/default/webhook"


def key_policy(project_id: int, permission: str) -> str:
    """Policy that lets its holder read a deploy key."""
    return f"gitlab-repo-{project_id}-default-{permission}"


def key_title(project_id: int, permission: str) -> str:
    """Title in GitLab of a repository's deploy key, wherever the key is used."""
    return f"repo-{project_id}-{permission}"


def token_path(project_id: int) -> str:
    """Project access token of a repository, in engine `git`."""
    return f"gitlab/repo-{project_id}/default/{TOKEN_NAME}"


def token_policy(project_id: int) -> str:
    """Policy that lets its holder read a repository's access token."""
    return f"gitlab-repo-{project_id}-default-{TOKEN_NAME}"


def kubeconfig_path(cluster: str) -> str:
    """Kubeconfig of a cluster, in engine `cluster`."""
    return f"kubernetes/{cluster}/default/admin"


def cluster_of(path: str) -> str:
    """The cluster whose kubeconfig is at a path, "" for one that is only staged."""
    first, _, rest = path.partition("/")
    return rest.partition("/")[0] if first == "kubernetes" else ""


def given(kubeconfig: str, server: str) -> str:
    """Digest of a kubeconfig as a person gave it, kept in the metadata of the stored one: the same is not stored again."""
    return hashlib.sha256(f"{server}\n{kubeconfig}".encode()).hexdigest()


def kubeconfig_policy(cluster: str) -> str:
    """Policy that lets its holder read a cluster's kubeconfig."""
    return f"kubernetes-{cluster}-default-admin"


def reader(engine: str, path: str) -> str:
    """Text of a policy that reads one secret, its metadata included."""
    return "\n".join(
        f'path "{engine}/{kind}/{path}" {{\n  capabilities = ["read"]\n}}' for kind in ("data", "metadata")
    )


def kubeconfig_reader(cluster: str) -> str:
    """Text of the kubeconfig policy: the secret, and the roles of the cluster's mount."""
    roles = f'path "auth/{cluster}/role/*" {{\n  capabilities = ["read"]\n}}'
    return f"{reader('cluster', kubeconfig_path(cluster))}\n{roles}"


def runtime_role(
    service_account: str, namespaces: list[str], repositories: list[int], writable: list[int]
) -> dict[str, Any]:
    """Parameters of a runtime's role on its cluster's mount."""
    policies = [key_policy(each, "readonly") for each in repositories]
    policies += [key_policy(each, "readwrite") for each in writable]
    return {
        "bound_service_account_names": [service_account],
        "bound_service_account_namespaces": sorted(namespaces),
        "token_policies": sorted(policies),
        "token_ttl": TOKEN_TTL,
    }
