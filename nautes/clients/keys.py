"""Keys of the payload codec: from files that are mounted as a secret, or data keys that a key of Vault's transit engine wraps.

Used by nautes/clients/codec.py only. A key has an id, which travels with every payload it encrypts; several are known, one is
current. Vault is asked once per data key and never once per payload.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cachetools import LRUCache
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nautes.messages.errors import Forbidden, NautesError, NotFound, Refused, Unavailable

KEY_BYTES = 32
# A nonce is 96 random bits: NIST SP 800-38D (8.3) allows 2^32 payloads under one key.
MOST_PAYLOADS = 1 << 32
MOST_KEPT = 10_000  # data keys of other processes and other days that are kept in memory
RETRY_SECONDS = 60.0  # after which a data key is asked for again, when Vault gave none
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # no slash: those are keys of Vault

log = logging.getLogger("nautes.codec")


class UnknownKey(Unavailable):
    """A payload was encrypted with a key that this process does not have. It may get it: what needs the payload is retried."""


class Unreadable(Unavailable):
    """A payload that was changed on its way, or that another key of the same id encrypted. With that key it could be read."""


@dataclass(frozen=True)
class Key:
    """One key. `wrapped` is the data key as Vault wrapped it, empty for a key from a file."""

    id: str
    cipher: AESGCM
    wrapped: bytes = b""

    def __repr__(self) -> str:
        return f"Key({self.id!r})"


class Transit(Protocol):
    """The part of Vault that data keys need (clients.vault.Vault)."""

    def data_key(self, key: str) -> tuple[bytes, str]:
        """A new key of 32 bytes, plain and wrapped."""

    def unwrap(self, key: str, wrapped: str) -> bytes:
        """The plain key of a wrapped one."""


class FileKeys:
    """Keys by id, each 32 bytes. `current` encrypts, all of them decrypt."""

    def __init__(self, keys: Mapping[str, bytes], current: str = "") -> None:
        if not keys:
            raise ValueError("there is no key for the payload codec")
        if not current and len(keys) > 1:
            raise ValueError(f"NAUTES_CODEC_CURRENT must name the key that encrypts, one of {', '.join(sorted(keys))}")
        self.current = current or next(iter(keys))
        if self.current not in keys:
            raise ValueError(f"NAUTES_CODEC_CURRENT is {current!r}, but the keys are {', '.join(sorted(keys))}")
        self._keys = {name: Key(name, AESGCM(value)) for name, value in keys.items()}

    def get(self, key: str) -> Key:
        """A key by its id. Raises UnknownKey."""
        if key not in self._keys:
            raise _unknown(key, f"it has {', '.join(sorted(self._keys))}")
        return self._keys[key]


class DataKeys:
    """Data keys that the transit key `key`, "<mount>/<name>", wraps; a new one after `seconds` seconds."""

    def __init__(self, transit: Transit, key: str, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self.key = key
        self._transit, self._seconds, self._now = transit, seconds, now
        self._made: Key | None = None
        self._until = 0.0
        self._uses = 0
        self._making = asyncio.Lock()
        self._opened: LRUCache[bytes, asyncio.Task[Key]] = LRUCache(MOST_KEPT)

    async def current(self) -> Key:
        """The data key that encrypts now. While Vault does not answer, the one before goes on."""
        self._uses += 1
        if self._made is not None and self._now() < self._until and self._uses < MOST_PAYLOADS:
            return self._made
        async with self._making:
            if self._made is None or self._now() >= self._until or self._uses >= MOST_PAYLOADS:
                self._made = await self._new()
            return self._made

    async def get(self, wrapped: bytes) -> Key:
        """The data key that was wrapped so. Raises UnknownKey, Unreadable and Unavailable."""
        task = self._opened.get(wrapped)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._opened[wrapped] = asyncio.ensure_future(self._open(wrapped))
        return await asyncio.shield(task)

    async def _new(self) -> Key:
        try:
            plain, wrapped = await asyncio.to_thread(self._transit.data_key, self.key)
        except NautesError as error:
            if self._made is None or self._uses >= MOST_PAYLOADS:
                raise
            log.warning("no new data key from Vault, the one before goes on: %s", error)
            self._until = self._now() + RETRY_SECONDS
            return self._made
        self._until, self._uses = self._now() + self._seconds, 0
        return Key(self.key, AESGCM(plain), wrapped.encode())

    async def _open(self, wrapped: bytes) -> Key:
        try:
            plain = await asyncio.to_thread(self._transit.unwrap, self.key, wrapped.decode("ascii", "replace"))
        except (Forbidden, NotFound) as error:
            raise _unknown(self.key, error.message) from None
        except Refused:
            raise Unreadable("payload-unreadable", f"Vault cannot unwrap a data key of {self.key}") from None
        return Key(self.key, AESGCM(plain), wrapped)


class Keyring:
    """All keys of this process. With a transit key, its data keys encrypt; those from files then only decrypt."""

    def __init__(self, files: FileKeys | None = None, data: DataKeys | None = None) -> None:
        if files is None and data is None:
            raise ValueError("the payload codec needs keys from files or a transit key")
        self._files, self._data = files, data

    async def current(self) -> Key:
        """The key that encrypts now."""
        if self._data is not None:
            return await self._data.current()
        assert self._files is not None  # noqa: S101 - one of both is there
        return self._files.get(self._files.current)

    async def get(self, key: str, wrapped: bytes) -> Key:
        """The key that a payload names. Raises UnknownKey, Unreadable and Unavailable."""
        if wrapped and self._data is not None and key == self._data.key:
            return await self._data.get(wrapped)
        if not wrapped and self._files is not None:
            return self._files.get(key)
        raise _unknown(key, "it has keys of another kind only")


def read_keys(path: Path) -> dict[str, bytes]:
    """Keys by id: a directory with one file per key, named by its id, or one file with a line `<id>: <base64>` per key."""
    if path.is_dir():
        # A secret that Kubernetes mounts has hidden entries beside the keys.
        lines = {each.name: each.read_text() for each in sorted(path.iterdir()) if not each.name.startswith(".")}
        return {name: _key(name, text) for name, text in lines.items()}
    pairs = [line.partition(":") for line in path.read_text().splitlines() if line.strip() and line[:1] != "#"]
    found = {name.strip(): _key(name.strip(), text) for name, _, text in pairs}
    if len(found) < len(pairs):
        raise ValueError(f"a key id stands twice in {path.name}")
    return found


def _key(name: str, text: str) -> bytes:
    """Raises ValueError, which never shows a key."""
    if not _ID.fullmatch(name):
        raise ValueError("the id of a key has letters, digits, dots, dashes and underscores, 64 at most")
    try:
        found = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        found = b""
    if len(found) != KEY_BYTES:
        raise ValueError(f"the key {name} is not base64 of {KEY_BYTES} bytes")
    return found


def _unknown(key: str, why: str) -> UnknownKey:
    return UnknownKey("codec-key-unknown", f"this process cannot use the key {key!r} that encrypted a payload: {why}")
