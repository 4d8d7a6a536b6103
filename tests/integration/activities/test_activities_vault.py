"""Kubeconfigs, auth mounts and roles in Vault: looked at first, written once, whole after a failure at any call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import yaml

from activities.vault import VaultActivities
from nautes.blueprints import vault as names
from nautes.messages.errors import NotFound, Refused
from nautes.messages.secrets import SecretRef
from nautes.messages.vault import ClusterAuth, KubeconfigInput, KubeconfigUndo, RoleName, RuntimeRole
from tests.contract.gitlab.support import unique
from tests.integration.activities.support import NOTHING, Systems, survives

SERVER = "https://declared.example.com:6443"
NOWHERE = SecretRef(engine="cluster", path="staging/nothing")


def _kubeconfig(server: str, secret: str) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": secret}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
    )


def _staged(systems: Systems, cluster: str = "", secret: str = "secret-1") -> KubeconfigInput:
    text = _kubeconfig("https://given.example.com", secret)
    ref = systems.bao.look.write("cluster", f"staging/{unique('upload')}", {"kubeconfig": text})
    return KubeconfigInput(cluster=cluster or unique("cluster"), staged=ref, server=SERVER)


def _stored(systems: Systems, input: KubeconfigInput) -> Any:
    """(token, address) of the stored kubeconfig, its newest version, whether its policy and the staged one are there."""
    vault = systems.bao.look
    path = names.kubeconfig_path(input.cluster)
    found = vault.read(SecretRef(engine="cluster", path=path))
    policy = vault.get(f"sys/policies/acl/{names.kubeconfig_policy(input.cluster)}") is not None
    staged = vault.read(input.staged) is not None
    if found is None:
        return None, None, policy, staged
    data = yaml.safe_load(found["kubeconfig"])
    shown = data["users"][0]["user"]["token"], data["clusters"][0]["cluster"]["server"]
    return shown, vault.version("cluster", path), policy, staged


def test_the_engines_are_mounted_once(systems: Systems, vault_activities: VaultActivities) -> None:
    assert {f"{each}/" for each in names.ENGINES} <= set(systems.bao.look.mounts("mounts"))
    assert systems.written_by(lambda: vault_activities.ensure_tenant("nautes")) == NOTHING


def test_a_staged_kubeconfig_moves_to_its_place_with_the_declared_address(
    systems: Systems, vault_activities: VaultActivities
) -> None:
    input = _staged(systems)
    state = vault_activities.store_kubeconfig(input)
    assert (state.previous, state.changed) == (None, True)
    assert _stored(systems, input) == (("secret-1", SERVER), 1, True, False)
    assert vault_activities.kubeconfig_ref(input.cluster) == state.secret
    assert "secret-1" not in state.model_dump_json()
    assert systems.written_by(lambda: vault_activities.store_kubeconfig(input)) == NOTHING


def test_what_stays_staged_is_forgotten_after_a_while(systems: Systems, vault_activities: VaultActivities) -> None:
    input = _staged(systems)
    vault_activities.discard_forgotten(1)
    assert _stored(systems, input)[3], "it was staged just now"
    assert vault_activities.discard_forgotten(0).changed
    assert not _stored(systems, input)[3]
    assert systems.written_by(lambda: vault_activities.discard_forgotten(0)) == NOTHING


def test_the_same_kubeconfig_is_no_new_version_and_another_is(
    systems: Systems, vault_activities: VaultActivities
) -> None:
    input = _staged(systems)
    vault_activities.store_kubeconfig(input)
    assert vault_activities.store_kubeconfig(_staged(systems, input.cluster)).changed is False
    changed = vault_activities.store_kubeconfig(_staged(systems, input.cluster, "secret-2"))
    assert (changed.previous, changed.secret.version) == (1, 2)


def test_storing_a_kubeconfig_survives_a_failure_at_every_call(
    systems: Systems, vault_activities: VaultActivities
) -> None:
    failed = survives(
        systems,
        lambda: _staged(systems),
        vault_activities.store_kubeconfig,
        lambda input: _stored(systems, input),
        within=("vault",),
    )
    assert failed >= 14


def test_a_kubeconfig_that_is_neither_staged_nor_stored_is_not_found(
    systems: Systems, vault_activities: VaultActivities
) -> None:
    input = _staged(systems)
    assert vault_activities.discard(input.staged) is True
    assert vault_activities.discard(input.staged) is False
    with pytest.raises(NotFound, match="kubeconfig-missing"):
        vault_activities.store_kubeconfig(input)
    with pytest.raises(NotFound, match="kubeconfig-missing"):
        vault_activities.kubeconfig_ref(input.cluster)


def test_only_what_is_staged_is_discarded(systems: Systems, vault_activities: VaultActivities) -> None:
    input = _staged(systems)
    secret = vault_activities.store_kubeconfig(input).secret
    with pytest.raises(Refused, match="not-staged"):
        vault_activities.discard(secret)
    assert vault_activities.kubeconfig_ref(input.cluster) == secret


def test_the_undo_of_a_first_kubeconfig_removes_it_and_of_a_later_one_puts_the_old_one_back(
    systems: Systems, vault_activities: VaultActivities
) -> None:
    input = _staged(systems)
    vault_activities.store_kubeconfig(input)
    vault_activities.store_kubeconfig(_staged(systems, input.cluster, "secret-2"))
    back = KubeconfigUndo(cluster=input.cluster, previous=1)
    assert vault_activities.undo_kubeconfig(back) is True
    assert _stored(systems, input)[0] == ("secret-1", SERVER)
    assert systems.written_by(lambda: vault_activities.undo_kubeconfig(back)) == NOTHING
    gone = KubeconfigUndo(cluster=input.cluster, previous=None)
    assert vault_activities.undo_kubeconfig(gone) is True
    assert _stored(systems, input) == (None, None, False, False)
    assert systems.written_by(lambda: vault_activities.undo_kubeconfig(gone)) == NOTHING


@pytest.mark.parametrize("previous", [None, 1])
def test_the_undo_survives_a_failure_at_every_call(
    systems: Systems, vault_activities: VaultActivities, previous: int | None
) -> None:
    def arrange() -> KubeconfigInput:
        input = KubeconfigInput(cluster=unique("cluster"), staged=NOWHERE, server=SERVER)
        for secret in ("secret-1", "secret-2"):
            values = {"kubeconfig": _kubeconfig(SERVER, secret)}
            systems.bao.look.write("cluster", names.kubeconfig_path(input.cluster), values)
        systems.bao.look.ensure_policy(names.kubeconfig_policy(input.cluster), names.kubeconfig_reader(input.cluster))
        return input

    def undo(input: KubeconfigInput) -> None:
        vault_activities.undo_kubeconfig(KubeconfigUndo(cluster=input.cluster, previous=previous))

    failed = survives(systems, arrange, undo, lambda input: _stored(systems, input), within=("vault",))
    assert failed >= 6


# Auth mounts: the cluster's side is one Secret, which a server of our own answers.


@pytest.fixture
def reviewer() -> Iterator[str]:
    """Address of an API server that has issued the token of its reviewer."""
    secret = {"data": {"token": "cmV2aWV3ZXI=", "ca.crt": "Q0E="}}  # "reviewer", "CA"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(secret).encode()
            self.send_response(200 if self.path.endswith("/namespaces/vault/secrets/vault-auth-token") else 404)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _registered(systems: Systems, server: str) -> ClusterAuth:
    cluster = unique("cluster")
    values = {"kubeconfig": _kubeconfig(server, "admin")}
    ref = systems.bao.look.write("cluster", names.kubeconfig_path(cluster), values)
    return ClusterAuth(cluster=cluster, kubeconfig=ref)


def _auth(systems: Systems, input: ClusterAuth) -> Any:
    vault = systems.bao.look
    found = vault.get(f"auth/{input.cluster}/config") or {}
    mounted = f"{input.cluster}/" in vault.mounts("auth")
    return mounted, found.get("kubernetes_host"), found.get("kubernetes_ca_cert"), found.get("token_reviewer_jwt_set")


def test_a_cluster_gets_its_mount_and_loses_it(
    systems: Systems, vault_activities: VaultActivities, reviewer: str
) -> None:
    input = _registered(systems, reviewer)
    assert vault_activities.ensure_cluster_auth(input).changed is True
    assert _auth(systems, input) == (True, reviewer, "CA", True)
    assert systems.written_by(lambda: vault_activities.ensure_cluster_auth(input)) == NOTHING
    assert vault_activities.drop_cluster(input.cluster).removed is True
    assert _auth(systems, input)[0] is False
    assert systems.bao.look.read(input.kubeconfig) is None
    assert systems.written_by(lambda: vault_activities.drop_cluster(input.cluster)) == NOTHING
    assert vault_activities.drop_cluster(input.cluster).removed is False


def test_the_mount_and_its_removal_survive_a_failure_at_every_call(
    systems: Systems, vault_activities: VaultActivities, reviewer: str
) -> None:
    def arrange() -> ClusterAuth:
        input = _registered(systems, reviewer)
        vault_activities.ensure_cluster_auth(input)
        return input

    def drop(input: ClusterAuth) -> None:
        vault_activities.drop_cluster(input.cluster)

    look = lambda input: _auth(systems, input)  # noqa: E731 - the same for both
    ensure = vault_activities.ensure_cluster_auth
    assert survives(systems, lambda: _registered(systems, reviewer), ensure, look, within=("vault",)) >= 8
    assert survives(systems, arrange, drop, look, within=("vault",)) >= 8


def _role(systems: Systems, mount: str, **more: Any) -> RuntimeRole:
    values = {"role": unique("product-1"), "service_account": "web", "namespaces": ["b", "a"], "repositories": [2, 1]}
    return RuntimeRole.model_validate({"mount": mount, **values, **more})


def test_a_runtime_role_binds_an_account_to_the_keys_it_may_read(
    systems: Systems, vault_activities: VaultActivities, reviewer: str
) -> None:
    auth = _registered(systems, reviewer)
    vault_activities.ensure_cluster_auth(auth)
    role = _role(systems, auth.cluster, writable=[3])
    assert vault_activities.ensure_runtime_role(role).changed is True
    found = systems.bao.look.get(f"auth/{auth.cluster}/role/{role.role}") or {}
    assert found["bound_service_account_names"] == ["web"]
    assert sorted(found["bound_service_account_namespaces"]) == ["a", "b"]
    keys = [names.key_policy(1, "readonly"), names.key_policy(2, "readonly"), names.key_policy(3, "readwrite")]
    assert sorted(found["token_policies"]) == keys
    assert systems.written_by(lambda: vault_activities.ensure_runtime_role(role)) == NOTHING
    less = role.model_copy(update={"repositories": [1], "writable": []})
    assert vault_activities.ensure_runtime_role(less).changed is True
    found = systems.bao.look.get(f"auth/{auth.cluster}/role/{role.role}") or {}
    assert found["token_policies"] == keys[:1]


def test_a_runtime_role_goes_and_not_there_is_success(
    systems: Systems, vault_activities: VaultActivities, reviewer: str
) -> None:
    auth = _registered(systems, reviewer)
    vault_activities.ensure_cluster_auth(auth)
    role = _role(systems, auth.cluster)
    name = RoleName(mount=role.mount, role=role.role)
    vault_activities.ensure_runtime_role(role)
    assert vault_activities.drop_runtime_role(name).removed is True
    assert systems.written_by(lambda: vault_activities.drop_runtime_role(name)) == NOTHING
    vault_activities.drop_auth(auth.cluster)
    assert vault_activities.drop_runtime_role(name).removed is False
