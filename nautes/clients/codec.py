"""The payload codec: what Temporal keeps of inputs, results, messages, memos and failures is encrypted (AES-256-GCM).

Used by nautes/clients/temporal.py for every client and worker, and by the codec endpoint (api/codec.py). A payload is replaced by
one with the encoding `binary/encrypted`, whose metadata name the key, the workflow it belongs to and the time. The metadata are
authenticated: nobody can give a payload to another workflow. Payloads from before the codec was switched on are read as they are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidTag
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec, SerializationContext, WithSerializationContext

from nautes.clients.keys import Key, Keyring, Unreadable

ENCODING, ENCRYPTED = "encoding", b"binary/encrypted"
KEY_ID, DATA_KEY = "encryption-key-id", "encryption-data-key"
WORKFLOW_ID, AT = "workflow-id", "encrypted-at"
AUTHENTICATED = (ENCODING, KEY_ID, DATA_KEY, WORKFLOW_ID, AT)
NONCE_BYTES = 12


@dataclass(frozen=True)
class Origin:
    """Where a payload comes from, as it was authenticated. `workflow_id` is "" when it was encrypted for none."""

    workflow_id: str
    at: datetime


class Codec(PayloadCodec, WithSerializationContext):
    """Temporal's SDK gives each use the workflow that the payloads belong to, as the context."""

    def __init__(self, keys: Keyring, workflow_id: str = "") -> None:
        self._keys, self._workflow_id = keys, workflow_id

    def with_context(self, context: SerializationContext) -> Codec:
        """The codec for what belongs to one workflow."""
        return Codec(self._keys, getattr(context, "workflow_id", None) or "")

    async def encode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Encrypt. Raises Unavailable when there is no key yet."""
        return [seal(await self._keys.current(), each, self._workflow_id) for each in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt. Raises UnknownKey, Unreadable and Unavailable; the task that needs the payload is retried."""
        return [(await self.open(each))[0] if is_encrypted(each) else each for each in payloads]

    async def open(self, payload: Payload) -> tuple[Payload, Origin]:
        """An encrypted payload, decrypted, and where it comes from."""
        metadata = payload.metadata  # get(): reading an entry that is not there would add it
        key = await self._keys.get(metadata.get(KEY_ID, b"").decode("utf-8", "replace"), metadata.get(DATA_KEY, b""))
        nonce, data = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            plain = key.cipher.decrypt(nonce, data, _authenticated(payload))
        except (InvalidTag, ValueError):
            raise Unreadable("payload-unreadable", f"a payload is not what the key {key.id!r} encrypted") from None
        at = datetime.fromtimestamp(int(metadata[AT]), UTC)
        return Payload.FromString(plain), Origin(metadata[WORKFLOW_ID].decode(), at)


def is_encrypted(payload: Payload) -> bool:
    """Whether the codec made it."""
    return payload.metadata.get(ENCODING) == ENCRYPTED


def seal(key: Key, payload: Payload, workflow_id: str) -> Payload:
    """Encrypt one payload with a nonce of its own."""
    metadata = {ENCODING: ENCRYPTED, KEY_ID: key.id.encode(), WORKFLOW_ID: workflow_id.encode()}
    metadata |= {AT: str(int(time.time())).encode()} | ({DATA_KEY: key.wrapped} if key.wrapped else {})
    sealed = Payload(metadata=metadata)
    nonce = os.urandom(NONCE_BYTES)
    sealed.data = nonce + key.cipher.encrypt(nonce, payload.SerializeToString(), _authenticated(sealed))
    return sealed


def _authenticated(payload: Payload) -> bytes:
    """The associated data: every metadata entry of ours, each with its length, so that no two sets give the same bytes."""
    values = [payload.metadata.get(each, b"") for each in AUTHENTICATED]
    return b"".join(len(each).to_bytes(4, "big") + each for each in values)
