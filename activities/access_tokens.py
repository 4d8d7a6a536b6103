"""The project access token of a repository: a bot's, Maintainer, for the API. Used by activities/repositories.py.

GitLab shows a token once, when it makes it. It is in Vault before any other one is revoked; one that a crash kept out of Vault is
known to nobody, and the next run revokes it.
"""

from __future__ import annotations

from typing import Any

from activities import lifetimes
from nautes.blueprints import vault as names
from nautes.clients.gitlab import MAINTAINER, GitLab
from nautes.clients.vault import Vault
from nautes.messages.gitlab import Made, TokenInput, TokenState
from nautes.messages.secrets import SecretRef

SCOPE = "api"


class AccessTokens:
    """GitLab and Vault together."""

    def __init__(self, gitlab: GitLab, vault: Vault) -> None:
        self._gitlab = gitlab
        self._vault = vault

    def ensure(self, input: TokenInput) -> TokenState:
        """See `repositories.ensure_token`."""
        ref = SecretRef(engine="git", path=names.token_path(input.project_id))
        if input.new:  # if this is interrupted the next attempt looks, and revokes a token that nobody holds
            made_now = self._create(input)
            ref = self._keep(ref, made_now)
            self._vault.put_policy(names.token_policy(input.project_id), names.reader("git", ref.path))
            return TokenState(made="created", expires_at=str(made_now["expires_at"]), secret=ref)
        values = self._vault.read(ref) or {}
        present = self._present(input.project_id)
        kept = next((each for each in present if str(each["id"]) == str(values.get("id")) and _fits(input, each)), None)
        made: Made = "unchanged"
        if kept is None:
            kept, made = self._create(input), "changed" if values else "created"
            ref = self._keep(ref, kept)
        for other in (each for each in present if each["id"] != kept["id"]):
            self._gitlab.delete(f"{_base(input.project_id)}/{other['id']}")
            made = "changed" if made == "unchanged" else made
        self._vault.ensure_policy(names.token_policy(input.project_id), names.reader("git", ref.path))
        return TokenState(made=made, expires_at=str(kept["expires_at"]), secret=ref)

    def withdraw(self, project_id: int) -> bool:
        """Revoke every token of ours. False when there was none."""
        base = _base(project_id)
        gone = [self._gitlab.delete(f"{base}/{each['id']}") for each in self._present(project_id)]
        return any(gone)

    def _present(self, project_id: int) -> list[Any]:
        """The tokens of our name that still open something."""
        found = self._gitlab.pages(_base(project_id), state="active")
        return [each for each in found if each["name"] == names.TOKEN_NAME and each["active"]]

    def _keep(self, ref: SecretRef, token: Any) -> SecretRef:
        secret = {"accesstoken": str(token["token"]), "id": str(token["id"]), "expires_at": str(token["expires_at"])}
        return self._vault.write("git", ref.path, secret)

    def _create(self, input: TokenInput) -> Any:
        end = lifetimes.ahead(input.days)
        grant = {"scopes": [SCOPE], "access_level": MAINTAINER, "expires_at": end}
        return self._gitlab.post(_base(input.project_id), name=names.TOKEN_NAME, **grant)


def _fits(input: TokenInput, token: Any) -> bool:
    """Whether a token does what ours is to do, for a while yet."""
    able = token["access_level"] == MAINTAINER and SCOPE in token["scopes"]
    return bool(able) and not lifetimes.due(str(token["expires_at"] or ""), input.days, input.renew_before)


def _base(project_id: int) -> str:
    return f"/projects/{project_id}/access_tokens"
