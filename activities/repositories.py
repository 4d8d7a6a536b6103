"""A repository with its deploy keys, access token and webhook, whose secrets go to Vault in the same activity and nowhere else.

Called by the change workflow. Where something may be there already, a secret that we make is written to Vault before GitLab
learns of it: a crash in between leaves something that the next attempt completes. How keys and tokens come about is in
activities/keys.py and activities/access_tokens.py.
"""

from __future__ import annotations

import base64
import os
from typing import Any

from temporalio import activity

from activities.access_tokens import AccessTokens
from activities.concurrency import Heartbeat
from activities.concurrency import each as side_by_side
from activities.gitlab import ensure_project, remove, retried
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
    RepositoriesReady,
    RepositoryDeletion,
    RepositoryReady,
    RepositorySetup,
    RepositorySetups,
    TokenInput,
    TokenState,
    WithdrawInput,
)
from nautes.messages.secrets import SecretRef
from nautes.messages.vault import RepositorySecrets
from nautes.planning.known import Lifetime
from nautes.planning.steps import Effect

AT_ONCE = 8  # repositories that are set up side by side
A_YEAR = 365  # days: as long as GitLab lets a token live, where keys live for ever
ACTIONS = {"created": "create", "changed": "change"}
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

    def __init__(self, gitlab: GitLab, vault: Vault, hooks_url: str = "", lifetime: Lifetime | None = None) -> None:
        """`hooks_url` is where GitLab reaches our receiver; "/<project id>" is appended. `lifetime`: of keys and tokens."""
        self._gitlab = gitlab
        self._vault = vault
        self._hooks_url = hooks_url
        self._lifetime = lifetime or Lifetime()
        self._keys = Keys(gitlab, vault)
        self._tokens = AccessTokens(gitlab, vault)

    @activity.defn(name="repositories.ensure")
    def ensure_all(self, input: RepositorySetups) -> RepositoriesReady:
        """Repositories as declared, a few at a time. Idempotent: each is, and what an earlier attempt finished stays as it was.

        The heartbeat's details are what is ready. Raises the first error, when those under way have ended.
        """
        ready, heartbeat = _ready_already(), Heartbeat()

        def work(setup: RepositorySetup) -> RepositoryReady:
            path = f"{setup.group}/{setup.path}"
            if path not in ready:
                ready[path] = self.ensure(setup)
            return ready[path]

        try:
            return RepositoriesReady(
                repositories=side_by_side(
                    work, input.repositories, lambda *_: heartbeat(_dumped(ready)), at_once=AT_ONCE
                )
            )
        finally:
            heartbeat.now(_dumped(ready))  # the next attempt, if there is one, reports what this one has done

    def ensure(self, input: RepositorySetup) -> RepositoryReady:
        """One repository, with deploy keys, access token and webhook. Idempotent: each is looked for, unless it is new.

        What is `new` is created without looking first, in the first attempt: three calls less for each of them.
        """
        path, effects = f"{input.group}/{input.path}", list[Effect]()
        if input.settings or not input.project_id:
            state = ensure_project(self._gitlab, input)
            number, new, created = state.id, state.untouched, state.made == "created"
            effects += _done("gitlab", state.made, f"repository {path}")
        else:
            number, new, created = input.project_id, False, False
        life = self._lifetime
        keys = KeysInput(
            project_id=number, permissions=input.permissions, new=new, days=life.days, renew_before=life.renew_before
        )
        made = self.ensure_keys(keys)
        ends = [made.expires_at]
        for permission in made.created:
            effects += _credential("created", f"deploy key {permission} of {path}", policy=True)
        if input.api_access:
            token = TokenInput(project_id=number, new=new, days=life.days or A_YEAR, renew_before=life.renew_before)
            given = self.ensure_token(token)
            effects += _credential(given.made, f"access token of {path}", policy=True)
            ends.append(given.expires_at)
        hook = HookInput(project_id=number, url=f"{self._hooks_url}/{number}", events=input.events, new=new)
        effects += _credential(self.ensure_hook(hook).made, f"webhook of {path}", policy=False)
        return RepositoryReady(
            id=number,
            path=path,
            created=created,
            effects=effects,
            expires_at=min(filter(None, ends), default=""),
            retried=retried(),
        )

    @activity.defn(name="repositories.delete")
    def delete(self, input: RepositoryDeletion) -> Gone:
        """A repository and its secrets go for good. Idempotent: what is not there is success; found by path, else by id."""
        found = self._gitlab.project(input.path)
        if found is None and input.project_id:  # a first attempt may have renamed it already
            found = self._gitlab.find(f"/projects/{input.project_id}")
        if found is not None and input.ours and found.get("creator_id") != self._gitlab.get("/user")["id"]:
            return Gone(removed=False)  # somebody else has made one of that path meanwhile
        if found is not None and not _is(found, input.path):
            return Gone(removed=False)  # the id is another project's by now
        number = int(found["id"]) if found is not None else input.project_id
        if not number:
            return Gone(removed=False)
        self.drop_secrets(RepositorySecrets(project_id=number))
        return Gone(removed=remove(self._gitlab, "projects", "path_with_namespace", number))

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
        return self._keys.agree(input).model_copy(update={"retried": retried()})

    def ensure_token(self, input: TokenInput) -> TokenState:
        """A project access token that is good for a while yet. Idempotent: Vault remembers which one; others of its name go.

        When nothing differs: one call to GitLab, two to Vault.
        """
        return self._tokens.ensure(input)

    @activity.defn(name="repositories.ensure_hook")
    def ensure_hook(self, input: HookInput) -> HookState:
        """Our webhook, its secret in Vault. Idempotent: found by address; Vault remembers which hook has the secret."""
        path = names.hook_path(input.project_id)
        if input.new:  # if this is interrupted the next attempt looks, and gives the webhook another secret
            token = _secret()
            made_now = self._gitlab.post(f"/projects/{input.project_id}/hooks", **self._hook_body(input, token))
            self._vault.write("git", path, {"token": token, "hook": str(made_now["id"])})
            return HookState(id=int(made_now["id"]), made="created")
        values = self._vault.read(SecretRef(engine="git", path=path))
        if values is None:
            values = {"token": _secret(), "hook": ""}
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

        Three calls to GitLab when nothing is there. The secrets go last: an interrupted withdrawal finds what is left.
        """
        try:
            removed = self._keys.withdraw(input.project_id)
            removed |= self._tokens.withdraw(input.project_id)
            removed |= self._withdraw_hooks(input)
        except NotFound:
            removed = False  # no such repository
        secrets = self.drop_secrets(RepositorySecrets(project_id=input.project_id))
        return Gone(removed=removed or secrets.removed, retried=retried())

    def _withdraw_hooks(self, input: WithdrawInput) -> bool:
        base = f"/projects/{input.project_id}/hooks"
        found = self._gitlab.pages(base) if self._hooks_url else []
        ours = [each["id"] for each in found if str(each["url"]).startswith(self._hooks_url)]
        gone = [self._gitlab.delete(f"{base}/{each}") for each in ours]
        return any(gone)

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


def _is(project: Any, path: str) -> bool:
    """Whether this is the project of that path, be it renamed by GitLab because it was marked for deletion."""
    full = str(project["path_with_namespace"])
    return full.lower() == path.lower() or full.lower().startswith(f"{path.lower()}-deletion_scheduled-")


def _ready_already() -> dict[str, RepositoryReady]:
    """What earlier attempts of this activity have finished, by full path."""
    details = activity.info().heartbeat_details if activity.in_activity() else ()
    found = [RepositoryReady.model_validate(each) for each in (details[0] if details else [])]
    return {each.path: each for each in found}


def _dumped(ready: dict[str, RepositoryReady]) -> list[dict[str, Any]]:
    return [each.model_dump() for each in list(ready.values())]


def _secret() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def _done(system: str, made: Made, target: str) -> list[Effect]:
    """One effect, none where nothing had to be done."""
    if made == "unchanged":
        return []
    return [Effect.model_validate({"system": system, "action": ACTIONS[made], "target": target})]


def _credential(made: Made, target: str, *, policy: bool) -> list[Effect]:
    """A credential in GitLab, with its secret and the policy that opens it in Vault."""
    found = _done("gitlab", made, target) + _done("vault", made, f"secret {target}")
    return found + (_done("vault", made, f"policy {target}") if policy else [])
