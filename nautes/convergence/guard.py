"""What a runtime may put into its cluster: decided per object before anything is sent. Called by the convergence activity.

This is the first line of defence; the second is Kubernetes itself, because requests impersonate the runtime's account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nautes.convergence.inventory import ID_LABEL, PARENT_PREFIX
from nautes.convergence.objects import Finding, Object, group_of, metadata

PLATFORM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease", "nautes", "vault"})
_BINDINGS = ("RoleBinding", "ClusterRoleBinding")
_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Scope:
    """Where an owner may write. The first namespace is the default one; `cluster_kinds` are "<group>/<Kind>".

    A platform scope may write cluster-scoped kinds and any namespace: it converges what ships with us.
    """

    namespaces: tuple[str, ...]
    cluster_kinds: frozenset[str] = frozenset()
    platform_namespaces: frozenset[str] = PLATFORM_NAMESPACES
    platform: bool = False
    account: str = ""  # the Kubernetes user the runtime acts as
    binding: str = ""  # the RoleBinding of its rights

    @property
    def own_account(self) -> str:
        """Name of the service account behind `account`, "" if it is none."""
        return self.account.rpartition(":")[2] if self.account.startswith("system:serviceaccount:") else ""


def admit(item: Object, namespaced: bool | None, scope: Scope) -> tuple[str, Finding | None]:
    """The namespace `item` belongs to ("" for cluster-scoped kinds), or why it is refused.

    `namespaced` is what the cluster says of the kind; None: it does not know it.
    """
    meta = metadata(item)
    stated = str(meta.get("namespace") or "")
    default = scope.namespaces[0] if scope.namespaces else ""
    namespace = (stated or default) if namespaced is not False else ""
    reason, refused = _verdict(item, namespaced, stated, namespace, scope)
    if reason:
        return namespace, Finding(str(item["kind"]), namespace, str(meta["name"]), reason, refused)
    return namespace, None


def _verdict(item: Object, namespaced: bool | None, stated: str, namespace: str, scope: Scope) -> tuple[str, bool]:
    """The reason ("" for none), and whether it is a refusal of ours."""
    if ID_LABEL in (metadata(item).get("labels") or {}):
        return f"the label {ID_LABEL} is the platform's own", True
    if item["kind"] == "Secret" and str(metadata(item)["name"]).startswith(PARENT_PREFIX):
        return f"names of Secrets with the prefix {PARENT_PREFIX} are the platform's own", True
    if namespaced is None:
        return f"the cluster does not know the kind {item['kind']} of {item['apiVersion']}", False
    if scope.platform:
        return "" if namespace or not namespaced else "metadata.namespace is missing", True
    if not namespaced:
        return _cluster_scoped(item, stated, scope), True
    reason = _in_namespace(namespace, scope) or _own_place(item, scope) or _subjects(item, namespace, scope)
    return reason, True


def _cluster_scoped(item: Object, stated: str, scope: Scope) -> str:
    kind = str(item["kind"])
    group = group_of(str(item["apiVersion"]))
    if not group and kind == "Namespace":
        return "namespaces are made by the platform, from the runtime's destination"
    if f"{group}/{kind}" not in scope.cluster_kinds and not (not group and kind in scope.cluster_kinds):
        return f"the cluster-scoped kind {group or 'core'}/{kind} is not allowed for this product in this cluster"
    if stated:
        return f"{kind} is cluster-scoped and has no namespace"
    return _subjects(item, "", scope)


def _in_namespace(namespace: str, scope: Scope) -> str:
    if namespace in scope.platform_namespaces or namespace in PLATFORM_NAMESPACES:
        return f"namespace {namespace} is the platform's own"
    if namespace not in scope.namespaces:
        return f"namespace {namespace} is not one of the runtime's ({', '.join(scope.namespaces)})"
    return ""


def _own_place(item: Object, scope: Scope) -> str:
    """The platform makes the account and its rights: a manifest that declared them could have them pruned later."""
    own = {"ServiceAccount": scope.own_account, "RoleBinding": scope.binding}.get(str(item["kind"]))
    if own != metadata(item)["name"]:
        return ""
    return f"{item['kind']} {own} is the runtime's own, which the platform makes"


def _subjects(item: Object, namespace: str, scope: Scope) -> str:
    """Rights may only be given to service accounts of the runtime's own namespaces."""
    if item["kind"] not in _BINDINGS or group_of(str(item["apiVersion"])) != _RBAC:
        return ""
    subjects = item.get("subjects") or []
    if not isinstance(subjects, list):
        return "subjects must be a list"
    for subject in subjects:
        reason = _subject(subject, namespace, scope)
        if reason:
            return reason
    return ""


def _subject(subject: Any, namespace: str, scope: Scope) -> str:
    if not isinstance(subject, Mapping):
        return "a subject must be a mapping"
    kind, name = str(subject.get("kind")), str(subject.get("name"))
    where = str(subject.get("namespace") or namespace)
    if kind == "ServiceAccount" and where in scope.namespaces:
        return ""
    place = f" of {where}" if kind == "ServiceAccount" else ""
    return f"rights for {kind} {name}{place}: only service accounts of the runtime's own namespaces may be bound"
