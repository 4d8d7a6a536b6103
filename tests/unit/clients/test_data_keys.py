"""Data keys that Vault wraps: one call makes a key for a day, one call reads another process's, outages of Vault stop little."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest
from temporalio.api.common.v1 import Payload

from nautes.clients.codec import KEY_ID, Codec
from nautes.clients.keys import DataKeys, FileKeys, Keyring, UnknownKey, Unreadable
from nautes.messages.errors import Forbidden, Refused, Unavailable

KEY = "transit/nautes"
DAY = 86_400.0


class Vault:
    """A transit engine: wraps keys by a number, and counts its calls."""

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.made = self.unwrapped = 0
        self.down = False
        self.forbids = False
        self._lock = threading.Lock()

    def data_key(self, key: str) -> tuple[bytes, str]:
        self._answer()
        with self._lock:
            self.made += 1
            wrapped = f"vault:v1:{self.made}"
            self.keys[wrapped] = os.urandom(32)
        return self.keys[wrapped], wrapped

    def unwrap(self, key: str, wrapped: str) -> bytes:
        self._answer()
        with self._lock:
            self.unwrapped += 1
        if wrapped not in self.keys:
            raise Refused("vault-refused", "invalid ciphertext")
        return self.keys[wrapped]

    def _answer(self) -> None:
        if self.down:
            raise Unavailable("vault-unreachable", "Vault cannot be reached")
        if self.forbids:
            raise Forbidden("vault-forbidden", "Vault does not let us")


class Clock:
    """Time as a test wants it."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def process(vault: Vault, clock: Clock | None = None) -> Codec:
    """The codec of one process."""
    return Codec(Keyring(data=DataKeys(vault, KEY, DAY, clock or Clock())))


async def test_vault_is_asked_once_for_a_thousand_payloads_at_each_end() -> None:
    vault = Vault()
    payloads = [Payload(data=b"x")] * 1_000
    encoded = [each for part in await asyncio.gather(*[process(vault).encode(payloads)]) for each in part]
    reader = process(vault)
    decoded = await asyncio.gather(*(reader.decode([each]) for each in encoded))
    assert decoded == [[each] for each in payloads]
    assert (vault.made, vault.unwrapped) == (1, 1)


async def test_many_at_once_make_one_key() -> None:
    vault, clock = Vault(), Clock()
    codec = process(vault, clock)
    await asyncio.gather(*(codec.encode([Payload()]) for _ in range(50)))
    assert vault.made == 1
    clock.now = DAY
    await asyncio.gather(*(codec.encode([Payload()]) for _ in range(50)))
    assert vault.made == 2, "and one of the next day"


async def test_while_vault_is_away_the_key_goes_on_and_what_is_known_is_read() -> None:
    vault, clock = Vault(), Clock()
    codec = process(vault, clock)
    before = await codec.encode([Payload(data=b"before")])
    await codec.decode(before)
    vault.down, clock.now = True, DAY
    during = await codec.encode([Payload(data=b"during")])
    assert await codec.decode([*before, *during]) == [Payload(data=b"before"), Payload(data=b"during")]
    vault.down, clock.now = False, DAY + 60
    await codec.encode([Payload()])
    assert vault.made == 2


async def test_an_outage_is_no_unknown_key_and_is_over_when_it_is_over() -> None:
    vault = Vault()
    encoded = await process(vault).encode([Payload(data=b"x")])
    reader = process(vault)
    vault.down = True
    for attempt in (reader.decode(encoded), process(vault).encode([Payload()])):
        with pytest.raises(Unavailable, match="vault-unreachable"):
            await attempt
    vault.down = False
    assert await reader.decode(encoded) == [Payload(data=b"x")]


async def test_a_key_that_vault_refuses_is_told_apart() -> None:
    vault = Vault()
    (encoded,) = await process(vault).encode([Payload(data=b"x")])
    vault.forbids = True
    with pytest.raises(UnknownKey, match=f"'{KEY}'.*does not let us"):
        await process(vault).decode([encoded])
    vault.forbids = False
    vault.keys.clear()
    with pytest.raises(Unreadable, match=KEY):
        await process(vault).decode([encoded])


async def test_keys_from_files_are_read_beside_vaults_which_encrypts_from_then_on() -> None:
    files, vault = FileKeys({"one": os.urandom(32)}), Vault()
    (old,) = await Codec(Keyring(files)).encode([Payload(data=b"old")])
    both = Codec(Keyring(files, DataKeys(vault, KEY, DAY)))
    (new,) = await both.encode([Payload(data=b"new")])
    assert new.metadata[KEY_ID] == KEY.encode()
    assert await both.decode([old, new]) == [Payload(data=b"old"), Payload(data=b"new")]
