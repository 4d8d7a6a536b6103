"""Vault or OpenBao through hvac: AppRole login, KV v2, policies, auth mounts; translation of errors.

Used by activities and, with a narrower role, by the API. Values never enter an error, a log or a repr. Writers read
first: what is right already is not written.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import hvac
import hvac.exceptions
import requests

from nautes.clients.sessions import Sessions
from nautes.messages.errors import Conflict, Forbidden, NautesError, NotFound, Refused, Unavailable
from nautes.messages.secrets import SecretRef

Answer = TypeVar("Answer")


class Vault:
    """Logs in when needed, and again when the token is no longer valid. Safe for many threads."""

    def __init__(self, addr: str, role_id: str, secret_id: str, timeout: float = 10.0) -> None:
        self._addr, self._role_id, self._timeout = addr, role_id, timeout
        self.__secret_id = secret_id
        self._sessions = Sessions(system="vault")
        self.__token = ""
        self._logging_in = threading.Lock()

    def __repr__(self) -> str:
        return f"Vault({self._addr!r}, role_id={self._role_id!r})"

    # KV v2

    def read(self, ref: SecretRef) -> dict[str, Any] | None:
        """The values of a secret, None when there is none (or it was deleted)."""

        def read_it(client: hvac.Client) -> dict[str, Any]:
            answer = client.secrets.kv.v2.read_secret_version(
                ref.path, version=ref.version, mount_point=ref.engine, raise_on_deleted_version=True
            )
            return dict(answer["data"]["data"])

        return self._find(read_it, f"read {ref.engine}/{ref.path}")

    def value(self, ref: SecretRef, key: str) -> str:
        """One value. Raises NotFound."""
        values = self.read(ref) or {}
        if key not in values:
            raise NotFound("secret-missing", f"Vault has no {key} at {ref.engine}/{ref.path}")
        return str(values[key])

    def version(self, engine: str, path: str) -> int | None:
        """Newest version of a secret, None when there is none."""

        def read_it(client: hvac.Client) -> int | None:
            metadata = client.secrets.kv.v2.read_secret_metadata(path, mount_point=engine)["data"]
            newest = int(metadata["current_version"])
            gone = metadata["versions"].get(str(newest), {}).get("deletion_time")
            return newest if newest and not gone else None

        return self._find(read_it, f"read the metadata of {engine}/{path}")

    def notes(self, engine: str, path: str) -> dict[str, str]:
        """The custom metadata of a secret (never secret itself), empty when there is no secret."""

        def read_it(client: hvac.Client) -> dict[str, str]:
            metadata = client.secrets.kv.v2.read_secret_metadata(path, mount_point=engine)["data"]
            newest = metadata["versions"].get(str(metadata["current_version"]), {})
            return {} if not newest or newest.get("deletion_time") else dict(metadata.get("custom_metadata") or {})

        return self._find(read_it, f"read the metadata of {engine}/{path}") or {}

    def note(self, engine: str, path: str, notes: dict[str, str]) -> None:
        """Replace the custom metadata of a secret."""
        self._ask(
            lambda client: client.secrets.kv.v2.update_metadata(path, custom_metadata=notes, mount_point=engine),
            f"write the metadata of {engine}/{path}",
        )

    def write(self, engine: str, path: str, values: dict[str, str], cas: int | None = None) -> SecretRef:
        """Write a new version; `cas` is the version it must follow (0: must be new)."""

        def put(client: hvac.Client) -> SecretRef:
            answer = client.secrets.kv.v2.create_or_update_secret(path, secret=values, cas=cas, mount_point=engine)
            return SecretRef(engine=engine, path=path, version=int(answer["data"]["version"]))

        return self._ask(put, f"write {engine}/{path}")

    def delete(self, engine: str, path: str) -> bool:
        """Remove a secret with all its versions; False when there was none."""
        metadata = self._find(
            lambda client: client.secrets.kv.v2.read_secret_metadata(path, mount_point=engine),
            f"read the metadata of {engine}/{path}",
        )
        if metadata is None:
            return False
        self._ask(
            lambda client: client.secrets.kv.v2.delete_metadata_and_all_versions(path, mount_point=engine),
            f"delete {engine}/{path}",
        )
        return True

    def ages(self, engine: str, path: str) -> dict[str, timedelta]:
        """The age of each secret below a path since its first version, by its path."""
        listed = self._find(
            lambda client: client.secrets.kv.v2.list_secrets(path, mount_point=engine), f"list {engine}/{path}"
        )
        names = [] if listed is None else [f"{path}{each}" for each in listed["data"]["keys"]]
        found = {each: self.get(f"{engine}/metadata/{each}") for each in names}
        now = datetime.now(UTC)
        return {
            each: now - datetime.fromisoformat(metadata["created_time"]) for each, metadata in found.items() if metadata
        }

    def kubeconfig(self, ref: SecretRef) -> str:
        """The kubeconfig behind a reference. Raises NotFound."""
        return self.value(ref, "kubeconfig")

    # Transit

    def data_key(self, key: str) -> tuple[bytes, str]:
        """A new key of 32 bytes, plain and as the transit key "<mount>/<name>" wraps it."""
        mount, _, name = key.rpartition("/")
        answer = self._ask(
            lambda client: client.secrets.transit.generate_data_key(name, "plaintext", bits=256, mount_point=mount),
            f"make a data key with {key}",
        )
        return base64.b64decode(answer["data"]["plaintext"]), str(answer["data"]["ciphertext"])

    def unwrap(self, key: str, wrapped: str) -> bytes:
        """The plain key of a wrapped one. Raises Refused for one that this key did not wrap."""
        mount, _, name = key.rpartition("/")
        answer = self._ask(
            lambda client: client.secrets.transit.decrypt_data(name, wrapped, mount_point=mount),
            f"unwrap a data key with {key}",
        )
        return base64.b64decode(answer["data"]["plaintext"])

    # Anything else, by path

    def get(self, path: str) -> dict[str, Any] | None:
        """Data at an API path, None when there is nothing."""
        answer = self._find(lambda client: client.read(path), f"read {path}")
        if answer is None:
            return None
        found = answer.get("data", answer) if isinstance(answer, dict) else {}
        return dict(found)

    def put(self, path: str, data: dict[str, Any]) -> None:
        """Write data to an API path."""
        self._ask(lambda client: client.write_data(path, data=data), f"write {path}")

    def remove(self, path: str) -> bool:
        """Delete at an API path; False when there was nothing."""
        if self.get(path) is None:
            return False
        self._ask(lambda client: client.delete(path), f"delete {path}")
        return True

    def mounts(self, kind: str) -> dict[str, Any]:
        """Mounted engines ("mounts") or auth methods ("auth"), by name with a trailing slash."""
        listed = self._ask(lambda client: client.adapter.get(f"/v1/sys/{kind}"), f"list {kind}")
        return dict(listed.get("data") or listed)

    def unmount_auth(self, mount: str) -> None:
        """Disable an auth method, with everything below it."""
        self._ask(lambda client: client.sys.disable_auth_method(path=mount), f"disable auth/{mount}")

    def ensure_policy(self, name: str, text: str) -> bool:
        """A policy as given; True when it had to be written."""
        found = self.get(f"sys/policies/acl/{name}")
        if found and str(found.get("policy", "")).strip() == text.strip():
            return False
        self.put_policy(name, text)
        return True

    def put_policy(self, name: str, text: str) -> None:
        """Write a policy without reading it first."""
        self.put(f"sys/policies/acl/{name}", {"policy": text})

    def login_kubernetes(self, mount: str, role: str, jwt: str) -> list[str]:
        """Log in as a service account of a cluster; return the policies it got. The token is revoked."""
        with translated(f"log in to auth/{mount}"), self._sessions.one() as session:
            client = hvac.Client(url=self._addr, timeout=self._timeout, session=session)
            answer = client.auth.kubernetes.login(role=role, jwt=jwt, mount_point=mount)
            client.token = answer["auth"]["client_token"]
            client.auth.token.revoke_self()
            return [str(each) for each in answer["auth"]["policies"]]

    def alive(self) -> None:
        """Raise Unavailable unless we can log in."""
        self._ask(lambda client: client.auth.token.lookup_self(), "read our own token")

    # Inside

    def _find(self, call: Callable[[hvac.Client], Answer], what: str) -> Answer | None:
        try:
            return self._ask(call, what)
        except NotFound:
            return None

    def _ask(self, call: Callable[[hvac.Client], Answer], what: str) -> Answer:
        token = self.__token or self._login("")
        try:
            return self._call(call, what, token)
        except Forbidden:  # the token may have expired: retry once with a new one
            return self._call(call, what, self._login(token))

    def _call(self, call: Callable[[hvac.Client], Answer], what: str, token: str) -> Answer:
        with translated(what), self._sessions.one() as session:
            return call(hvac.Client(url=self._addr, token=token, timeout=self._timeout, session=session))

    def _login(self, refused: str) -> str:
        """A token other than the refused one; threads whose token was refused at the same time log in once."""
        with self._logging_in:
            if self.__token == refused:
                with translated("log in"), self._sessions.one() as session:
                    client = hvac.Client(url=self._addr, timeout=self._timeout, session=session)
                    answer = client.auth.approle.login(role_id=self._role_id, secret_id=self.__secret_id)
                self.__token = str(answer["auth"]["client_token"])
            return self.__token


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn every error of hvac into one of ours; `what` was attempted, and holds no secret."""
    try:
        yield
    except hvac.exceptions.VaultError as error:
        raise _translate(error, what) from None
    except requests.RequestException as error:
        raise Unavailable("vault-unreachable", f"Vault cannot be reached ({type(error).__name__})") from None


def _translate(error: hvac.exceptions.VaultError, what: str) -> NautesError:
    text = "; ".join(str(each) for each in error.errors or [])[:300]
    if isinstance(error, hvac.exceptions.InvalidPath):
        return NotFound("vault-not-found", f"Vault has nothing to {what}")
    if isinstance(error, hvac.exceptions.Forbidden | hvac.exceptions.Unauthorized):
        return Forbidden("vault-forbidden", f"Vault does not let us {what}")
    if isinstance(error, hvac.exceptions.InvalidRequest):
        if "check-and-set" in text:
            return Conflict("vault-conflict", f"another writer was first: cannot {what}")
        if "pgrading" in text:  # a KV engine that was just mounted
            return Unavailable("vault-upgrading", f"Vault prepares the engine: {what}")
        return Refused("vault-refused", f"Vault refuses to {what}: {text}")
    return Unavailable("vault-unavailable", f"Vault cannot {what} now ({type(error).__name__})")
