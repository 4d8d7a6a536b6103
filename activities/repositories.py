"""A repository's doors: deploy keys and webhook, whose secrets go to Vault in the same activity and nowhere else.

Called by the tenant and change workflows. The secret is written to Vault before GitLab learns of it, so that a crash in
between leaves something the next try completes, never a key whose private half is lost.
"""

from __future__ import annotations

import base64
import os
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from temporalio import activity

from blueprints import vault as names
from clients.gitlab import GitLab
from clients.vault import Vault
from contracts.gitlab import Gone, HookOrder, HookState, KeysOrder, KeysState, Made
from contracts.secrets import SecretRef
from contracts.vault import RepositorySecrets

HOOK_EVENTS = (
    "push_events",
    "tag_push_events",
    "merge_requests_events",
    "issues_events",
    "confidential_issues_events",
    "note_events",
    "confidential_note_events",
    "job_events",
    "pipeline_events",
    "deployment_events",
    "releases_events",
)


class RepositoryActivities:
    """GitLab and Vault together."""

    def __init__(self, gitlab: GitLab, vault: Vault) -> None:
        self._gitlab = gitlab
        self._vault = vault

    @activity.defn(name="repositories.ensure_keys")
    def ensure_keys(self, order: KeysOrder) -> KeysState:
        """Deploy keys with their private halves in Vault. Idempotent: key by title and public half, secret by path."""
        present = self._gitlab.pages(f"/projects/{order.project_id}/deploy_keys")
        made: Made = "unchanged"
        secrets = []
        for permission in order.permissions:
            secret, changed = self._ensure_key(order.project_id, permission, present)
            secrets.append(secret)
            made = "created" if changed else made
        return KeysState(made=made, secrets=secrets)

    def _ensure_key(self, project_id: int, permission: str, present: list[Any]) -> tuple[SecretRef, bool]:
        path, title = names.key_path(project_id, permission), f"repo-{project_id}-{permission}"
        ref = SecretRef(engine="git", path=path)
        values = self._vault.read(ref)
        changed = values is None
        if values is None:
            private, public = key_pair(title)
            values = {"deploykey": private, "fingerprint": public, "id": ""}
            ref = self._vault.write("git", path, values)
        public = str(values["fingerprint"])
        same = [each for each in present if _material(each["key"]) == _material(public)]
        for stale in (each for each in present if each["title"] == title and each not in same):
            self._gitlab.delete(f"/projects/{project_id}/deploy_keys/{stale['id']}")
            changed = True
        push = permission == "readwrite"
        if same:
            key = same[0]
        else:
            key = self._gitlab.post(f"/projects/{project_id}/deploy_keys", title=title, key=public, can_push=push)
            changed = True
        if bool(key["can_push"]) != push:
            self._gitlab.put(f"/projects/{project_id}/deploy_keys/{key['id']}", can_push=push)
            changed = True
        if str(values.get("id")) != str(key["id"]):
            ref = self._vault.write("git", path, {**values, "id": str(key["id"])})
        self._vault.ensure_policy(names.key_policy(project_id, permission), names.reader("git", path))
        return ref, changed

    @activity.defn(name="repositories.ensure_hook")
    def ensure_hook(self, order: HookOrder) -> HookState:
        """Our webhook, its secret in Vault. Idempotent: found by address; Vault remembers which hook has the secret."""
        path = names.hook_path(order.project_id)
        values = self._vault.read(SecretRef(engine="git", path=path))
        if values is None:
            values = {"token": base64.b64encode(os.urandom(32)).decode(), "hook": ""}
            self._vault.write("git", path, values)
        base = f"/projects/{order.project_id}/hooks"
        found = next((each for each in self._gitlab.pages(base) if each["url"] == order.url), None)
        body = self._hook_body(order, str(values["token"]))
        made: Made = "unchanged"
        if found is None:
            found, made = self._gitlab.post(base, **body), "created"
        elif str(values.get("hook")) != str(found["id"]) or any(
            bool(found.get(name)) != (name in order.events) for name in HOOK_EVENTS
        ):
            found, made = self._gitlab.put(f"{base}/{found['id']}", **body), "changed"
        if str(values.get("hook")) != str(found["id"]):
            self._vault.write("git", path, {**values, "hook": str(found["id"])})
        return HookState(id=int(found["id"]), made=made)

    def _hook_body(self, order: HookOrder, token: str) -> dict[str, Any]:
        events = {name: name in order.events for name in HOOK_EVENTS}
        # Both forms of the same secret: newer GitLab signs with the second, older ones send the first.
        return {"url": order.url, "token": token, "signing_token": f"whsec_{token}", **events}

    @activity.defn(name="repositories.drop_secrets")
    def drop_secrets(self, order: RepositorySecrets) -> Gone:
        """Every secret and policy of a repository. Idempotent: what is not there is success."""
        removed = self._vault.delete("git", names.hook_path(order.project_id))
        for permission in ("readonly", "readwrite"):
            removed |= self._vault.delete("git", names.key_path(order.project_id, permission))
            removed |= self._vault.remove(f"sys/policies/acl/{names.key_policy(order.project_id, permission)}")
        return Gone(removed=removed)


def key_pair(comment: str) -> tuple[str, str]:
    """(private key in OpenSSH's format, public key with comment), made in this process."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return private, f"{public} {comment}"


def _material(key: str) -> str:
    """A public key without its comment."""
    return " ".join(str(key).split()[:2])
