"""A repository's doors: deploy keys, access token and webhook, whose secrets go to Vault in the same activity and nowhere else.

Called by the tenant and change workflows. Where we make the secret (keys, webhook) it is written to Vault before GitLab learns of
it, so that a crash in between leaves something the next try completes, never a key whose private half is lost. How keys and
tokens come about is in activities/keys.py and activities/access_tokens.py.
"""

from __future__ import annotations

import base64
import os
from typing import Any

from temporalio import activity

from activities.access_tokens import AccessTokens
from activities.keys import Keys
from nautes.blueprints import vault as names
from nautes.blueprints.keys import PERMISSIONS
from nautes.clients.gitlab import GitLab
from nautes.clients.vault import Vault
from nautes.messages.errors import NotFound
from nautes.messages.gitlab import (
    ForeignKeysInput,
    ForeignKeysState,
    Gone,
    HookInput,
    HookState,
    KeysInput,
    KeysState,
    Made,
    TokenInput,
    TokenState,
    WithdrawInput,
)
from nautes.messages.secrets import SecretRef
from nautes.messages.vault import RepositorySecrets

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
        self._keys = Keys(gitlab, vault)
        self._tokens = AccessTokens(gitlab, vault)

    @activity.defn(name="repositories.ensure_keys")
    def ensure_keys(self, input: KeysInput) -> KeysState:
        """Deploy keys with their private halves in Vault. Idempotent: key by title and public half, secret by path.

        When nothing differs: one call to GitLab, two to Vault per permission.
        """
        return self._keys.ensure(input)

    @activity.defn(name="repositories.ensure_foreign_keys")
    def ensure_foreign_keys(self, input: ForeignKeysInput) -> ForeignKeysState:
        """Which keys of other repositories open this one. Idempotent: by public half, only the difference is written.

        When nothing differs: one call to GitLab, one to Vault per key that is wanted.
        """
        return self._keys.agree(input)

    @activity.defn(name="repositories.ensure_token")
    def ensure_token(self, input: TokenInput) -> TokenState:
        """A project access token that is good for a while yet. Idempotent: Vault remembers which one; others of its name go.

        When nothing differs: one call to GitLab, two to Vault.
        """
        return self._tokens.ensure(input)

    @activity.defn(name="repositories.ensure_hook")
    def ensure_hook(self, input: HookInput) -> HookState:
        """Our webhook, its secret in Vault. Idempotent: found by address; Vault remembers which hook has the secret."""
        path = names.hook_path(input.project_id)
        values = self._vault.read(SecretRef(engine="git", path=path))
        if values is None:
            values = {"token": base64.b64encode(os.urandom(32)).decode(), "hook": ""}
            self._vault.write("git", path, values)
        base = f"/projects/{input.project_id}/hooks"
        found = next((each for each in self._gitlab.pages(base) if each["url"] == input.url), None)
        body = self._hook_body(input, str(values["token"]))
        made: Made = "unchanged"
        if found is None:
            found, made = self._gitlab.post(base, **body), "created"
        elif str(values.get("hook")) != str(found["id"]) or any(
            bool(found.get(name)) != (name in input.events) for name in HOOK_EVENTS
        ):
            found, made = self._gitlab.put(f"{base}/{found['id']}", **body), "changed"
        if str(values.get("hook")) != str(found["id"]):
            self._vault.write("git", path, {**values, "hook": str(found["id"])})
        return HookState(id=int(found["id"]), made=made)

    def _hook_body(self, input: HookInput, token: str) -> dict[str, Any]:
        events = {name: name in input.events for name in HOOK_EVENTS}
        # Both forms of the same secret: newer GitLab signs with the second, older ones send the first.
        return {"url": input.url, "token": token, "signing_token": f"whsec_{token}", **events}

    @activity.defn(name="repositories.withdraw")
    def withdraw(self, input: WithdrawInput) -> Gone:
        """Every key, token and webhook of ours in a repository. Idempotent: what is not there is success.

        Three calls to GitLab when nothing is there. The secrets are left to `repositories.drop_secrets`.
        """
        try:
            removed = self._keys.withdraw(input.project_id)
            removed |= self._tokens.withdraw(input.project_id)
            return Gone(removed=self._withdraw_hooks(input) or removed)
        except NotFound:
            return Gone(removed=False)  # no such repository

    def _withdraw_hooks(self, input: WithdrawInput) -> bool:
        base = f"/projects/{input.project_id}/hooks"
        found = self._gitlab.pages(base) if input.hooks_url else []
        ours = [each["id"] for each in found if str(each["url"]).startswith(input.hooks_url)]
        gone = [self._gitlab.delete(f"{base}/{each}") for each in ours]
        return any(gone)

    @activity.defn(name="repositories.drop_secrets")
    def drop_secrets(self, input: RepositorySecrets) -> Gone:
        """Every secret and policy of a repository. Idempotent: what is not there is success.

        Seven calls to Vault when nothing is there.
        """
        number = input.project_id
        removed = self._vault.delete("git", names.hook_path(number))
        kept = [(names.key_path(number, each), names.key_policy(number, each)) for each in PERMISSIONS]
        for path, policy in [*kept, (names.token_path(number), names.token_policy(number))]:
            removed |= self._vault.delete("git", path)
            removed |= self._vault.remove(f"sys/policies/acl/{policy}")
        return Gone(removed=removed)
