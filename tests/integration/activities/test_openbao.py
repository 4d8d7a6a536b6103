"""OpenBao as the sandbox runs it: it survives a kill, unseals itself, and grants no unneeded right."""

from __future__ import annotations

from collections.abc import Iterator

import hvac
import pytest

from activities.vault import VaultActivities
from nautes.clients.kubernetes import Clusters
from nautes.messages.errors import Forbidden
from nautes.messages.secrets import SecretRef
from tests.contract.gitlab.support import unique
from tests.integration.activities.support import Bao, Systems


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """An OpenBao of its own, to be killed."""
    with Bao(tmp_path_factory.mktemp("own")) as bao:
        yield bao


def test_a_kill_loses_nothing_and_the_same_client_goes_on(own: Bao) -> None:
    vault = own.vault()
    VaultActivities(vault, Clusters(vault.kubeconfig)).ensure_tenant("nautes")
    ref = vault.write("git", "kept", {"value": "secret"})
    vault.ensure_policy("gitlab-repo-1-default-readonly", 'path "git/data/x" { capabilities = ["read"] }')
    own.crash()
    assert vault.value(ref, "value") == "secret"
    assert vault.get("sys/policies/acl/gitlab-repo-1-default-readonly") is not None
    assert vault.write("git", "kept", {"value": "new"}).version == 2
    assert hvac.Client(url=own.url).sys.read_seal_status()["sealed"] is False


def test_secrets_lie_encrypted_and_keys_are_ours_alone(own: Bao) -> None:
    vault = own.vault()
    VaultActivities(vault, Clusters(vault.kubeconfig)).ensure_tenant("nautes")
    secret = unique("secret-value")
    vault.write("git", "x", {"value": secret})
    files = [each for each in own.directory.rglob("*") if each.is_file()]
    assert not [each for each in files if secret.encode() in each.read_bytes()]
    for each in (own.directory / "seal.key", own.directory / "nautes.secret-id", own.directory / "openbao.hcl"):
        assert each.stat().st_mode & 0o077 == 0, each


@pytest.fixture(scope="module")
def worker(systems: Systems, vault_activities: VaultActivities) -> hvac.Client:
    return systems.bao.client(systems.bao.logins.platform)


@pytest.fixture(scope="module")
def api(systems: Systems, vault_activities: VaultActivities) -> hvac.Client:
    return systems.bao.client(systems.bao.logins.api)


def _may(client: hvac.Client, path: str) -> set[str]:
    """What the token may do there, as OpenBao itself judges; nothing is touched."""
    answer = client.write_data("sys/capabilities-self", data={"paths": [path]})
    return set(answer["data"][path])


@pytest.mark.parametrize(
    "path",
    [
        "git/data/gitlab/repo-1/default/readonly",
        "git/data/gitlab/repo-1/default/readwrite",
        "git/metadata/gitlab",
        "cluster/data/kubernetes/c/default/admin",
        "cluster/metadata/staging/x",
        "sys/policies/acl/nautes-api",
        "sys/mounts",
        "sys/auth",
        "auth/approle/role",
        "auth/token/create",
    ],
)
def test_the_api_cannot_touch(api: hvac.Client, path: str) -> None:
    assert _may(api, path) == {"deny"}


def test_the_api_stages_what_it_cannot_read_and_reads_what_it_cannot_change(api: hvac.Client) -> None:
    assert _may(api, "cluster/data/staging/x") == {"create", "update"}
    assert _may(api, "cluster/metadata/kubernetes/edge/default/admin") == {"read"}, "what is noted, not what is secret"
    assert _may(api, "git/data/gitlab/repo-1/default/webhook") == {"read"}


def test_the_api_can_do_its_work_and_is_refused_the_rest(systems: Systems, vault_activities: VaultActivities) -> None:
    api, worker = systems.bao.vault(systems.bao.logins.api), systems.bao.vault()
    staged = api.write("cluster", f"staging/{unique('upload')}", {"kubeconfig": "k"})
    assert worker.value(staged, "kubeconfig") == "k"
    with pytest.raises(Forbidden):
        api.read(staged)
    secret = SecretRef(engine="git", path=f"gitlab/{unique('repo')}/default/webhook")
    worker.write("git", secret.path, {"token": "t"})
    assert api.value(secret, "token") == "t"
    with pytest.raises(Forbidden):
        api.write("git", secret.path, {"token": "theirs"})


@pytest.mark.parametrize(
    "path",
    [
        "auth/approle/role",
        "auth/approle/role/nautes-api",
        "auth/approle/role/nautes-api/secret-id",
        "sys/audit",
        "sys/audit/other",
        "sys/raw/core",
        "sys/storage/raft/snapshot",
        "sys/seal",
        "sys/rotate",
        "sys/generate-root/attempt",
        "identity/entity/id",
        "other/data/x",
    ],
)
def test_the_worker_cannot_touch(worker: hvac.Client, path: str) -> None:
    assert _may(worker, path) == {"deny"}


def test_the_worker_mounts_engines_and_never_takes_one_away(worker: hvac.Client) -> None:
    assert _may(worker, "sys/mounts/git") == {"create", "read", "update"}


@pytest.mark.parametrize(
    "path",
    [
        "sys/policies/acl/nautes",
        "sys/policies/acl/nautes-api",
        "sys/policies/acl/default",
        "sys/auth/approle",
        "sys/auth/token",
        "auth/token/create",
        "auth/token/revoke",
    ],
)
def test_the_worker_cannot_give_itself_more(worker: hvac.Client, path: str) -> None:
    assert _may(worker, path) == {"deny"}


@pytest.mark.parametrize("name", ["gitlab-repo-1-default-readonly", "kubernetes-deploy-default-admin"])
def test_the_worker_writes_the_policies_that_are_its_work(worker: hvac.Client, name: str) -> None:
    assert {"create", "read", "update", "delete"} <= _may(worker, f"sys/policies/acl/{name}")
