"""Inputs and results of the Vault activities (activities/vault.py)."""

from __future__ import annotations

from nautes.messages.secrets import SecretRef
from nautes.resources.payload import Payload


class KubeconfigInput(Payload):
    """Move a staged kubeconfig to its final path; `server` overwrites the address in it."""

    cluster: str
    staged: SecretRef
    server: str


class KubeconfigState(Payload):
    """Where the kubeconfig is now, and its version before (None: there was none), for the undo."""

    secret: SecretRef
    previous: int | None
    changed: bool


class KubeconfigUndo(Payload):
    """Put version `previous` back, or remove the secret and its policy when there was none."""

    cluster: str
    previous: int | None


class ClusterAuth(Payload):
    """The Kubernetes auth mount of a cluster: name `auth/<cluster>`; the reviewer token is read from the cluster."""

    cluster: str
    kubeconfig: SecretRef


class RuntimeRole(Payload):
    """What a runtime's account may read: a role on the cluster's mount, bound to its service accounts."""

    mount: str  # the cluster's name
    role: str  # product-<id>-<runtime>, which is product-<id>-<account> unless the account is named otherwise
    service_account: str
    namespaces: list[str]
    repositories: list[int]  # project ids whose readonly key it may read
    writable: list[int] = []  # project ids whose readwrite key it may read


class RoleName(Payload):
    """A role to be removed."""

    mount: str
    role: str


class RepositorySecrets(Payload):
    """Every secret and policy of one repository, to be removed."""

    project_id: int


class Done(Payload):
    """Whether anything had to be written."""

    changed: bool
