"""Effects in Vault: engines, kubeconfigs, auth mounts of clusters, roles of runtimes.

Called by the tenant, registration, deployment and pipeline workflows. Every activity reads first: what is right already is not
written. Values stay inside an activity.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import activity

from activities.elapsed import elapsed
from nautes.blueprints import vault as names
from nautes.clients.kubernetes import Clusters
from nautes.clients.vault import Vault
from nautes.messages.errors import Forbidden, NotFound, Refused, Unavailable
from nautes.messages.gitlab import Gone
from nautes.messages.secrets import SecretRef
from nautes.messages.vault import (
    ClusterAuth,
    Done,
    KubeconfigInput,
    KubeconfigState,
    KubeconfigUndo,
    RoleName,
    RuntimeRole,
)
from nautes.resources.documents import read
from nautes.resources.scalars import text_of

LOGIN_TIMEOUT = 20.0  # seconds until a refused login counts as refused
PROBE_ROLE = "nautes-login-probe"
REVIEWER = ("vault", "vault-auth")  # namespace and name of the account that reviews tokens


class VaultActivities:
    """`clusters` issues tokens of a cluster's service accounts."""

    def __init__(self, vault: Vault, clusters: Clusters) -> None:
        self._vault = vault
        self._clusters = clusters

    @activity.defn(name="vault.ensure_tenant")
    def ensure_tenant(self, _: str) -> Done:
        """The KV v2 engines. Idempotent: mounted ones are left alone."""
        mounted = self._vault.mounts("mounts")
        missing = [each for each in names.ENGINES if f"{each}/" not in mounted]
        for engine in missing:
            self._vault.put(f"sys/mounts/{engine}", {"type": "kv", "options": {"version": "2"}})
        return Done(changed=bool(missing))

    # Kubeconfigs

    @activity.defn(name="vault.kubeconfig_ref")
    def kubeconfig_ref(self, cluster: str) -> SecretRef:
        """The reference to a cluster's kubeconfig in its newest version. Idempotent: it only reads. Raises NotFound."""
        path = names.kubeconfig_path(cluster)
        version = self._vault.version("cluster", path)
        if version is None:
            raise NotFound("kubeconfig-missing", f"Vault has no kubeconfig of cluster {cluster}")
        return SecretRef(engine="cluster", path=path, version=version)

    @activity.defn(name="vault.store_kubeconfig")
    def store_kubeconfig(self, input: KubeconfigInput) -> KubeconfigState:
        """Move a staged kubeconfig to its final path. Idempotent: the same content is not written again."""
        path = names.kubeconfig_path(input.cluster)
        current = self._vault.version("cluster", path)
        staged = self._vault.read(input.staged)
        if staged is None:  # a retry after an attempt whose success was not reported: it is moved already
            if current is None:
                raise NotFound("kubeconfig-missing", f"the kubeconfig of {input.cluster} is not staged any more")
            ref = SecretRef(engine="cluster", path=path, version=current)
            return KubeconfigState(secret=ref, previous=None, changed=True)
        text = at_server(str(staged["kubeconfig"]), input.server)
        stored = self._vault.read(SecretRef(engine="cluster", path=path))
        changed = stored is None or stored.get("kubeconfig") != text
        if changed:
            ref = self._vault.write("cluster", path, {"kubeconfig": text}, cas=current or 0)
        else:
            ref = SecretRef(engine="cluster", path=path, version=current)
        given = names.given(str(staged["kubeconfig"]), input.server)
        if self._vault.notes("cluster", path).get(names.GIVEN) != given:
            self._vault.note("cluster", path, {names.GIVEN: given})
        self._vault.ensure_policy(names.kubeconfig_policy(input.cluster), names.kubeconfig_reader(input.cluster))
        self._vault.delete(input.staged.engine, input.staged.path)
        return KubeconfigState(secret=ref, previous=current, changed=changed)

    @activity.defn(name="vault.undo_kubeconfig")
    def undo_kubeconfig(self, input: KubeconfigUndo) -> bool:
        """Put the previous version back, or remove all. Idempotent: what is back is not written again."""
        path = names.kubeconfig_path(input.cluster)
        if input.previous is None:
            removed = self._vault.delete("cluster", path)
            policy = self._vault.remove(f"sys/policies/acl/{names.kubeconfig_policy(input.cluster)}")
            return removed or policy
        before = self._vault.read(SecretRef(engine="cluster", path=path, version=input.previous))
        if before is None or before == self._vault.read(SecretRef(engine="cluster", path=path)):
            return False
        self._vault.note("cluster", path, {})  # the restored version was not given by a person just now
        self._vault.write("cluster", path, before)
        return True

    @activity.defn(name="vault.discard")
    def discard(self, staged: SecretRef) -> bool:
        """Delete a staged secret. Idempotent: not there is success. Nothing outside the staging path is touched."""
        if not staged.path.startswith(names.STAGING):
            raise Refused("not-staged", "only staged secrets are discarded")
        return self._vault.delete(staged.engine, staged.path)

    @activity.defn(name="vault.discard_forgotten")
    def discard_forgotten(self, hours: int) -> Done:
        """Delete secrets staged more than some hours ago, whose command no worker took. Idempotent: none left is success."""
        ages = self._vault.ages("cluster", names.STAGING)
        forgotten = [path for path, age in ages.items() if age >= timedelta(hours=hours)]
        for path in forgotten:
            self._vault.delete("cluster", path)
        return Done(changed=bool(forgotten))

    # Auth mounts

    @activity.defn(name="vault.ensure_cluster_auth")
    def ensure_cluster_auth(self, input: ClusterAuth) -> Done:
        """The cluster's Kubernetes auth mount. Idempotent: compared with its configuration first."""
        try:
            token, ca, host = self._clusters.reviewer(input.kubeconfig)
        except NotFound as error:  # the cluster issues it shortly after the account is created
            raise Unavailable("reviewer-token", error.message) from None
        mount = input.cluster
        changed = False
        if f"{mount}/" not in self._vault.mounts("auth"):
            self._vault.put(f"sys/auth/{mount}", {"type": "kubernetes"})
            changed = True
        found = self._vault.get(f"auth/{mount}/config") or {}
        same = found.get("kubernetes_host") == host and (found.get("kubernetes_ca_cert") or "").strip() == ca.strip()
        if changed or not same or not found.get("token_reviewer_jwt_set", True):
            config = {"kubernetes_host": host, "kubernetes_ca_cert": ca, "token_reviewer_jwt": token}
            self._vault.put(f"auth/{mount}/config", {**config, "disable_local_ca_jwt": True})
            changed = True
        return Done(changed=changed)

    @activity.defn(name="vault.verify_login")
    def verify_login(self, input: ClusterAuth) -> Done:
        """Check that a service account of the cluster can log in. Idempotent: the role it makes for that is removed."""
        namespace, name = REVIEWER
        role = f"auth/{input.cluster}/role/{PROBE_ROLE}"
        bound = {"bound_service_account_names": [name], "bound_service_account_namespaces": [namespace]}
        self._vault.put(role, {**bound, "token_policies": ["default"], "token_ttl": "1m"})
        try:
            path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
            request = {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": 600},
            }
            jwt = str(self._clusters.get(input.kubeconfig).create(path, request)["status"]["token"])
            self._vault.login_kubernetes(input.cluster, PROBE_ROLE, jwt)
        except Forbidden as error:
            # Vault says "permission denied" as well when it cannot reach the cluster to have the token reviewed.
            if elapsed() < LOGIN_TIMEOUT:
                raise Unavailable("vault-login", error.message) from error
            raise
        finally:
            self._vault.remove(role)
        return Done(changed=False)

    @activity.defn(name="vault.drop_auth")
    def drop_auth(self, cluster: str) -> bool:
        """Remove the cluster's auth mount, roles included. Idempotent: not there is success."""
        if f"{cluster}/" not in self._vault.mounts("auth"):
            return False
        self._vault.unmount_auth(cluster)
        return True

    @activity.defn(name="vault.drop_cluster")
    def drop_cluster(self, cluster: str) -> Gone:
        """Remove auth mount, kubeconfig and policy of a cluster. Idempotent: what is not there is success."""
        removed = self.drop_auth(cluster)
        removed |= self._vault.delete("cluster", names.kubeconfig_path(cluster))
        removed |= self._vault.remove(f"sys/policies/acl/{names.kubeconfig_policy(cluster)}")
        return Gone(removed=removed)

    # Roles of runtimes

    @activity.defn(name="vault.ensure_runtime_role")
    def ensure_runtime_role(self, input: RuntimeRole) -> Done:
        """A runtime's role on its cluster's mount. Idempotent: compared first."""
        path = f"auth/{input.mount}/role/{input.role}"
        wanted = names.runtime_role(input.service_account, input.namespaces, input.repositories, input.writable)
        found = self._vault.get(path) or {}
        if found and _agrees(found, wanted):
            return Done(changed=False)
        self._vault.put(path, wanted)
        return Done(changed=True)

    @activity.defn(name="vault.drop_runtime_role")
    def drop_runtime_role(self, input: RoleName) -> Gone:
        """Remove a runtime's role. Idempotent: not there is success."""
        return Gone(removed=self._vault.remove(f"auth/{input.mount}/role/{input.role}"))


def _agrees(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    lists = ("bound_service_account_names", "bound_service_account_namespaces", "token_policies")
    return all(sorted(found.get(name) or []) == sorted(wanted[name]) for name in lists)


def at_server(kubeconfig: str, server: str) -> str:
    """The kubeconfig with the first cluster's address replaced by the declared one."""
    (data,) = read(kubeconfig.encode())
    if server:
        data["clusters"][0]["cluster"]["server"] = server
    return text_of(data, ascii=True)
