"""Deploy keys: a repository's own two, and those of other repositories that open it.

Used by activities/repositories.py. A repository's keys are its identity: private half, public half, id and end are kept in Vault
at one path per permission, and the key is enabled on every repository it opens. GitLab knows a key by its public half; its title
is the one it got first, wherever it is joined.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from activities import lifetimes
from nautes.blueprints import vault as names
from nautes.blueprints.keys import Permission
from nautes.clients.gitlab import GitLab
from nautes.clients.vault import Vault
from nautes.messages.errors import Unavailable
from nautes.messages.gitlab import ForeignKeysInput, ForeignKeysState, KeysInput, KeysState
from nautes.messages.secrets import SecretRef
from nautes.planning.known import KeyGrant

TITLE = re.compile(r"repo-(\d+)-(readonly|readwrite)")


@dataclass(frozen=True)
class _Wanted:
    """A key that is to open a repository: no private half in here."""

    title: str
    public: str
    push: bool
    expires_at: str


@dataclass
class _Difference:
    """What the keys of other repositories lack: wanted ones without a twin, twins with the wrong right, and the rest."""

    missing: list[_Wanted] = field(default_factory=list)
    wrong: list[tuple[_Wanted, Any]] = field(default_factory=list)
    extra: list[Any] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.missing or self.wrong or self.extra)


class Keys:
    """GitLab and Vault together."""

    def __init__(self, gitlab: GitLab, vault: Vault) -> None:
        self._gitlab = gitlab
        self._vault = vault

    # Its own

    def ensure(self, input: KeysInput) -> KeysState:
        """See `repositories.ensure_keys`."""
        if input.new:
            made = [self._new(input, permission) for permission in input.permissions]
        else:
            present = self._gitlab.pages(_base(input.project_id))
            made = [self._own(input, permission, present) for permission in input.permissions]
        ends = [end for _, _, end in made if end]
        created = [each for each, (_, changed, _) in zip(input.permissions, made, strict=True) if changed]
        return KeysState(
            made="created" if created else "unchanged",
            created=created,
            secrets=[ref for ref, _, _ in made],
            expires_at=min(ends, default=""),
        )

    def _new(self, input: KeysInput, permission: Permission) -> tuple[SecretRef, bool, str]:
        """A key where there is none. If this is interrupted the next attempt looks, and replaces a key that nobody holds."""
        path, title = names.key_path(input.project_id, permission), names.key_title(input.project_id, permission)
        values = _fresh(title, input.days)
        twin = self._add(_base(input.project_id), title, values, permission == "readwrite")
        values |= {"id": str(twin["id"]), "expires_at": _end(values, twin)}
        ref = self._vault.write("git", path, values)
        self._vault.put_policy(names.key_policy(input.project_id, permission), names.reader("git", path))
        return ref, True, values["expires_at"]

    def _own(self, input: KeysInput, permission: Permission, present: list[Any]) -> tuple[SecretRef, bool, str]:
        """(secret, whether something was made, end) of one key."""
        path, title = names.key_path(input.project_id, permission), names.key_title(input.project_id, permission)
        ref = SecretRef(engine="git", path=path)
        values = self._vault.read(ref)
        twin = _twin(present, str(values["fingerprint"])) if values else None
        renewed = values is None or lifetimes.due(_end(values, twin), input.days, input.renew_before)
        if values is None or renewed:
            values, twin = _fresh(title, input.days), None
            ref = self._vault.write("git", path, values)
        base, changed, push = _base(input.project_id), renewed, permission == "readwrite"
        if twin is None:
            twin, changed = self._add(base, title, values, push), True
        if bool(twin["can_push"]) != push:
            self._gitlab.put(f"{base}/{twin['id']}", can_push=push)
            changed = True
        # The old key goes last: until then its holders get in.
        for stale in (each for each in present if each["title"] == title and each["id"] != twin["id"]):
            self._gitlab.delete(f"{base}/{stale['id']}")
            changed = True
        seen = {"id": str(twin["id"]), "expires_at": _end(values, twin)}
        if any(str(values.get(name, "")) != value for name, value in seen.items()):
            ref = self._vault.write("git", path, {**values, **seen})
        self._vault.ensure_policy(names.key_policy(input.project_id, permission), names.reader("git", path))
        return ref, changed, seen["expires_at"]

    def _add(self, base: str, title: str, values: dict[str, Any], push: bool) -> Any:
        """Put a key on a repository, or join it: GitLab knows it if it opens another one of ours already."""
        end = str(values.get("expires_at", ""))
        until = {"expires_at": f"{end}T00:00:00Z"} if end else {}
        return self._gitlab.post(base, title=title, key=values["fingerprint"], can_push=push, **until)

    # Those of other repositories

    def agree(self, input: ForeignKeysInput) -> ForeignKeysState:
        """See `repositories.ensure_foreign_keys`. Raises Unavailable while GitLab does not show what was written."""
        wanted, missing = self._wanted(input)
        base = _base(input.project_id)
        found = _difference(input, self._gitlab.pages(base), wanted, missing)
        for each in found.missing:
            values = {"fingerprint": each.public, "expires_at": each.expires_at}
            key = self._add(base, each.title, values, each.push)
            if bool(key["can_push"]) != each.push:
                self._gitlab.put(f"{base}/{key['id']}", can_push=each.push)
        for each, twin in found.wrong:
            self._gitlab.put(f"{base}/{twin['id']}", can_push=each.push)
        for key in found.extra:
            self._gitlab.delete(f"{base}/{key['id']}")
        if found and _difference(input, self._gitlab.pages(base), wanted, missing):
            raise Unavailable("keys-disagree", f"GitLab does not show yet which keys open {input.path or base}")
        return ForeignKeysState(
            made="changed" if found else "unchanged",
            added=[each.title for each in found.missing],
            removed=[str(each["title"]) for each in found.extra],
            changed=[each.title for each, _ in found.wrong],
            missing=sorted(missing),
        )

    def _wanted(self, input: ForeignKeysInput) -> tuple[list[_Wanted], set[str]]:
        """The keys that are to open a repository, and the titles of those that nobody has (any more)."""
        found, missing = [], set()
        for grant in {(each.project_id, each.permission): each for each in input.wanted}.values():
            if grant.project_id == input.project_id:
                continue  # its own are not agreed on
            if key := self._public(grant):
                found.append(key)
            else:
                missing.add(names.key_title(grant.project_id, grant.permission))
        return found, missing

    def _public(self, grant: KeyGrant) -> _Wanted | None:
        """A consumer's key without its private half, None when there is none that opens anything."""
        values = self._vault.read(SecretRef(engine="git", path=names.key_path(grant.project_id, grant.permission)))
        if values is None or lifetimes.over(str(values.get("expires_at", ""))):
            return None
        return _Wanted(
            title=names.key_title(grant.project_id, grant.permission),
            public=str(values["fingerprint"]),
            push=grant.permission == "readwrite",
            expires_at=str(values.get("expires_at", "")),
        )

    # None of ours

    def withdraw(self, project_id: int) -> bool:
        """Take away every key of ours, the repository's own and others'. False when there was none."""
        base = _base(project_id)
        ours = [each for each in self._gitlab.pages(base) if TITLE.fullmatch(str(each["title"]))]
        gone = [self._gitlab.delete(f"{base}/{each['id']}") for each in ours]
        return any(gone)


def _difference(input: ForeignKeysInput, present: list[Any], wanted: list[_Wanted], missing: set[str]) -> _Difference:
    """What is to be done. A key whose right half nobody knows now is left alone, and so is what is not ours."""
    found, matched = _Difference(), set()
    for each in wanted:
        twin = _twin(present, each.public)
        if twin is None:
            found.missing.append(each)
            continue
        matched.add(twin["id"])
        if bool(twin["can_push"]) != each.push:
            found.wrong.append((each, twin))
    for key in present:
        title = TITLE.fullmatch(str(key["title"]))
        foreign = title is not None and int(title[1]) != input.project_id
        if foreign and key["id"] not in matched and key["title"] not in missing:
            found.extra.append(key)
    return found


def key_pair(comment: str) -> tuple[str, str]:
    """(private key in OpenSSH's format, public key with comment), made in this process."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return private, f"{public} {comment}"


def _fresh(title: str, days: int) -> dict[str, str]:
    """A new key as Vault keeps it; GitLab gives it its id."""
    private, public = key_pair(title)
    end = lifetimes.ahead(days) if days else ""
    return {"deploykey": private, "fingerprint": public, "id": "", "expires_at": end}


def _twin(present: list[Any], public: str) -> Any | None:
    """The key in GitLab that has this public half."""
    return next((each for each in present if _material(each["key"]) == _material(public)), None)


def _end(values: dict[str, Any], twin: Any | None) -> str:
    """The day a key ends: as GitLab has it, where GitLab shows it."""
    if twin is None or "expires_at" not in twin:
        return str(values.get("expires_at", ""))
    return str(twin["expires_at"] or "")[:10]


def _base(project_id: int) -> str:
    return f"/projects/{project_id}/deploy_keys"


def _material(key: str) -> str:
    """A public key without its comment."""
    return " ".join(str(key).split()[:2])
