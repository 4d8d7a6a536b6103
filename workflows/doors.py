"""A repository's doors: its deploy keys, its access token, its webhook, and the keys of others that fit.

Used by the change workflow and by what follows a commit (workflows/settlement.py). Secrets go to Vault inside the activities.
"""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.repositories import RepositoryActivities
    from nautes.messages.declarations import Lifetime, RepositoryAccess
    from nautes.messages.gitlab import ForeignKeysInput, HookInput, KeysInput, TokenInput, WithdrawInput
    from nautes.messages.vault import RepositorySecrets
    from workflows.effects import perform
    from workflows.record import Record

DECLARATION = "default.project"
DECLARATION_EVENTS = ["push_events"]
A_YEAR = 365  # days: as long as GitLab lets a token live, where keys live for ever


class Doors:
    """`renew` is the date on which the first of the keys and tokens runs out, "" when none does."""

    def __init__(self, record: Record, lifetime: Lifetime, hooks_url: str, renew: str = "") -> None:
        self._record = record
        self._lifetime = lifetime
        self._hooks_url = hooks_url
        self.renew = renew

    async def open(self, project_id: int, path: str, events: list[str]) -> None:
        """Keys, token and webhook of a code repository."""
        await self._keys(project_id, path, ["readonly", "readwrite"])
        life = self._lifetime
        token = TokenInput(project_id=project_id, days=life.days or A_YEAR, renew_before=life.renew_before)
        state = await perform(RepositoryActivities.ensure_token, token, f"Access token of {path}")
        self._record.note("vault", state.made, f"access token of {path}")
        self._expires(state.expires_at)
        await self._hook(project_id, path, events)

    async def open_declaration(self, project_id: int, path: str) -> None:
        """Key and webhook of a product's own repository."""
        await self._keys(project_id, path, ["readonly"])
        await self._hook(project_id, path, DECLARATION_EVENTS)

    async def agree(self, access: RepositoryAccess) -> None:
        """Exactly the keys of others that the declaration wants."""
        input = ForeignKeysInput(project_id=access.project_id, path=access.path, wanted=access.wanted)
        state = await perform(RepositoryActivities.ensure_foreign_keys, input, f"Who may use {access.path}", within=300)
        for made, titles in (("created", state.added), ("changed", state.changed), ("deleted", state.removed)):
            for title in titles:
                self._record.note("gitlab", made, f"deploy key {title} on {access.path}")

    async def withdraw(self, project_id: int, path: str) -> None:
        """A repository that is declared no more, and stays in GitLab, forgets us."""
        input = WithdrawInput(project_id=project_id, path=path, hooks_url=self._hooks_url)
        if (await perform(RepositoryActivities.withdraw, input, f"Withdraw from {path}")).removed:
            self._record.note("gitlab", "deleted", f"keys, token and webhook of {path}")
        secrets = RepositorySecrets(project_id=project_id)
        if (await perform(RepositoryActivities.drop_secrets, secrets, f"Secrets of {path}")).removed:
            self._record.note("vault", "deleted", f"secrets of {path}")

    async def _keys(self, project_id: int, path: str, permissions: list[str]) -> None:
        life = self._lifetime.model_dump()
        input = KeysInput.model_validate({"project_id": project_id, "permissions": permissions, **life})
        state = await perform(RepositoryActivities.ensure_keys, input, f"Deploy keys of {path}")
        self._record.note("vault", state.made, f"deploy keys of {path}")
        self._expires(state.expires_at)

    async def _hook(self, project_id: int, path: str, events: list[str]) -> None:
        input = HookInput(project_id=project_id, url=f"{self._hooks_url}/{project_id}", events=events)
        state = await perform(RepositoryActivities.ensure_hook, input, f"Webhook of {path}")
        self._record.note("gitlab", state.made, f"webhook of {path}")

    def _expires(self, date: str) -> None:
        self.renew = min(filter(None, (self.renew, date)), default="")
